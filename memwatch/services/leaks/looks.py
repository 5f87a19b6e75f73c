"""A look into the heap before a leak is opened, and again before it is called high or critical.

A look is a recording of what refers to the suspected type. It shows what no curve can: garbage that waits for a
collection, a cache on its way to its bound, entries that expire, or the way from a root to the container that grows.
A process is looked at once an hour at most, and once more where entries should have expired by now. Where it cannot be
looked at, the curve decides.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.detection import Verdict
from memwatch.diagnosis.options import UNTRACKED
from memwatch.diagnosis.structure import evidence as heap_evidence
from memwatch.diagnosis.structure.expected_time import expected_s
from memwatch.models import Leak, Process, Recording, RecordingKind
from memwatch.queries.diagnosis.recordings import holder_of, number, rows
from memwatch.services import ActionRefused
from memwatch.services.leaks.judgement import Key
from memwatch.services.recordings import requests
from memwatch.transport import Hub

log = logging.getLogger("memwatch")

EVERY = timedelta(hours=1)
"""A process is looked at once in this time at most."""
STANDS_FOR = timedelta(hours=2)
"""What a look has shown holds until the next one has ended, and no longer than this."""
FILLED = 0.9
"""Growth that takes this share of its window may have begun before it."""
_NO_CONTAINER = "no container was seen to grow as the memory does"
_State = Recording.State


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What the heap says of a suspicion."""

    waits: bool = False
    """The look is under way, or about to be asked for."""
    acquits: str = ""
    """Why it is no leak, in a sentence."""
    evidence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The look, for the leak's evidence: ``{"recording", "at", "type"}``, and of ``{"finding", "held_by", "sure",
    "keeps", "error"}`` what there is."""
    recording: int | None = None
    outgrown: bool = False
    """Whether entries were expected to expire, and the growth is older than that explains."""


GO = Opinion()
"""Nothing is known of the heap: the curve decides."""


class Looks:
    """The looks of the last hours by process, and those that a run of detection wants."""

    def __init__(self, now: datetime, *, window: timedelta = EVERY, on: bool = True) -> None:
        """``window``: that of the series of an hour."""
        self._now, self._on = now, on
        self._windows = {"hour": window, "given": window, "day": timedelta(days=1), "week": timedelta(days=7)}
        self._wanted: dict[int, tuple[Process, dict[str, str]]] = {}
        self._made: dict[int, list[Recording]] = {}
        if on:
            made = Recording.objects.filter(look=True, requested_at__gt=now - STANDS_FOR).defer("result")
            for row in made.order_by("-pk"):
                self._made.setdefault(row.process_id, []).append(row)

    @classmethod
    def none(cls) -> Looks:
        """For processes that are not looked at."""
        return cls(datetime.now(UTC), on=False)

    def opinion(self, process: Process | None, key: Key, verdict: Verdict, *, wanted: bool = True) -> Opinion:
        """What is known. Where a look is ``wanted`` and may be made now, the run asks for it at its end."""
        options = _options(key, verdict)
        if not self._on or process is None or not options or not _can_be_looked_at(process):
            return GO
        every = self._made.get(process.pk, ())
        made = [row for row in every if all((row.options.get(name) or "") == value for name, value in options.items())]
        if not made and (part := self._of_part(every, process, verdict, wanted=wanted)) is not None:
            return part
        newest = made[0] if made else None
        if newest is not None and newest.is_pending:
            return Opinion(waits=wanted)
        opinion = None if newest is None else _opinion(newest, self._now, self._begin(process, verdict, made))
        again = opinion is not None and opinion.outgrown and len(self._recent(made)) == 1
        if wanted and (again or not self._recent(every)):
            self._wanted.setdefault(process.pk, (process, options))
        asked = self._wanted.get(process.pk)
        if opinion is not None and not again:
            return opinion
        waits = asked is not None and asked[1] == options
        return Opinion(waits=waits) if waits or opinion is None else opinion

    def _of_part(
        self, every: Iterable[Recording], process: Process, verdict: Verdict, *, wanted: bool
    ) -> Opinion | None:
        """What a look at a type that grows with it has shown, as long as the process is not looked at again.

        Which type leads changes while there are few points. A part that is no leak says nothing of the whole.
        """
        made = [row for row in self._recent(every) if row.options.get("type") in verdict.grows_with]
        if not made:
            return None
        if made[0].is_pending:
            return Opinion(waits=wanted)
        opinion = _opinion(made[0], self._now, self._begin(process, verdict, made))
        return None if opinion.acquits or "held_by" not in opinion.evidence else opinion

    def _recent(self, made: Iterable[Recording]) -> list[Recording]:
        return [row for row in made if self._now - row.requested_at < EVERY]

    def _begin(self, process: Process, verdict: Verdict, made: Iterable[Recording]) -> datetime:
        """When the growth began: with the process, where the window shows no beginning; before the first look."""
        began = verdict.started_at or process.started_at
        window = self._windows.get(verdict.window)
        if window is None or self._now - began >= FILLED * window:
            began = process.started_at
        return min([began, *(row.requested_at for row in made)])

    def belongs_to(self, leak: Leak, opinion: Opinion) -> None:
        """The leak's page shows the look, and what holds the objects, from the first moment."""
        if opinion.recording is not None:
            Recording.objects.filter(pk=opinion.recording, leak=None).update(leak=leak)

    def ask(self, hub: Hub | None = None) -> int:
        """Ask for the looks that are wanted, once the run is written; how many. A refusal is kept as a failed look."""
        asked = 0
        for process, options in self._wanted.values():
            try:
                given = {name: value for name, value in options.items() if value}
                requests.request(process, RecordingKind.REFERRERS, options=given, look=True, hub=hub, now=self._now)
                asked += 1
            except (ActionRefused, ValueError) as error:
                log.info("memwatch: %s could not be looked at: %s", process, error)
        self._wanted.clear()
        return asked


def kept_by_expiring(now: datetime) -> dict[int, dict[str, dict[str, int]]]:
    """By service and type, what its holder keeps alive, of the looks that met entries which expire and opened no leak.

    Such a type is no leak, and must not hide one that grows at the same rate.
    """
    found: dict[int, dict[str, dict[str, int]]] = {}
    looks = Recording.objects.filter(look=True, leak=None, state=_State.DONE, requested_at__gt=now - STANDS_FOR)
    shown = looks.order_by("pk").values_list(
        "process__service", "options__type", "result__expiring", "result__candidates"
    )
    for service, object_type, expiring, candidates in shown:
        if isinstance(expiring, Mapping) and (held := rows({"candidates": candidates}, "candidates")):
            found.setdefault(service, {})[object_type] = _keeps(held[0])
    return found


def _keeps(holder: Mapping[str, Any]) -> dict[str, int]:
    """Objects that it keeps alive, by type."""
    return {str(row.get("type")): int(number(row.get("count"))) for row in rows(holder, "keeps")}


def _can_be_looked_at(process: Process) -> bool:
    """Whether its agent knows how to: one that says how it counts objects does."""
    return bool(process.census_method) and process.is_alive and not process.outside


def _options(key: Key, verdict: Verdict) -> dict[str, str]:
    if key[0] == Leak.Kind.OBJECTS:
        return {"type": key[1]}
    if key[0] == Leak.Kind.UNTRACKED:
        container = verdict.container
        return {"type": UNTRACKED, "container": "" if container is None else container.name or container.address}
    return {}


def _opinion(look: Recording, now: datetime, began: datetime) -> Opinion:
    """Of a look that is over, for growth that ``began`` then."""
    at = look.requested_at.astimezone(UTC).isoformat()
    found: dict[str, Any] = {"recording": look.pk, "at": at, "type": look.object_type}
    result = look.result if look.state == _State.DONE else None
    if not isinstance(result, Mapping):
        error = look.error or f"the look was {look.get_state_display()}"
        return Opinion(evidence={**found, "error": error}, recording=look.pk)
    candidates = rows(result, "candidates")
    likeliest = candidates[0] if candidates else {}
    holder = holder_of(result)
    if look.options.get("type") == UNTRACKED and not look.options.get("container") and holder.get("sure") is not True:
        return Opinion(evidence={**found, "error": _NO_CONTAINER}, recording=look.pk)
    found |= {name: holder[name] for name in ("finding", "held_by", "sure") if name in holder}
    if keeps := _keeps(likeliest):
        found["keeps"] = keeps
    age_s = (now - began).total_seconds()
    expected = expected_s(result, (look.requested_at - began).total_seconds())
    if 0 < expected < age_s:
        found["finding"] = heap_evidence.finding(result, likeliest, grown_s=age_s)
    innocent = heap_evidence.acquits(result, likeliest) or age_s <= expected
    acquits = str(holder.get("finding") or "") if innocent else ""
    return Opinion(acquits=acquits, evidence=found, recording=look.pk, outgrown=0 < expected < age_s)
