"""Local variables of the functions that threads are in: what only they refer to, no pass over the heap can see."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from inspect import CO_OPTIMIZED
from itertools import compress, repeat
from operator import and_, attrgetter, eq
from types import FrameType
from typing import Any

from memwatch.diagnosis import reading
from memwatch.diagnosis.hands import held
from memwatch.diagnosis.host import Host
from memwatch.diagnosis.meter import Meter
from memwatch.sampling.names import clean
from memwatch.sampling.quiet import Step, uninterrupted

MOST_FRAMES = 2_000
_UNSHARED = 3
"""References to the dict of a frame's locals that only the frame, and we, refer to."""
_COPIES = sys.version_info < (3, 13)
"""Before Python 3.13 reading a frame's locals leaves copies of the references with the frame."""


def local_variables(wanted: frozenset[int], host: Host, meter: Meter) -> dict[int, tuple[str, str]]:
    """``(local variable 'x' of f (file:line), thread name)`` by the id of what is wanted."""
    names = thread_names()
    of_thread: list[str] = []
    hits: list[list[tuple[Any, int]]] = []
    places: dict[int, tuple[str, str]] = {}
    with held(host) as frames:
        _gather(frames, of_thread, names)
        optimized = [bool(frame.f_code.co_flags & CO_OPTIMIZED) for frame in frames]
        with meter.pausing():
            uninterrupted(_steps(frames, optimized, wanted, hits))
        for number, found in enumerate(hits):
            for name, child in found:
                where = _where(frames[number])
                place = (clean(f"local variable '{name}' of {where}"), clean(of_thread[number]))
                places.setdefault(child, place)
    return places


def _gather(frames: list[Any], of_thread: list[str], names: dict[int, str]) -> None:
    """Every thread's frames, ours left out."""
    for ident, top in sys._current_frames().items():
        frame: FrameType | None = top
        while frame is not None and len(frames) < MOST_FRAMES:
            frames.append(frame)
            of_thread.append(names.get(ident, f"thread {ident}"))
            if _is_own(frame):
                frames.pop()
                of_thread.pop()
            frame = frame.f_back


def _where(frame: FrameType) -> str:
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"


def _steps(
    frames: list[Any], optimized: list[bool], wanted: frozenset[int], hits: list[list[tuple[Any, int]]]
) -> list[Step]:
    """Read all locals, note names and ids, and take back the copies where nobody else can have seen them."""
    live: list[Any] = []
    copies: list[dict[str, Any]] = []
    counts: list[int] = []
    cleared: list[None] = []

    def ids() -> Iterator[Iterator[int]]:
        return map(map, repeat(id), map(dict.values, copies))

    named = map(zip, map(dict.keys, copies), ids())
    steps: list[Step] = [
        partial(live.extend, map(attrgetter("f_locals"), frames)),
        partial(copies.extend, map(dict, live)),
        partial(hits.extend, map(list, map(compress, named, map(map, repeat(wanted.__contains__), ids())))),
        partial(counts.extend, map(sys.getrefcount, live)),
    ]
    if _COPIES:
        unshared = map(eq, counts, repeat(_UNSHARED))
        steps.append(partial(cleared.extend, map(dict.clear, compress(live, map(and_, unshared, optimized)))))
    return [*steps, copies.clear, live.clear]


def _is_own(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return type(name) is str and name.startswith("memwatch.")


def thread_names() -> dict[int, str]:
    """What threads are called, by their identifier."""
    threading = sys.modules.get("threading")
    active = {} if threading is None else dict(getattr(threading, "_active", {}))
    return {
        ident: name if type(name := reading.attribute(thread, "_name")) is str else "?"
        for ident, thread in active.items()
    }
