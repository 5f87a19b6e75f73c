"""Times of thousands of rows at once.

Django reads a time from PostgreSQL in Python, text by text: of a page that looks at a whole fleet that was half the
CPU. A number is read in C, and makes the same time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler

_POSTGRESQL = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"


class Moment(Func):
    """A column of times, for ``values_list``: the same times in UTC, to the microsecond."""

    arity = 1
    template = "%(expressions)s"
    output_field = DateTimeField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return super().as_sql(compiler, connection, template=_POSTGRESQL)

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        return [_of_microseconds] if connection.vendor == "postgresql" else super().get_db_converters(connection)


def _of_microseconds(value: int | None, *_context: object) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value / 1_000_000, UTC)
