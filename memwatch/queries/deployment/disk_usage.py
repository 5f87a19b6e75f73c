"""How much room deleted rows leave, where the database can say it cheaply."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models

from memwatch.models import Snapshot, SnapshotRollup, connection

_COUNTED: tuple[type[models.Model], ...] = (Snapshot, SnapshotRollup)
"""The tables that fill a database; the others are left out."""


class Room:
    """Made before rows are deleted, asked afterwards.

    What is freed is used again for new rows: neither PostgreSQL (once it has vacuumed) nor SQLite makes its files
    smaller.
    """

    def __init__(self) -> None:
        vendor = connection.connection().vendor
        self._each = _bytes_each() if vendor == "postgresql" else {}
        self._free = _free_bytes() if vendor == "sqlite" else 0

    def freed(self, deleted: Mapping[type[models.Model], int]) -> int | None:
        """Bytes, about, that these numbers of rows leave; ``None`` if unknown."""
        vendor = connection.connection().vendor
        if vendor == "sqlite":
            return max(0, _free_bytes() - self._free)
        gone = {model: n for model, n in deleted.items() if n and model in _COUNTED}
        if gone.keys() - self._each.keys() or vendor != "postgresql":
            return None
        return round(sum(n * self._each[model] for model, n in gone.items()))


def _bytes_each() -> dict[type[models.Model], float]:
    """Of a row with its indexes, by PostgreSQL's own estimate; tables that were never analyzed are left out."""
    by_table = {model._meta.db_table: model for model in _COUNTED}
    with connection.connection().cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_total_relation_size(oid) / reltuples FROM pg_class"
            " WHERE oid = ANY(%s::regclass[]) AND reltuples > 0",
            [list(by_table)],
        )
        return {by_table[name]: float(size) for name, size in cursor.fetchall()}


def _free_bytes() -> int:
    with connection.connection().cursor() as cursor:
        cursor.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
        return int(cursor.fetchone()[0])
