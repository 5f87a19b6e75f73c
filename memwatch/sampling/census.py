"""The census: how many gc-tracked objects of each type the process holds.

The list of objects must not outlive one C call: otherwise it may hold the last reference to an object of the host,
whose destructor would then run in our thread. So the objects become their types inside uninterrupted C calls (see
:mod:`tracked`); the types are counted afterwards, in slices between which other threads may run.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, _count_elements  # type: ignore[attr-defined]
from functools import partial
from itertools import chain, compress, islice
from operator import length_hint, not_
from types import BuiltinFunctionType

from memwatch.sampling.hashing import PlainHashes
from memwatch.sampling.names import TypeNames
from memwatch.sampling.quiet import uninterrupted
from memwatch.sampling.tracked import types_of_tracked

SLICE = 32_768
"""Types counted in one C call: about a millisecond."""

OBSERVER = (
    *("memwatch.sampling.", "memwatch.figures.", "memwatch.profiler.", "memwatch.agent.", "memwatch.transport."),
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


def take_census(names: TypeNames, *, reserve: int = 0, expected: int = 0) -> Census:
    """Count the process's objects by type.

    ``reserve``: tuple iterators of the observer, left out. ``expected``: how many objects the census before has found.
    """
    types, pause_ms = types_of_tracked(expected)
    total = len(types)
    known = names.known()
    by_type: Counter[type] = Counter()
    counted = _count_by_type(types, by_type)
    names.learn(list(by_type))
    by_id = Counter(known | dict(zip(map(id, by_type), by_type.values(), strict=True)))
    _count_by_id(types, counted, by_id, names)
    del by_type, types
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
    return Census(total=total, counts=counts, pause_ms=pause_ms)


def _count_by_type(types: list[type], by_type: Counter[type]) -> int:
    """Count classes by their own hash, as far as no metaclass has another in mind; how many of ``types`` were counted.

    Twice as fast as by ``id``. Whether a metaclass defines ``__hash__`` is asked within the call that would run it.
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


def _count_by_id(types: list[type], start: int, by_id: Counter[int], names: TypeNames) -> None:
    """Count ``types`` from ``start`` on by the address of the class, which asks nobody."""
    remaining = islice(types, start, None)
    for begin in range(start, len(types), SLICE):
        before = len(by_id)
        by_id.update(map(id, islice(remaining, SLICE)))
        if len(by_id) > before:
            names.learn(types[begin : begin + SLICE])
