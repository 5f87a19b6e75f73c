"""A column of many rows as the text of one array of PostgreSQL: a statement then has as many parameters as columns.

With a parameter for every value, most of the time of storing went into writing and parsing the statement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from memwatch.models.packed_fields import PackedField


def placeholder(field: models.Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    """What stands in the statement for :func:`array`. Without the length, to which a cast would cut silently."""
    return f"%s::{str(field.rel_db_type(connection)).partition('(')[0]}[]"


def array(field: models.Field[Any, Any], values: Iterable[Any]) -> str:
    """These values of the field; :class:`TypeError` for an unsupported kind of field.

    Nulls fit every field: a key of the site's own user model may be of any kind.
    """
    values = list(values)
    if all(value is None for value in values):
        return "{" + ",".join(["NULL"] * len(values)) + "}"
    write = _writer(field.target_field if isinstance(field, models.ForeignKey) else field)
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _writer(field: models.Field[Any, Any]) -> Callable[[Any], str]:
    if isinstance(field, PackedField):
        return lambda value: f'"\\\\x{field.get_prep_value(value).hex()}"'
    if isinstance(field, models.JSONField):
        return lambda value: _quoted(json.dumps(value, cls=field.encoder))
    for kind, write in _WRITERS.items():
        if isinstance(field, kind):
            return write
    raise TypeError(f"{field} is a {type(field).__name__}: how does one look in an array?")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_WRITERS: dict[type[models.Field[Any, Any]], Callable[[Any], str]] = {
    models.IntegerField: str,
    models.FloatField: repr,
    models.BooleanField: str,
    models.DateTimeField: lambda value: str(value.isoformat()),
    models.CharField: _quoted,
}
