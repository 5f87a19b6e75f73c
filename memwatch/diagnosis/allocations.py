"""Where memory is allocated that stays: tracemalloc, started late, for a time, within a bound.

While it traces, every allocation of the process costs several times as much. Only what is allocated meanwhile is seen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from memwatch.diagnosis import heap, population, results, room
from memwatch.diagnosis.big_containers import Objects, of_types
from memwatch.diagnosis.host import Host, Refused
from memwatch.diagnosis.meter import Meter
from memwatch.diagnosis.options import AllocationsOptions
from memwatch.diagnosis.sources import Sources
from memwatch.diagnosis.tracebacks import reader_of
from memwatch.figures import MB
from memwatch.sampling.names import clean, type_name
from memwatch.sampling.quiet import Step

MOST_SITES = 40
POLL_S = 0.2
MOST_TABLES_MB = 12.0
"""What tracemalloc may need for itself: about 250,000 blocks, so that a snapshot, one pause, stays short."""
_MOST_TRACED_INSTANCES = 50_000
_NEWEST = 1_000_000
"""Objects among which instances are looked for that were allocated meanwhile: new ones come at the end of the heap."""
_OUR_FOLDERS = tuple(
    f"{Path(__file__).parents[1] / name}{os.sep}" for name in ("agent", "diagnosis", "sampling", "transport")
)
_SLICE = 20_000
_LEAST_SHARE = 0.001
"""Of all that was traced: sites with less are left out."""

Frames = tuple[tuple[str, int], ...]
"""``(file, line)`` of an allocation, the innermost first."""
Sizes = dict[Frames, list[int]]
"""``[bytes, blocks]`` by the frames that allocated them."""

_tracing_in = 0
"""The process in which a recording traces now."""


class AllocationsRecording:
    """Traces, takes one snapshot in the middle and one at the end, stops, and only then counts."""

    def __init__(self, asked: AllocationsOptions, host: Host) -> None:
        import _tracemalloc  # noqa: PLC0415 - only where it is asked for

        if _tracemalloc.is_tracing():
            raise Refused(
                "tracemalloc is tracing already (PYTHONTRACEMALLOC, -X tracemalloc, or the program itself): "
                "its traces would be lost; stop it there first"
            )
        if _memray_tracks():
            raise Refused("memray is tracking this process, and tracemalloc and it exclude each other: stop it first")
        self.needs_mb = asked.max_traced_mb + MOST_TABLES_MB + host.listing_mb
        self._asked = asked
        self._host = host
        self._notes: list[str] = []
        self._without_instance = ""

    def run(self, meter: Meter) -> Generator[float, None, results.Allocations]:
        """Yields seconds to wait; returns the result. However it ends, tracing is off afterwards."""
        global _tracing_in  # noqa: PLW0603 - one recording a process
        import tracemalloc  # noqa: PLC0415

        # Before it traces: then our own look would cost several times as much, and the host with it.
        classes = yield from self._classes(meter)
        if tracemalloc.is_tracing():
            raise Refused("tracemalloc was started by the program meanwhile: its traces are left alone")
        pid = os.getpid()
        tracemalloc.start(self._asked.frames)
        _tracing_in = pid
        try:
            began = meter.elapsed_s
            middle, middle_s = yield from self._trace(meter)
            of_type = yield from self._traced_instances(classes, meter)
            if not tracemalloc.is_tracing():
                raise Refused("tracemalloc was stopped by the program during the recording: nothing is left to show")
            traced, seconds = tracemalloc.get_traced_memory()[0], meter.elapsed_s - began
            with meter.pausing():
                traces = _traces()
        finally:
            if os.getpid() == pid:
                _stop()
        sizes = yield from _by_frames(traces)
        grown = _grown(sizes, middle)
        seconds_grown = seconds - middle_s
        return results.Allocations(
            seconds=round(seconds, 2),
            traced_mb=round(traced / MB, 2),
            frames=self._asked.frames,
            sites=_sites(sizes, grown, seconds_grown / 60, of_type, self._asked),
            notes=tuple(self._notes),
        )

    def _trace(self, meter: Meter) -> Generator[float, None, tuple[Sizes, float]]:
        """Wait until the time or the room is used up; the sizes in the middle, and when that was."""
        began, middle, middle_s = meter.elapsed_s, Sizes(), 0.0
        while (elapsed := meter.elapsed_s - began) < self._asked.duration_s:
            reason = self._limit_reached()
            if reason:
                self._notes.append(f"It was ended after {elapsed:.1f} s: {reason}.")
                break
            if not middle_s and elapsed >= self._asked.duration_s / 2:
                with meter.pausing():
                    traces = _traces()
                middle_s = elapsed
                middle = yield from _by_frames(traces)
            yield min(POLL_S, max(0.0, self._asked.duration_s - elapsed))
        return middle, middle_s

    def _limit_reached(self) -> str | None:
        import tracemalloc  # noqa: PLC0415

        traced = tracemalloc.get_traced_memory()[0] / MB
        if traced > self._asked.max_traced_mb:
            return f"{traced:.0f} MB were traced, {self._asked.max_traced_mb:g} are allowed"
        tables = tracemalloc.get_tracemalloc_memory() / MB
        if tables > MOST_TABLES_MB:
            return f"the traces took {tables:.0f} MB themselves, {MOST_TABLES_MB:g} are allowed"
        return room.refusal(0, heap_limit_mb=self._host.heap_limit_mb)

    def _classes(self, meter: Meter) -> Generator[float, None, tuple[type, ...]]:
        """Those of the type's name that have instances; where there is none, it is noted why."""
        name = self._asked.type
        if not name or name in (*population.UNTRACKED_TYPES, "untracked", "native", "fragmentation"):
            return ()
        try:
            found = yield from population.find(name, meter, most=1)
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

        yield from heap.walk(meter, gather, parts=heap.SEARCH_PARTS, newest=_NEWEST)
        counts: dict[Frames, int] = {}
        for frames in tracebacks:
            counts[frames] = counts.get(frames, 0) + 1
        if not counts:
            self._notes.append(f"No instance of {name} was allocated during the recording and is still alive.")
        return counts


def _memray_tracks() -> bool:
    """While it tracks, new threads begin with a function of its own, written in Cython; no other one is asked."""
    threading = sys.modules.get("threading")
    profile = None if "memray" not in sys.modules or threading is None else threading.getprofile()
    in_cython = type_name(type(profile)).endswith(".cython_function_or_method")
    return in_cython and str(profile.__module__).startswith("memray")


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


def _by_frames(traces: Sequence[Any]) -> Generator[float, None, Sizes]:
    """Add up the traces, in slices between which other threads run; our own allocations are left out."""
    sizes: Sizes = {}
    for start in range(0, len(traces), _SLICE):
        for _domain, size, frames, *_cut in traces[start : start + _SLICE]:
            entry = sizes.get(frames)
            if entry is None:
                sizes[frames] = [size, 1]
            else:
                entry[0] += size
                entry[1] += 1
        yield 0.001
    return {frames: entry for frames, entry in sizes.items() if not _is_ours(frames)}


def _is_ours(frames: Frames) -> bool:
    return any(file.startswith(_OUR_FOLDERS) for file, _line in frames)


def _grown(sizes: Sizes, middle: Sizes) -> dict[Frames, int]:
    """Bytes more than in the middle."""
    nothing = [0, 0]
    return {frames: entry[0] - middle.get(frames, nothing)[0] for frames, entry in sizes.items()}


def _sites(
    sizes: Sizes, grown: dict[Frames, int], minutes: float, of_type: dict[Frames, int], asked: AllocationsOptions
) -> tuple[results.Site, ...]:
    """The sites that grew most; those of the type asked for are never left out."""
    sources = Sources()
    least = _LEAST_SHARE * sum(entry[0] for entry in sizes.values())
    ordered = sorted(sizes, key=lambda frames: (grown[frames], sizes[frames][0]), reverse=True)
    chosen = [frames for frames in ordered if sizes[frames][0] >= least][:MOST_SITES]
    chosen += [frames for frames in ordered if frames in of_type and frames not in chosen][:10]
    found = []
    for frames in chosen:
        file, line = frames[0]
        function = sources.function(file, line)
        found.append(
            results.Site(
                file=clean(file),
                line=line,
                function=function,
                size_kb=round(sizes[frames][0] / 1024, 1),
                count=sizes[frames][1],
                size_growth_kb_per_min=round(grown[frames] / 1024 / max(minutes, 1e-3), 1),
                code=sources.code(file, line),
                traceback=tuple(clean(f"{caller}:{number}") for caller, number in frames[1:]),
                of_type=frames in of_type or _makes(function, asked.type),
            )
        )
    return tuple(found)


def _makes(function: str, type_name: str | None) -> bool:
    """Whether the function is the type's ``__init__`` or ``__new__``."""
    owner, _, method = function.rpartition(".")
    return bool(type_name and owner and method in ("__init__", "__new__") and f".{type_name}".endswith(f".{owner}"))
