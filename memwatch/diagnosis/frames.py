"""Local variables of the functions that threads are in: what only they refer to, no pass over the heap can see."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from inspect import CO_OPTIMIZED
from itertools import compress, repeat
from operator import and_, attrgetter, call, eq
from types import FrameType
from typing import Any

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap.borrowed import held
from memwatch.diagnosis.heap.references import Start
from memwatch.sampling.atomic import Step, uninterrupted
from memwatch.sampling.type_names import clean

MOST_FRAMES = 2_000
_UNSHARED = 3
"""References to the dict of a frame's locals that only the frame, and we, refer to."""
_COPIES = sys.version_info < (3, 13)
"""Before Python 3.13 reading a frame's locals leaves copies of the references with the frame."""
_locals_of, _globals_of = attrgetter("f_locals"), attrgetter("f_globals")


def local_variables(wanted: frozenset[int], host: Host, meter: Meter) -> dict[int, Start]:
    """By the id of what is wanted."""
    of_thread: list[str] = []
    hits: list[list[tuple[Any, int]]] = []
    places: dict[int, Start] = {}
    with held(host) as frames:
        _gather(frames, of_thread)
        with meter.pausing():
            uninterrupted(_steps(frames, wanted, hits))
        for number, found in enumerate(hits):
            for name, child in found:
                code, line = frames[number].f_code, frames[number].f_lineno or 0
                start = Start(clean(name), clean(code.co_qualname), clean(code.co_filename), line, of_thread[number])
                places.setdefault(child, start)
    return places


def variables(frame: FrameType, wanted: frozenset[int]) -> list[tuple[Any, int]]:
    """``(name, id)`` of those local variables of one frame, which the caller holds, whose values are wanted."""
    hits: list[list[tuple[Any, int]]] = []
    if _is_readable(frame):
        uninterrupted(_steps([frame], wanted, hits))
    return [found for each in hits for found in each]


def _gather(frames: list[Any], of_thread: list[str]) -> None:
    for frame, thread in running(MOST_FRAMES):
        if _is_readable(frame):
            frames.append(frame)
            of_thread.append(clean(thread))


def running(most: int) -> Iterator[tuple[FrameType, str]]:
    """The frames of all threads, with the name of the thread; ours left out."""
    names = thread_names()
    number = 0
    for ident, top in sys._current_frames().items():
        frame: FrameType | None = top
        while frame is not None and number < most:
            number += 1
            if not is_own(frame):
                yield frame, names.get(ident, f"thread {ident}")
            frame = frame.f_back


def _is_readable(frame: FrameType) -> bool:
    """Whether its variables can be read in C alone.

    Those of a function can. The body of a class, and what ``exec`` runs, may have a mapping written in Python for its
    locals, which is not to be asked: of a module's code the globals are read instead, the same dict but for ``exec``.
    """
    return _is_of_function(frame) or (frame.f_code.co_name == "<module>" and type(frame.f_globals) is dict)


def _is_of_function(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & CO_OPTIMIZED)


def _steps(frames: list[Any], wanted: frozenset[int], hits: list[list[tuple[Any, int]]]) -> list[Step]:
    """Read all locals, note names and ids, and take back the copies that no other code can have seen."""
    of_functions = list(map(_is_of_function, frames))
    readers = [_locals_of if of_function else _globals_of for of_function in of_functions]
    live: list[Any] = []
    copies: list[dict[str, Any]] = []
    counts: list[int] = []
    cleared: list[None] = []

    def ids() -> Iterator[Iterator[int]]:
        return map(map, repeat(id), map(dict.values, copies))

    named = map(zip, map(dict.keys, copies), ids())
    steps: list[Step] = [
        partial(live.extend, map(call, readers, frames)),
        partial(copies.extend, map(dict, live)),
        partial(hits.extend, map(list, map(compress, named, map(map, repeat(wanted.__contains__), ids())))),
        partial(counts.extend, map(sys.getrefcount, live)),
    ]
    if _COPIES:
        unshared = map(eq, counts, repeat(_UNSHARED))
        steps.append(partial(cleared.extend, map(dict.clear, compress(live, map(and_, unshared, of_functions)))))
    return [*steps, copies.clear, live.clear]


def is_own(frame: FrameType) -> bool:
    """Whether it runs code of this package."""
    name = introspection.entry(frame.f_globals, "__name__")
    return type(name) is str and name.startswith("memwatch.")


def thread_names() -> dict[int, str]:
    """What threads are called, by their identifier."""
    threading = introspection.entry(sys.modules, "threading")
    active = {} if threading is None else dict(getattr(threading, "_active", {}))
    return {
        ident: name if type(name := introspection.attribute(thread, "_name")) is str else "?"
        for ident, thread in active.items()
    }
