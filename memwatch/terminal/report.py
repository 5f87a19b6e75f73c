"""A report of leaks: the facts as values. :mod:`~memwatch.terminal.report_formats` writes them down."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from memwatch import formatting
from memwatch.detection.confidence.probability import in_words
from memwatch.heapdump.sizes import count_text, size_text
from memwatch.known_causes.releases import Match
from memwatch.models import Leak
from memwatch.queries.diagnosis import known_leaks
from memwatch.queries.leak_work import explanation_of
from memwatch.queries.processes.lookup import services_of_alive
from memwatch.queries.track_record import track_record
from memwatch.records import SEVERITIES, traces
from memwatch.services.recordings import leak_heaps
from memwatch.services.recordings.leak_heaps import LeakHeap
from memwatch.terminal import death_table, recycling_lines, settings_table, work_table
from memwatch.terminal.death_table import Deaths
from memwatch.terminal.settings_table import SettingsLine
from memwatch.terminal.work_table import WorkLine

MOST_NAMED = 8
MOST_WORK = 5
"""Names of work in each list."""
WORK_SINCE = timedelta(days=1)
MOST_DEATHS = 10
"""The last ones, whose sentences are given."""
MIN_MEASURED = 10
"""Fewer measured calls than this do not say what a call keeps."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LeakFacts:
    """One leak as a reader wants it."""

    id: int
    service: str
    process: str | None
    """``None``: the whole service leaks."""
    object_type: str
    kind: str
    state: str
    severity: str
    confidence: str
    probability: float | None
    """That it is a leak, 0 to 1."""
    verdict: str
    since: str
    """ISO 8601."""
    facts: tuple[tuple[str, str], ...]
    """Label and text."""


NO_DEATHS = Deaths()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Leaks, the worst first, and the fleet that they are of."""

    made_at: str
    """ISO 8601."""
    processes: int
    services: tuple[str, ...]
    leaks: tuple[LeakFacts, ...]
    work: Mapping[str, tuple[WorkLine, ...]] = dataclasses.field(default_factory=dict)
    """The views, tasks and commands that kept most in a call of the last day, and those with the highest peaks."""
    deaths: Deaths = NO_DEATHS
    """The last processes that were killed, crashed or vanished within the last week, and how many there were."""
    settings: tuple[SettingsLine, ...] = ()
    """Services whose settings should change."""

    recycling: tuple[str, ...] = ()
    """How each policy of recycling stands that is not off."""
    releases: tuple[str, ...] = ()
    """What the newest release of each service changed."""
    known: tuple[str, ...] = ()
    """Known leaks of releases that processes have imported."""
    track_record: str = ""
    """What became of the leaks that were found before; empty before the first."""

    @property
    def title(self) -> str:
        """One line."""
        found = f"{len(self.leaks)} leak{'' if len(self.leaks) == 1 else 's'}" if self.leaks else "No leaks"
        return f"{found} in {self.processes} processes of {len(self.services)} services"


def report(
    leaks: Iterable[Leak],
    now: datetime,
    *,
    work: Sequence[WorkLine] = (),
    deaths: Deaths = NO_DEATHS,
    settings: Sequence[SettingsLine] = (),
    recycling: tuple[str, ...] = (),
    releases: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
    track_record: str = "",
) -> Report:
    """The leaks of the report; load the rows with ``service`` and ``process__service``."""
    leaks = list(leaks)
    heaps, explained = leak_heaps.heaps_of(leaks), known_leaks.of_leaks(leaks)
    worst_first = sorted(leaks, key=lambda leak: (-SEVERITIES.index(leak.severity), leak.service.name, leak.pk))
    services = services_of_alive()
    return Report(
        made_at=now.isoformat(timespec="seconds"),
        processes=len(services),
        services=tuple(dict.fromkeys(services)),
        leaks=tuple(_facts(leak, now, heaps.get(leak.pk), explained[leak.pk]) for leak in worst_first),
        work=_work(work),
        deaths=deaths,
        settings=tuple(settings),
        recycling=recycling,
        releases=releases,
        known=known,
        track_record=track_record,
    )


def work_of(now: datetime, service: str | None = None) -> list[WorkLine]:
    """The work of the last day, of one service or of all."""
    return work_table.lines(now, now - WORK_SINCE, service or "")


def deaths_of(now: datetime, service: str | None = None) -> Deaths:
    """Those of the last week, of one service or of all."""
    return death_table.rows(now, service or "", MOST_DEATHS)


def settings_of(now: datetime, service: str | None = None) -> list[SettingsLine]:
    """Settings that fit, of one service or of all."""
    return settings_table.lines(now, service)


def recycling_of(now: datetime, service: str | None = None) -> tuple[str, ...]:
    """How recycling stands, of one service or of all."""
    return recycling_lines.lines(now, service)


def known_of(service: str | None = None) -> tuple[str, ...]:
    """Known leaks of what is installed, of one service or of all."""
    return tuple(f"{each.service}: {known_line(each.match)}" for each in known_leaks.in_services(service))


def track_record_of(service: str | None = None) -> str:
    """What became of the last leaks, of one service or of all."""
    record = track_record(service)
    return record.sentence if record.found else ""


def _work(lines: Sequence[WorkLine]) -> dict[str, tuple[WorkLine, ...]]:
    keep = [line for line in lines if line.measured >= MIN_MEASURED and (line.kept_kib or 0.0) > 0]
    peak = [line for line in lines if line.peak_mb]
    lists = {"kept": work_table.arranged(keep, sort="kept"), "peak": work_table.arranged(peak, sort="peak")}
    return {name: tuple(found[:MOST_WORK]) for name, found in lists.items() if found}


def _facts(leak: Leak, now: datetime, heap: LeakHeap | None, known: Sequence[Match]) -> LeakFacts:
    since = leak.started_at or leak.detected_at
    return LeakFacts(
        id=leak.pk,
        service=leak.service.name,
        process=str(leak.process) if leak.process else None,
        object_type=leak.object_type,
        kind=leak.kind,
        state=leak.state,
        severity=leak.severity,
        confidence=leak.confidence,
        probability=leak.probability,
        verdict=leak.verdict,
        since=since.isoformat(timespec="seconds"),
        facts=tuple((label, text) for label, text in _told(leak, since, now, heap, known) if text),
    )


def _told(
    leak: Leak, since: datetime, now: datetime, heap: LeakHeap | None, known: Sequence[Match]
) -> list[tuple[str, str]]:
    evidence: Mapping[str, Any] = leak.evidence if isinstance(leak.evidence, Mapping) else {}
    statistics, container = evidence.get("statistics"), evidence.get("container")
    unit = str(statistics.get("unit") or "") if isinstance(statistics, Mapping) else ""
    first, last = (formatting.leak_amount(leak.kind, n, unit) for n in (leak.initial_count, leak.current_count))
    rate = None if leak.growth_per_hour is None else round(leak.growth_per_hour)
    jobs = explanation_of(evidence)
    return [
        ("grew", f"{first} → {last} ({formatting.signed_percent(leak.growth_percent)})"),
        ("since", f"{formatting.exact(since)} ({formatting.age(since, now)})"),
        ("rate", f"{formatting.leak_growth(leak.kind, rate, unit)} an hour" if rate is not None else ""),
        ("memory runs out in", "" if (left := leak.time_left_s(now)) is None else formatting.duration(left)),
        ("work", "" if jobs is None else jobs.sentence),
        ("held in", str(container.get("description") or "") if isinstance(container, Mapping) else ""),
        ("heap dump", "" if heap is None else _of_heap(heap)),
        ("grows with it", _names(evidence.get("grows_with"))),
        ("extension modules", _names(evidence.get("extension_modules"))),
        ("known leak", " ".join(known_line(match) for match in known if match.fits)),
        ("probability", "" if leak.probability is None else in_words(leak.probability)),
        ("state", leak.get_state_display()),
    ]


def known_line(match: Match) -> str:
    """A known leak with its source."""
    return f"{match.sentence[:-1]} ({match.leak.reference})."


def _of_heap(heap: LeakHeap) -> str:
    """How many objects it has, what would be free without them, and what keeps most of them."""
    text = f"{count_text(heap.count, heap.type)}, {size_text(heap.freed)} to be freed"
    if heap.holders:
        most = heap.holders[0]
        text += f"; {most['holder']} keeps {formatting.count(most['count'])}"
    ids = [traces.trace_id(span) for span in traces.joined([], heap.recording.traces)]
    during = f", traces {', '.join(ids)}" if ids else ""
    return f"{text} (recording {heap.recording.pk} of {heap.recording.process}{during})"


def _names(value: object) -> str:
    names = [str(each) for each in value] if isinstance(value, list) else []
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def worst(leaks: Sequence[LeakFacts]) -> int:
    """The rank of the most severe, from 0 for low; -1 without leaks."""
    return max((SEVERITIES.index(leak.severity) for leak in leaks), default=-1)
