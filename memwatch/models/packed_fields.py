"""Columns of packed figures: Python sees the values, the database sees bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from memwatch.models import packing

if TYPE_CHECKING:
    _Binary = models.BinaryField[Any, Any]
else:
    _Binary = models.BinaryField


class PackedField(_Binary):
    """A value kept as bytes. It cannot be searched for what is in it; fixtures show it as JSON."""

    _pyi_private_set_type: Any
    _pyi_private_get_type: Any
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]

    def get_prep_value(self, value: Any) -> Any:
        """The bytes of a value."""
        value = super().get_prep_value(value)
        return None if value is None else type(self).pack(value)

    def from_db_value(self, value: Any, _expression: object, _connection: BaseDatabaseWrapper) -> Any:
        """The value of the bytes (``memoryview`` with some drivers)."""
        return None if value is None else type(self).unpack(bytes(value))

    def value_to_string(self, obj: models.Model) -> str:
        """As JSON, for fixtures."""
        return json.dumps(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        """The inverse of :meth:`value_to_string`; a value stays as it is."""
        return json.loads(value) if isinstance(value, str) else value


class PackedCounts(PackedField):
    """Numbers keyed by the id of an ObjectType (as text)."""

    pack = staticmethod(packing.pack_counts)
    unpack = staticmethod(packing.unpack_counts)


class PackedExtras(PackedField):
    """What a look at a process's containers brings."""

    pack = staticmethod(packing.pack_extras)
    unpack = staticmethod(packing.unpack_extras)


class PackedInts(PackedField):
    """A short list of whole numbers."""

    pack = staticmethod(packing.pack_ints)
    unpack = staticmethod(packing.unpack_ints)
