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
LEAST_GROWTH = 3
BLOCKS_EACH = 10
"""Blocks of memory that an entry takes, at most: with more, the container does not explain the growth."""
_HIDDEN: tuple[type, ...] = (dict, bytearray)
_AT_ONCE = 2_000
NONE_GREW = (
    f"No list, dict, set, tuple, deque or bytearray of {ENTRIES} entries has grown between the two looks: extension "
    "modules may hold the memory. Record a heap summary, or a flame graph with native frames."
)
_OWN = ("memwatch.", "sys.")
_TRIED = 20


def containers() -> dict[int, Any]:
    """All of :data:`ENTRIES` entries and more, by id."""
    return dict(sorted(_all(), key=lambda item: -(introspection.length(item[1]) or 0))[:MOST])


def _all() -> Iterator[tuple[int, Any]]:
    objects = gc.get_objects()
    for item in objects:
        if _is_big(item) and item is not objects:
            yield id(item), item
    seen: set[int] = set()
    for start in range(0, len(objects), _AT_ONCE):
        for item in gc.get_referents(*objects[start : start + _AT_ONCE]):
            if type(item) in _HIDDEN and id(item) not in seen and not gc.is_tracked(item) and _is_big(item):
                seen.add(id(item))
                yield id(item), item


def _is_big(item: Any) -> bool:
    return (introspection.length(item) or 0) >= ENTRIES


def lengths(found: Mapping[int, Any]) -> list[tuple[int, str, int]]:
    """Id, type and entries of each: what one look leaves for the next."""
    return [(key, type_name(type(item)), introspection.length(item) or 0) for key, item in found.items()]


def that_grew(
    found: Mapping[int, Any], before: Mapping[int, tuple[str, int]], *, least: int = LEAST_GROWTH
) -> Any | None:
    """The one with most new entries; ``None`` where none has as many as ``least``."""
    grown = {
        key: length - (before[key][1] if key in before and before[key][0] == kind else 0)
        for key, kind, length in lengths(found)
    }
    most = [key for key in sorted(grown, key=grown.__getitem__, reverse=True) if grown[key] >= least][:_TRIED]
    names = module_level_names(most)
    for key in most:
        if not names.get(key, "").startswith(_OWN):
            return found[key]
    return None


def explains(grew: int, blocks: int | None) -> bool:
    """Whether so many new entries explain so many new blocks of memory; yes where these are not known."""
    return grew > 0 and (blocks is None or grew * BLOCKS_EACH >= blocks)
