"""The container that grew between two looks, of all that a copy of the process can see.

The collector does not track a dict of texts or a bytearray, so that no census meets one. Here they are found through
the objects that refer to them: on an attribute, in another container, within an object of an extension.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.diagnosis.heap import introspection
from memwatch.sampling.module_names import module_level_names
from memwatch.sampling.type_names import type_name

ENTRIES = 250
"""Shorter ones are not looked at."""
MOST = 5_000
"""Containers that are remembered from one look to the next, the longest first."""
LEAST_GROWTH = 1
BLOCKS_EACH = 10
"""Blocks of memory that an entry takes, at most: with more, the container does not explain the growth."""
_HIDDEN: tuple[type, ...] = (dict, bytearray)
_AT_ONCE = 2_000
NONE_GREW = (
    f"Between the two looks no list, dict, set, tuple, deque or bytearray of {ENTRIES} entries and more has grown. "
    "Record once more while the program has more to do; or record a heap summary, which says which mappings grow."
)
_OWN = ("memwatch.", "sys.")
_TRIED = 20


def containers() -> dict[int, Any]:
    """All of :data:`ENTRIES` entries and more, by id; at most :data:`MOST`, the longest."""
    found = sorted(_all(), key=lambda each: -each[1])[:MOST]
    return {id(item): item for item, _length in found}


def _all() -> Iterator[tuple[Any, int]]:
    objects = gc.get_objects()
    readers: dict[int, Any] = {}
    for item in objects:
        kind = type(item)
        key = id(kind)
        if key not in readers:
            readers[key] = introspection.length_reader(kind)
        read = readers[key]
        length = 0 if read is None or item is objects else read(item)
        if length >= ENTRIES and not introspection.is_interned_table(item):
            yield item, length
    seen: set[int] = set()
    for start in range(0, len(objects), _AT_ONCE):
        for item in gc.get_referents(*objects[start : start + _AT_ONCE]):
            if type(item) in _HIDDEN and len(item) >= ENTRIES and not gc.is_tracked(item) and id(item) not in seen:
                seen.add(id(item))
                yield item, len(item)


def lengths(found: Mapping[int, Any]) -> list[tuple[int, str, int]]:
    """Id, type and entries of each: what one look leaves for the next."""
    return [(key, type_name(type(item)), introspection.length(item) or 0) for key, item in found.items()]


def that_grew(
    found: Mapping[int, Any], before: Mapping[int, tuple[str, int]], *, least: int = LEAST_GROWTH
) -> Any | None:
    """The one with most new entries of those that were there before; ``None`` where none has as many as ``least``.

    What is new itself, the rows of a request say, has not been seen to grow.
    """
    grown = {
        key: length - before[key][1]
        for key, kind, length in lengths(found)
        if key in before and before[key][0] == kind and length - before[key][1] >= least
    }
    most = sorted(grown, key=grown.__getitem__, reverse=True)[:_TRIED]
    names = module_level_names(most)
    return next((found[key] for key in most if not names.get(key, "").startswith(_OWN)), None)


def explains(grew: int, blocks: int | None) -> bool:
    """Whether so many new entries explain so many new blocks of memory; yes where these are not known."""
    return grew > 0 and (blocks is None or grew * BLOCKS_EACH >= blocks)
