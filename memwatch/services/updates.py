"""Writing back many rows of one table, each with values of its own.

``bulk_update`` builds a CASE of as many branches as there are rows for every column, which took longer than storing
the snapshots; a prepared UPDATE, executed once a row, does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models

from memwatch.models import database


def save_columns(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write these fields of these saved rows, which are all of one model, in the order of their ids."""
    if not rows:
        return
    meta = rows[0]._meta
    by_name = {field.name: field for field in meta.concrete_fields}
    fields = [by_name[name] for name in names]
    connection = database.connection()
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    sql = f"UPDATE {quote(meta.db_table)} SET {columns} WHERE {quote(str(meta.pk.column))} = %s"  # noqa: S608 - names of ours
    values = [
        (*(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields), row.pk)
        for row in sorted(rows, key=lambda row: row.pk)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)
