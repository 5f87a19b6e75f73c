"""Type names by id and ids by type name, through a cache: rows of ObjectType are never changed or deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from django.db.models.signals import post_migrate

from memwatch.batches import batched
from memwatch.models import ObjectType, connection

MAX_CACHED = 50_000
UNKNOWN = "?"
"""Shown for an id without a row."""
_CHUNK = 500


class _Cache:
    """Both directions, for one database. What an open transaction sees may be rolled back: it is not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self, **_kwargs: Any) -> None:
        with self._lock:
            self._names: dict[int, str] = {}
            self._ids: dict[str, int] = {}
            self._database: tuple[str, ...] = ()

    def maps(self) -> tuple[dict[int, str], dict[str, int]]:
        settings = connection.connection().settings_dict
        which = tuple(str(settings.get(key)) for key in ("ENGINE", "HOST", "PORT", "NAME"))
        if which != self._database or len(self._names) > MAX_CACHED:
            self.forget()
            self._database = which
        return self._names, self._ids

    def keep(self, rows: Iterable[tuple[int, str]]) -> None:
        if connection.connection().in_atomic_block:
            return
        names, ids = self.maps()
        with self._lock:
            for pk, name in rows:
                names[pk] = name
                ids[name] = pk


_cache = _Cache()
post_migrate.connect(_cache.forget, dispatch_uid="memwatch.types")


def names_of(ids: Iterable[int]) -> dict[int, str]:
    """The names of these ids: one query at most for each 500 that are not known yet. A missing row gives ``?``."""
    wanted = set(ids)
    known, _ids = _cache.maps()
    found = {pk: known[pk] for pk in wanted if pk in known}
    missing = sorted(wanted - found.keys())
    for chunk in batched(missing, _CHUNK):
        rows = list(ObjectType.objects.filter(pk__in=chunk).values_list("pk", "name"))
        _cache.keep(rows)
        found.update(rows)
    return {pk: found.get(pk, UNKNOWN) for pk in wanted}


def ids_of(names: Iterable[str]) -> dict[str, int]:
    """The ids of those of these names that have a row."""
    wanted = set(names)
    _names, known = _cache.maps()
    found = {name: known[name] for name in wanted if name in known}
    missing = sorted(wanted - found.keys())
    for chunk in batched(missing, _CHUNK):
        rows = list(ObjectType.objects.filter(name__in=chunk).values_list("pk", "name"))
        _cache.keep(rows)
        found.update({name: pk for pk, name in rows})
    return found
