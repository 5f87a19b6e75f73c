"""Does a container, or what owns it, know how many entries it may have? Read without running the host's code.

It is for a copy of the process.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.diagnosis.heap import introspection, references
from memwatch.diagnosis.heap_dump.kinds import LruCache
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.results import Bound
from memwatch.diagnosis.structure.attributes import attributes, owners
from memwatch.sampling.type_names import type_name

MOST = 10**15
"""A greater bound is shown as this."""
LIE = 1.05
"""A container with more entries than this many times its bound does not keep to it."""
MOST_ABOVE = 40
"""Containers further up that are asked, the nearest first."""
NAMES = (
    "max_entries", "maxentries", "max_items", "maxitems", "maxsize", "max_size", "maxlen", "max_len", "max_length",
    "max_cache_size", "cache_size", "cachesize", "maxcache", "capacity", "max_connections", "maxconn", "max_count",
    "size_limit", "limit",
)  # fmt: skip
"""Attributes that say how many entries there may be, without underscores in front; the clearest first."""
_MODULES = {"re._cache": "_MAXCACHE", "re._cache2": "_MAXCACHE2"}
"""Caches of Python's own, by the name in their module, and what they are bounded by."""
_CACHETOOLS, _SQLALCHEMY = "cachetools.Cache", "sqlalchemy.util._collections.LRUCache"
_CELERY = "celery.utils.collections.LimitedSet"
ENFORCED = frozenset(
    {
        _CACHETOOLS, _CELERY, _SQLALCHEMY, "django.core.cache.backends.locmem.LocMemCache", "jinja2.utils.LRUCache",
        "urllib3._collections.RecentlyUsedContainer", "queue.Queue", "asyncio.queues.Queue",
        "sqlalchemy.util.queue.Queue", "sqlalchemy.util.queue.AsyncAdaptedQueue",
        "psycopg_pool.pool.ConnectionPool", "psycopg_pool.pool_async.AsyncConnectionPool",
    }
)  # fmt: skip
"""Classes that keep to their bound, and those derived from them."""
_max_length_of = deque.__dict__["maxlen"].__get__
_cache_info_of = LruCache.__dict__["cache_info"]


def bound_of(key: int, climbed: Graph, objects: Mapping[int, Any]) -> tuple[Bound | None, str]:
    """Of the container with this id, else of the nearest above it; and a bound that is not kept, as a sentence."""
    found = _nearest(key, climbed, objects)
    if found is None:
        above = sorted(climbed.above(key).items(), key=lambda each: each[1])[:MOST_ABOVE]
        further = (_nearest(each, climbed, objects) for each, _steps in above if each in objects)
        above_it = next((each for each in further if each is not None and _kept(each)), None)
        return (None, "") if above_it is None else (Bound(**{**above_it.to_dict(), "own": False}), "")
    if not _kept(found):
        return None, f"Its bound does not hold: {found.entries:,} entries, {found.limit:,} by {found.by}."
    return found, ""


def _kept(bound: Bound) -> bool:
    return bound.entries <= LIE * bound.limit


def _nearest(key: int, climbed: Graph, objects: Mapping[int, Any]) -> Bound | None:
    """The container's own, else its owner's."""
    item = objects[key]
    if type(item) is LruCache:
        return _of_lru_cache(item)
    entries = introspection.length(item)
    if entries is None:
        return None
    if introspection.base_of(type(item)) is deque and (most := _whole(_max_length_of(item))):
        return Bound(limit=most, entries=entries, by=f"deque(maxlen={most})", enforced=True)
    for name in (start.element for start in climbed.starts(key)):
        if (limit := _of_module(name)) is not None:
            return Bound(limit=limit, entries=entries, by=f"{name.partition('.')[0]}.{_MODULES[name]}", enforced=True)
    for owner in (item, *owners(key, climbed, objects)):
        if (found := _of_owner(owner, entries)) is not None:
            return found
    return None


def _of_lru_cache(cache: Any) -> Bound | None:
    if not any(each is functools._CacheInfo for each in gc.get_referents(cache)):
        return None  # it would answer with a class of the host's
    _hits, _misses, most, entries = tuple.__iter__(_cache_info_of(cache))
    most = _whole(most)
    if most is None:
        return None
    of = references.wrapped(cache)
    name = "" if of is None else f" of {introspection.function_name(of)}"
    return Bound(limit=most, entries=entries, by=f"lru_cache(maxsize={most}){name}", enforced=True)


def _of_module(name: str) -> int | None:
    if name not in _MODULES:
        return None
    module = sys.modules.get(name.partition(".")[0])
    return None if module is None else _whole(introspection.module_dict_of(module).get(_MODULES[name]))


def _of_owner(owner: Any, entries: int) -> Bound | None:
    values = dict(reversed(list(_numbers(owner))))  # an instance's own come first, and win
    name = next((each for each in NAMES if each in values), None)
    if name is None:
        return None
    limit = values[name]
    known = {type_name(each) for each in introspection.mro_of(type(owner))}
    if _SQLALCHEMY in known and type(share := introspection.attribute(owner, "threshold")) is float and 0 <= share < 10:
        limit = int(limit * (1 + share))
    if _CELERY in known:
        limit = int(limit * 1.15)  # its heap has some that were added again
    if _CACHETOOLS in known:
        size = _whole(introspection.attribute(owner, "_Cache__currsize"))
        limit = limit if size is None else round(limit * entries / size)  # it counts in units of its own
    of = type_name(owner if introspection.is_class(owner) else type(owner))
    return Bound(
        limit=min(limit, MOST), entries=entries, by=f"{name} = {values[name]} of {of}", enforced=bool(known & ENFORCED)
    )


def _numbers(owner: Any) -> Iterator[tuple[str, int]]:
    """Attributes that are called like a bound and are whole numbers, the instance's own before those of its classes."""
    for name, value in attributes(owner):
        if name in NAMES and (number := _whole(value)) is not None:
            yield name, number


def _whole(value: Any) -> int | None:
    """A whole number above 0, as far as a page can show it."""
    return min(value, MOST) if type(value) is int and value > 0 else None
