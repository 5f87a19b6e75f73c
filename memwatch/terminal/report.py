"""A report of leaks: the facts as values, and as text, Markdown, JSON or one HTML file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape

from memwatch import formatting
from memwatch.models import Leak
from memwatch.queries.processes.lookup import services_of_alive
from memwatch.records import SEVERITIES

MOST_NAMED = 8


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
    verdict: str
    since: str
    """ISO 8601."""
    facts: tuple[tuple[str, str], ...]
    """Label and text."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Leaks, the worst first, and the fleet that they are of."""

    made_at: str
    """ISO 8601."""
    processes: int
    services: tuple[str, ...]
    leaks: tuple[LeakFacts, ...]

    @property
    def title(self) -> str:
        """One line."""
        found = f"{len(self.leaks)} leak{'' if len(self.leaks) == 1 else 's'}" if self.leaks else "No leaks"
        return f"{found} in {self.processes} processes of {len(self.services)} services"


def report(leaks: Iterable[Leak], now: datetime) -> Report:
    """The leaks of the report; load the rows with ``service`` and ``process__service``."""
    worst_first = sorted(leaks, key=lambda leak: (-SEVERITIES.index(leak.severity), leak.service.name, leak.pk))
    services = services_of_alive()
    return Report(
        made_at=now.isoformat(timespec="seconds"),
        processes=len(services),
        services=tuple(dict.fromkeys(services)),
        leaks=tuple(_facts(leak, now) for leak in worst_first),
    )


def _facts(leak: Leak, now: datetime) -> LeakFacts:
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
        verdict=leak.verdict,
        since=since.isoformat(timespec="seconds"),
        facts=tuple((label, text) for label, text in _told(leak, since, now) if text),
    )


def _told(leak: Leak, since: datetime, now: datetime) -> list[tuple[str, str]]:
    evidence: Mapping[str, Any] = leak.evidence if isinstance(leak.evidence, Mapping) else {}
    statistics, container = evidence.get("statistics"), evidence.get("container")
    unit = str(statistics.get("unit") or "") if isinstance(statistics, Mapping) else ""
    first, last = (formatting.leak_amount(leak.kind, n, unit) for n in (leak.initial_count, leak.current_count))
    rate = None if leak.growth_per_hour is None else round(leak.growth_per_hour)
    return [
        ("grew", f"{first} → {last} ({formatting.signed_percent(leak.growth_percent)})"),
        ("since", f"{formatting.exact(since)} ({formatting.age(since, now)})"),
        ("rate", f"{formatting.leak_growth(leak.kind, rate, unit)} an hour" if rate is not None else ""),
        ("memory runs out in", "" if (left := leak.time_left_s(now)) is None else formatting.duration(left)),
        ("held in", str(container.get("description") or "") if isinstance(container, Mapping) else ""),
        ("grows with it", _names(evidence.get("grows_with"))),
        ("extension modules", _names(evidence.get("extension_modules"))),
        ("state", leak.get_state_display()),
    ]


def _names(value: object) -> str:
    names = [str(each) for each in value] if isinstance(value, list) else []
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def as_text(made: Report) -> str:
    """Plain lines."""
    lines = [made.title, ""]
    for leak in made.leaks:
        lines += [_head(leak), *([f"  {leak.verdict}"] if leak.verdict else [])]
        lines += [f"  {label}: {text}" for label, text in leak.facts]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_markdown(made: Report) -> str:
    """For an issue or a chat."""
    lines = [f"# {made.title}", "", f"Made {made.made_at}.", ""]
    for leak in made.leaks:
        lines += [f"## {_markdown(_head(leak))}", ""]
        if leak.verdict:
            lines += [_markdown(leak.verdict), ""]
        lines += [f"- **{label}**: {_markdown(text)}" for label, text in leak.facts]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_json(made: Report) -> str:
    """Everything, for a program."""
    value = dataclasses.asdict(made)
    for leak in value["leaks"]:
        leak["facts"] = dict(leak["facts"])
    return json.dumps(value, indent=2) + "\n"


def as_html(made: Report) -> str:
    """One file that needs no other."""
    return render_to_string(
        "memwatch/report.html", {"report": made, "heads": list(zip(made.leaks, map(_head, made.leaks), strict=True))}
    )


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "html": as_html,
}


def worst(leaks: Sequence[LeakFacts]) -> int:
    """The rank of the most severe, from 0 for low; -1 without leaks."""
    return max((SEVERITIES.index(leak.severity) for leak in leaks), default=-1)


def _head(leak: LeakFacts) -> str:
    name = leak.object_type if leak.kind == "objects" else f"{leak.kind} memory"
    return f"{leak.severity}: {name} in {leak.process or f'the service {leak.service}'}"


def _markdown(text: str) -> str:
    """Names of the host's classes are foreign text: neither markup nor HTML."""
    for mark in "\\`*_[]#|":
        text = text.replace(mark, f"\\{mark}")
    return escape(text).replace("\n", " ")
