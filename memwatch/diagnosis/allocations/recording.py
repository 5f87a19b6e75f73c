"""Where memory is allocated that stays: tracemalloc, started late, for a time, within a bound.

While it traces, every allocation of the process costs several times as much. It sees only what is allocated in that
time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from memwatch.diagnosis.allocations import sites, traced
from memwatch.diagnosis.allocations.result import Allocations, Site
from memwatch.diagnosis.allocations.sites import Frames, Sizes
from memwatch.diagnosis.allocations.tracebacks import reader_of
from memwatch.diagnosis.allocations.tracers import memray_tracks
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import memory_headroom
from memwatch.diagnosis.copy.parent import ASLEEP_S, Harmed, NotForked, impossible, in_child
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import instances, walk
from memwatch.diagnosis.heap.big_containers import Objects, of_types
from memwatch.diagnosis.options import MAX_FRAMES, AllocationsOptions
from memwatch.diagnosis.pace import pace_of
from memwatch.records import MB
from memwatch.sampling.atomic import Step

POLL_S = 0.2
MOST_TABLES_MB = 12.0
"""What tracemalloc may need for itself: about 250,000 blocks, so that a snapshot, one pause, stays short."""
_MOST_TRACED_INSTANCES = 50_000
_NEWEST = 1_000_000
"""Objects to search for instances allocated during the recording: new ones are at the end of the heap."""
CALLERS_S = 6.0
"""How long it goes on with deep stacks where a library's line allocates: these cost several times as much."""

_WITHOUT_INSTANCES = (*instances.UNTRACKED_TYPES, "untracked", "native")
_NONE_ALLOCATED = "No instance of {} was allocated during the recording and is still alive."

_SOON_S = 0.5
"""A copy that sleeps is replaced by another one so long after :data:`ASLEEP_S`."""
_tracing_in = 0
"""The process in which a recording traces now."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Traced:
    """What one stretch of tracing has seen."""

    sizes: Sizes
    of_type: dict[Frames, int]
    """Instances of the type by the frames that allocated them."""
    bytes: int
    seconds: float
    middle: Sizes
    """Median sizes; empty if they were not measured."""
    middle_s: float


class AllocationsRecording:
    """Traces, takes one snapshot in the middle and one at the end, stops, and only then counts."""

    def __init__(self, asked: AllocationsOptions, host: Host) -> None:
        import _tracemalloc  # noqa: PLC0415 - only where it is asked for

        if _tracemalloc.is_tracing():
            raise Refused(
                "tracemalloc is tracing already (PYTHONTRACEMALLOC, -X tracemalloc, or the program itself): "
                "its traces would be lost; stop it there first"
            )
        if memray_tracks():
            raise Refused("memray is tracking this process, and tracemalloc and it exclude each other: stop it first")
        self.needs_mb = asked.max_traced_mb + MOST_TABLES_MB + host.listing_mb
        self._asked = asked
        self._host = host
        self._notes: list[str] = []
        self._without_instance = ""
        self._pace = pace_of(host)

    def run(self, meter: Meter) -> Generator[float, None, Allocations]:
        """Yields seconds to wait; returns the result. However it ends, tracing is off afterwards."""
        classes: tuple[type, ...] = ()
        if impossible():  # before it traces: then our own look would cost several times as much, and the host with it
            classes = yield from self._classes(meter)
        yield from self._pace.look_before(meter)
        seen = yield from self._traced(self._asked.frames, self._asked.duration_s, classes, meter)
        grown = sites.grown_since(seen.middle, seen.sizes)
        minutes = (seen.seconds - seen.middle_s) / 60
        found = sites.listed(seen.sizes, grown, minutes, seen.of_type, self._asked.type)
        seconds, traced_mb = round(seen.seconds, 2), round(seen.bytes / MB, 2)
        del seen, grown  # a second one may follow
        if self._asked.callers and (lines := sites.to_be_asked(found)):
            found = yield from self._with_callers(found, lines, classes, meter)
        return Allocations(
            seconds=seconds,
            traced_mb=traced_mb,
            frames=self._asked.frames,
            sites=found,
            notes=tuple(self._notes),
        )

    def _with_callers(
        self,
        found: tuple[Site, ...],
        lines: frozenset[tuple[str, int]],
        classes: tuple[type, ...],
        meter: Meter,
    ) -> Generator[float, None, tuple[Site, ...]]:
        """A library's line allocates: for some seconds, with deep stacks, who of the program's own calls it."""
        notes = tuple(self._notes)  # what this second look notes is about itself
        try:
            seen = yield from self._traced(MAX_FRAMES, min(CALLERS_S, self._asked.duration_s), classes, meter)
        except Refused as reason:
            self._notes = [*notes, f"Who calls the library was not looked for: {reason}"]
            return found
        self._notes = list(notes)
        of_instances = {frames[0] for frames in seen.of_type}
        weights = {frames: entry[0] for frames, entry in seen.sizes.items() if frames[0] not in of_instances}
        weights |= seen.of_type
        return sites.with_callers(found, lines, weights)

    def _traced(
        self, frames: int, duration_s: float, classes: tuple[type, ...], meter: Meter
    ) -> Generator[float, None, _Traced]:
        """Trace for so long. However it ends, tracing is off afterwards."""
        global _tracing_in  # noqa: PLW0603 - one recording a process
        import tracemalloc  # noqa: PLC0415

        if tracemalloc.is_tracing():
            raise Refused("the program started tracemalloc itself: its traces are left alone")
        pid = os.getpid()
        self._pace.begin()
        tracemalloc.start(frames)
        _tracing_in = pid
        try:
            began = meter.elapsed_s
            middle, middle_s = yield from self._trace(duration_s, meter, halves=frames == self._asked.frames)
            size, seconds = tracemalloc.get_traced_memory()[0], meter.elapsed_s - began
            sizes, of_type = yield from self._added_up(meter, classes)
        finally:
            if os.getpid() == pid:
                _stop()
        return _Traced(sizes=sizes, of_type=of_type, bytes=size, seconds=seconds, middle=middle, middle_s=middle_s)

    def _added_up(
        self, meter: Meter, classes: tuple[type, ...] | None = None
    ) -> Generator[float, None, tuple[Sizes, dict[Frames, int]]]:
        """Sizes by frames, and instances of the type, where their classes are asked for: in a copy, else here."""
        import tracemalloc  # noqa: PLC0415

        name = self._asked.type or ""
        of_type: dict[Frames, int] = {}
        wanted = name if classes is not None and name not in _WITHOUT_INSTANCES else ""
        try:
            copied = in_child(lambda: traced.added_up(wanted, ended=not _tracing_in), self._host, meter)
            content = yield from _answered(copied, meter, stops=classes is not None)
        except NotForked as reason:
            if wanted and isinstance(reason, Harmed):
                self._notes.append(f"No site is marked: {reason}.")
            elif wanted:
                of_type = yield from self._traced_instances(classes or (), meter)
            if not tracemalloc.is_tracing():
                raise Refused(traced.STOPPED if _tracing_in else f"{reason}; record again later") from None
            with meter.pausing():
                traces = _traces()
            sizes = yield from sites.by_frames(traces)
            return sizes, of_type
        sizes, of_type, none = traced.taken_apart(content)
        if none:
            self._notes.append(f"No site is marked: {none}.")
        elif wanted and not of_type:
            self._notes.append(_NONE_ALLOCATED.format(name))
        return sizes, of_type

    def _trace(self, duration_s: float, meter: Meter, *, halves: bool) -> Generator[float, None, tuple[Sizes, float]]:
        """Wait until the time or the room is used up; with ``halves`` the sizes in the middle, and when that was."""
        began, middle, middle_s = meter.elapsed_s, Sizes(), 0.0
        looking: Generator[float, None, tuple[Sizes, dict[Frames, int]]] | None = None
        while (elapsed := meter.elapsed_s - began) < duration_s:
            reason = self._limit_reached()
            if reason:
                self._notes.append(f"It was ended after {elapsed:.1f} s: {reason}.")
                break
            wait_s = POLL_S
            if halves and not middle_s and elapsed >= duration_s / 2:
                looking, middle_s = self._added_up(meter), elapsed
            if looking is not None:
                try:
                    wait_s = next(looking)
                except StopIteration as end:
                    looking, (middle, _) = None, end.value
            yield min(wait_s, max(0.0, duration_s - elapsed))
        if looking is not None:
            looking.close()
        return middle, middle_s if middle else 0.0

    def _limit_reached(self) -> str | None:
        import tracemalloc  # noqa: PLC0415

        if slow := self._pace.too_slow():
            return slow
        size = tracemalloc.get_traced_memory()[0] / MB
        if size > self._asked.max_traced_mb:
            return f"{size:.0f} MB were traced, {self._asked.max_traced_mb:g} are allowed"
        tables = tracemalloc.get_tracemalloc_memory() / MB
        if tables > MOST_TABLES_MB:
            return f"the traces took {tables:.0f} MB themselves, {MOST_TABLES_MB:g} are allowed"
        return memory_headroom.refusal(0, heap_limit_mb=self._host.heap_limit_mb)

    def _classes(self, meter: Meter) -> Generator[float, None, tuple[type, ...]]:
        """Those of the type's name that have instances; where there is none, it is noted why."""
        name = self._asked.type
        if not name or name in _WITHOUT_INSTANCES:
            return ()
        try:
            walk.refuse_large(self._host, meter, "a copy of it cannot be had")
            found = yield from instances.find(name, self._host, meter, most=1)
        except Refused as nothing:
            self._without_instance = f"No site is marked: {nothing}."
            return ()
        self._without_instance = ""
        return found.classes

    def _traced_instances(self, classes: tuple[type, ...], meter: Meter) -> Generator[float, None, dict[Frames, int]]:
        """How many instances of the type were allocated by which frames, as far as they were traced."""
        name = self._asked.type
        classes = classes or (yield from self._classes(meter))
        if not classes:
            self._notes += filter(None, (self._without_instance,))
            return {}
        type_ids, read = frozenset(map(id, classes)), reader_of(classes)
        tracebacks: list[Any] = []

        def gather(objects: Objects, _size: int) -> list[Step]:
            seen = filter(None, read(of_types(type_ids, objects)))
            return [partial(tracebacks.extend, islice(seen, _MOST_TRACED_INSTANCES))]

        yield from walk.walk(self._host, meter, gather, parts=walk.SEARCH_PARTS, newest=_NEWEST)
        counts: dict[Frames, int] = {}
        for frames in tracebacks:
            counts[frames] = counts.get(frames, 0) + 1
        if not counts:
            self._notes.append(_NONE_ALLOCATED.format(name))
        return counts


def _answered(copied: Generator[float, None, bytes], meter: Meter, *, stops: bool) -> Generator[float, None, bytes]:
    """What the copy says. ``stops``: tracing ends once the copy has it all, and no other one has to be made."""
    began = meter.elapsed_s
    try:
        while True:
            wait_s = next(copied)
            if stops and meter.elapsed_s - began > ASLEEP_S + _SOON_S:
                _stop()
                stops = False
            yield wait_s
    except StopIteration as end:
        answer: bytes = end.value
        if stops:
            _stop()
        return answer


def _traces() -> Sequence[Any]:
    import _tracemalloc  # noqa: PLC0415

    return _tracemalloc._get_traces()


def _stop() -> None:
    global _tracing_in  # noqa: PLW0603 - one recording a process
    import tracemalloc  # noqa: PLC0415

    _tracing_in = 0
    tracemalloc.stop()


def _stop_in_child() -> None:
    """What the parent traces is the parent's: the child does not pay for it."""
    if _tracing_in:
        _stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_in_child)
