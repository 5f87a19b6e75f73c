"""The census: how many gc-tracked objects of each type the process holds.

Where the compiled walk is there (:mod:`walk`), it counts a few thousand objects at a time and brings the big containers
along. The fallback lists all types in one C call, in which the interpreter cannot switch threads: the list of objects
must not outlive it, for it may hold the last reference to an object of the program, whose destructor would then run in
our thread.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections import Counter, _count_elements  # type: ignore[attr-defined]
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain, compress, islice
from operator import call, length_hint, not_
from types import BuiltinFunctionType

from memwatch.sampling import walk
from memwatch.sampling.atomic import breathe, uninterrupted
from memwatch.sampling.census.hashing import PlainHashes
from memwatch.sampling.container_scan import Look
from memwatch.sampling.type_names import TypeNames

SLICE = 32_768
"""Types counted in one C call: about a millisecond."""

OBSERVER = (
    *("memwatch.sampling.", "memwatch.records.", "memwatch.profiler.", "memwatch.agent.", "memwatch.transport."),
    "memwatch.diagnosis.",
)
"""Types of these modules are the observer's own: not counted."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """What one census has found."""

    total: int
    """gc-tracked objects, the observer's left out."""
    counts: dict[str, int]
    """The same by type name; types of the same name are summed."""
    pause_ms: float
    """How long the interpreter was held at a time, at most."""
    seen: Look | None = None
    """Big containers, where the census brings them along."""


def take_census(
    names: TypeNames,
    *,
    reserve: int = 0,
    last_cpu_ms: float = 0.0,
    hurry: int = 1,
    around: AbstractContextManager[object] | None = None,
    leaving: Callable[[], bool] = lambda: False,
    ready: Callable[[int], None] = lambda _objects: None,
) -> Census | None:
    """Count the process's objects by type; ``None`` when the walk was stopped or a collection did not end.

    ``reserve``: tuple iterators of the observer, left out. The rest: see :func:`memwatch.sampling.walk.walk_heap`.
    """
    if not walk.native():
        types, pause_ms = _types_of_tracked()
        return _census(_counted(types, names), names, total=len(types), reserve=reserve, pause_ms=pause_ms)
    try:
        walked = walk.walk_heap(last_cpu_ms=last_cpu_ms, hurry=hurry, around=around, leaving=leaving, ready=ready)
    except (InterruptedError, TimeoutError):
        return None
    names.forget_dead()
    names.learn(walked.types)
    by_id = dict(zip(map(id, walked.types), walked.counts, strict=True))
    return _census(by_id, names, total=walked.total, reserve=reserve, pause_ms=walked.seen.pause_ms, seen=walked.seen)


def _census(
    by_id: dict[int, int], names: TypeNames, *, total: int, reserve: int, pause_ms: float, seen: Look | None = None
) -> Census:
    counts: dict[str, int] = {}
    for key, count in by_id.items():
        if count:
            name = names[key]
            counts[name] = counts.get(name, 0) + count
    own = [name for name in counts if name.startswith(OBSERVER)]
    total -= reserve + sum(counts.pop(name) for name in own)
    if reserve:
        counts["tuple_iterator"] = counts.get("tuple_iterator", 0) - reserve
        if counts["tuple_iterator"] <= 0:
            del counts["tuple_iterator"]
    return Census(total=total, counts=counts, pause_ms=pause_ms, seen=seen)


def _types_of_tracked() -> tuple[list[type], float]:
    """The type of each tracked object, and how long the interpreter was held, in ms."""
    types: list[type] = []
    marks: list[float] = []
    breathe()
    uninterrupted(
        [
            partial(marks.extend, map(call, (time.thread_time,))),
            partial(types.extend, map(type, chain.from_iterable(map(gc.get_objects, (None,))))),
            partial(marks.extend, map(call, (time.thread_time,))),
        ]
    )
    return types, (marks[1] - marks[0]) * 1e3


def _counted(types: list[type], names: TypeNames) -> dict[int, int]:
    """Count by the address of the class, in slices between which other threads may run: no metaclass is asked."""
    names.forget_dead()
    by_type: Counter[type] = Counter()
    counted = _count_by_hash(types, by_type)
    names.learn(list(by_type))
    by_id = Counter(dict(zip(map(id, by_type), by_type.values(), strict=True)))
    remaining = islice(types, counted, None)
    for begin in range(counted, len(types), SLICE):
        before = len(by_id)
        by_id.update(map(id, islice(remaining, SLICE)))
        if len(by_id) > before:
            names.learn(types[begin : begin + SLICE])
    return by_id


def _count_by_hash(types: list[type], by_type: Counter[type]) -> int:
    """Count classes by their own hash, as far as no metaclass has another in mind; how many of ``types`` were counted.

    Twice as fast as by address. Whether a metaclass defines ``__hash__`` is asked within the call that would run it.
    """
    if not isinstance(_count_elements, BuiltinFunctionType):
        return 0
    hashes = PlainHashes()
    remaining = iter(types)
    counted = 0
    while counted < len(types):
        no_doubt = map(not_, map(any, (hashes.doubts(),)))
        part = chain.from_iterable(compress((islice(remaining, SLICE),), no_doubt))
        uninterrupted([partial(_count_elements, by_type, part)])
        del no_doubt, part
        if length_hint(remaining) == len(types) - counted:
            break
        counted = len(types) - length_hint(remaining)
    return counted
