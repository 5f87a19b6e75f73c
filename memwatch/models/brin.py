"""PostgreSQL's index of blocks of rows, for sites without django.contrib.postgres."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex


class BlockRangeIndex(BrinIndex):
    """A copy of the index, in migrations too.

    From 6.1 on Django demands the application django.contrib.postgres for it, which it does not need, and which wants
    psycopg also where the database is SQLite.
    """

    def _check_postgres_installed(self, *_args: object) -> list[Any]:
        return []

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        _path, arguments, options = super().deconstruct()
        return f"{BrinIndex.__module__}.{BrinIndex.__qualname__}", arguments, options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BrinIndex) and self.deconstruct() == other.deconstruct()

    __hash__ = BrinIndex.__hash__
