"""Writing many rows of one table at once, each with values of its own.

``bulk_create`` passes PostgreSQL every value by itself, ``bulk_update`` builds a CASE of as many branches as there are
rows for every column: either took longer than the rest of the ingest. PostgreSQL gets an array for each column here,
SQLite what is quickest there: Django's own INSERT, and a prepared UPDATE that is executed once a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.db import models

from memwatch.models import connection as database
from memwatch.models.postgres import array, placeholder

_AT_ONCE = 500


def insert(rows: Sequence[models.Model]) -> None:
    """Insert these new rows, which are all of one model, and give them their ids. Call it in a transaction."""
    if not rows:
        return
    manager, connection = type(rows[0])._base_manager, database.connection()
    if connection.vendor != "postgresql":
        manager.using(connection.alias).bulk_create(rows, batch_size=_AT_ONCE)
        return
    quote = connection.ops.quote_name
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    columns = ", ".join(quote(str(field.column)) for field in fields)
    values = ", ".join(placeholder(field, connection) for field in fields)
    sql = (
        f"INSERT INTO {quote(meta.db_table)} ({columns}) SELECT * FROM UNNEST({values}) "  # noqa: S608 - names of ours
        f"RETURNING {quote(str(meta.pk.column))}"
    )
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            cursor.execute(sql, _arrays(fields, some))
            for row, (pk,) in zip(some, cursor.fetchall(), strict=True):
                row.pk = pk
                row._state.adding, row._state.db = False, connection.alias


def save_columns(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write these fields of these saved rows, which are all of one model and different ones."""
    if not rows:
        return
    meta = rows[0]._meta
    by_name = {field.name: field for field in meta.concrete_fields}
    fields = [by_name[name] for name in names]
    rows = sorted(rows, key=attrgetter("pk"))
    connection = database.connection()
    quote = connection.ops.quote_name
    table, pk = quote(meta.db_table), quote(str(meta.pk.column))
    columns = [quote(str(field.column)) for field in fields]
    if connection.vendor == "postgresql":
        sets = ", ".join(f"{column} = new.{column}" for column in columns)
        given = ", ".join([pk, *columns])
        values = ", ".join(placeholder(field, connection) for field in (meta.pk, *fields))
        sql = f"UPDATE {table} SET {sets} FROM UNNEST({values}) AS new ({given}) WHERE {table}.{pk} = new.{pk}"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(sql, _arrays((meta.pk, *fields), rows))
        return
    sets = ", ".join(f"{column} = %s" for column in columns)
    each = [
        (*(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields), row.pk) for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {sets} WHERE {pk} = %s", each)  # noqa: S608


def _arrays(fields: Iterable[models.Field[Any, Any]], rows: Sequence[models.Model]) -> list[str]:
    return [array(field, map(attrgetter(field.attname), rows)) for field in fields]
