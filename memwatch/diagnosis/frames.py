"""Local variables of the functions that threads are in: what only they refer to, no pass over the heap can see."""

from __future__ import annotations

import sys
from functools import partial
from inspect import CO_OPTIMIZED
from itertools import compress, repeat
from operator import attrgetter, eq
from types import FrameType
from typing import Any

from memwatch.diagnosis import reading
from memwatch.diagnosis.meter import Meter
from memwatch.sampling.names import clean
from memwatch.sampling.quiet import Step, uninterrupted

MOST_FRAMES = 2_000
_UNSHARED = 3
"""References to the dict of a frame's locals that only the frame, and we, refer to."""
_COPIES = sys.version_info < (3, 13)
"""Before Python 3.13 reading a frame's locals leaves copies of the references with the frame."""


def local_variables(wanted: frozenset[int], meter: Meter) -> dict[int, tuple[str, str]]:
    """``(local variable 'x' of f (file:line), thread name)`` by the id of what is wanted."""
    names = thread_names()
    frames: list[FrameType] = []
    of_thread: list[str] = []
    for ident, top in sys._current_frames().items():
        frame: FrameType | None = top
        while frame is not None and len(frames) < MOST_FRAMES:
            if not _is_own(frame):
                frames.append(frame)
                of_thread.append(names.get(ident, f"thread {ident}"))
            frame = frame.f_back
    found: list[list[tuple[Any, int]]] = []
    with meter.pausing():
        uninterrupted(_steps(frames, wanted, found))
    places: dict[int, tuple[str, str]] = {}
    for frame, thread, hits in zip(frames, of_thread, found, strict=True):
        for name, child in hits:
            where = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
            places.setdefault(child, (clean(f"local variable '{name}' of {where}"), clean(thread)))
    return places


def _steps(frames: list[FrameType], wanted: frozenset[int], found: list[list[tuple[Any, int]]]) -> list[Step]:
    """Read all locals, note names and ids, and take back the copies where nobody else can have seen them."""
    live: list[Any] = []
    copies: list[dict[str, Any]] = []
    cleared: list[None] = []
    optimized = [bool(frame.f_code.co_flags & CO_OPTIMIZED) for frame in frames]
    unshared = map(eq, map(sys.getrefcount, live), repeat(_UNSHARED))
    steps: list[Step] = [
        partial(live.extend, map(attrgetter("f_locals"), frames)),
        partial(copies.extend, map(dict, live)),
        partial(found.extend, map(reading.keys_of, copies, repeat(wanted))),
    ]
    if _COPIES:
        mine = compress(compress(live, unshared), optimized)
        steps.append(partial(cleared.extend, map(dict.clear, mine)))
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
