"""Columns of packed figures: Python sees the values, the database sees bytes."""

from __future__ import annotations

import json
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter, neg
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _Binary = models.BinaryField[Any, Any]
else:
    _Binary = models.BinaryField


_JSON, _COMPACT = b"\x00", b"\x01"
_SEGMENTS = struct.Struct("<4H")
_KINDS = ("list", "dict", "set", "tuple", "deque", "bytearray")
_CONTAINER = ("type", "length", "holds", "token", "name", "entry_bytes")
_PARTS = ("type_sizes", "backfill", "big_containers")
_ODD = (struct.error, KeyError, TypeError, ValueError, OverflowError, AttributeError)
"""What packing raises for values that the compact form has no place for."""

text_of = lru_cache(maxsize=70_000)(str)
"""The text of a type's id: counts are keyed by it, as in JSON."""
_id_of = lru_cache(maxsize=70_000)(int)


def pack_ints(values: Sequence[int]) -> bytes:
    """Whole numbers from 0 to 2**64 - 1, all of one width, which comes first."""
    code = _width(max(values, default=0))
    return code.encode() + struct.pack(f"<{len(values)}{code}", *values)


def unpack_ints(data: bytes) -> list[int]:
    """The inverse of :func:`pack_ints`."""
    code = chr(data[0])
    return list(struct.unpack_from(f"<{(len(data) - 1) // struct.calcsize(f'<{code}')}{code}", data, 1))


def pack_counts(counts: Mapping[str, int]) -> bytes:
    """Numbers by the id of a type, three bytes each in most cases."""
    try:
        return _COMPACT + _counts(counts)
    except _ODD:
        return _JSON + json.dumps(counts).encode()


def unpack_counts(data: bytes) -> dict[str, int]:
    """The inverse of :func:`pack_counts`, the largest first."""
    if data[:1] == _JSON:
        return dict(json.loads(data[1:]))
    return _counted(data, 1)[0]


def pack_extras(extras: Mapping[str, Any]) -> bytes:
    """What a look brings: ``type_sizes`` and ``backfill`` by type id, ``big_containers`` in their order."""
    try:
        if unknown := extras.keys() - set(_PARTS):
            raise KeyError(*unknown)
        held = sum(1 << bit for bit, name in enumerate(_PARTS) if name in extras)
        numbers = [_counts(extras[name]) for name in _PARTS[:2] if name in extras]
        boxes = [_containers(extras[name]) for name in _PARTS[2:] if name in extras]
        return b"".join((_COMPACT, bytes((held,)), *numbers, *boxes))
    except _ODD:
        return _JSON + json.dumps(extras).encode()


def unpack_extras(data: bytes) -> dict[str, Any]:
    """The inverse of :func:`pack_extras`."""
    if data[:1] == _JSON:
        return dict(json.loads(data[1:]))
    found: dict[str, Any] = {}
    held, at = data[1], 2
    for bit, name in enumerate(_PARTS[:2]):
        if held >> bit & 1:
            found[name], at = _counted(data, at)
    if held >> 2 & 1:
        found["big_containers"] = _contained(data, at)
    return found


def _width(most: int) -> str:
    """The code of :mod:`struct` for the least width that holds the number; what none holds, ``Q`` refuses."""
    return "B" if most < 256 else "H" if most < 65_536 else "I" if most < 2**32 else "Q"


def _counts(counts: Mapping[str, int]) -> bytes:
    """How many there are of each width; the ids; the numbers, the widest first."""
    items = sorted(counts.items(), key=itemgetter(1), reverse=True)
    ids = [_id_of(key) for key, _count in items]
    numbers = [count for _key, count in items]
    q, i, h = (bisect_left(numbers, 1 - bound, key=neg) for bound in (2**32, 65_536, 256))
    sizes = q, i - q, h - i, len(numbers) - h
    code = _width(max(ids, default=0))
    form = f"<{len(ids)}{code}{sizes[0]}Q{sizes[1]}I{sizes[2]}H{sizes[3]}B"
    return _SEGMENTS.pack(*sizes) + code.encode() + struct.pack(form, *ids, *numbers)


def _counted(data: bytes, at: int) -> tuple[dict[str, int], int]:
    """What :func:`_counts` packed at this place, and where it ends."""
    form, size, n = _form(data[at : at + 9])
    values = struct.unpack_from(form, data, at + 9)
    return dict(zip(map(text_of, values[:n]), values[n:], strict=True)), at + 9 + size


@lru_cache(maxsize=4096)
def _form(head: bytes) -> tuple[str, int, int]:
    """Reads the nine bytes before ids and numbers: format, size and number of ids."""
    sizes, code = _SEGMENTS.unpack(head[:8]), chr(head[8])
    form = f"<{sum(sizes)}{code}" + "".join(f"{size}{width}" for width, size in zip("QIHB", sizes, strict=True))
    return form, struct.calcsize(form), sum(sizes)


def _containers(boxes: Sequence[Mapping[str, Any]]) -> bytes:
    """Kinds and texts as numbers into a table of texts, addresses as distances from the lowest, sizes in tenths."""
    texts: dict[str | None, int] = {None: 0}
    rows: list[tuple[int, ...]] = []
    lowest = min((box["token"] for box in boxes if box.get("token") is not None), default=0)
    for box in boxes:
        if box.keys() - set(_CONTAINER) or any(value is None for value in box.values()):
            raise KeyError(*box)
        token, entry = box.get("token"), box.get("entry_bytes")
        tenths = None if entry is None else round(entry * 10)
        if tenths is not None and tenths / 10 != entry:
            raise ValueError(entry)
        rows.append(
            (
                _KINDS.index(box["type"]),
                texts.setdefault(box.get("holds"), len(texts)),
                texts.setdefault(box.get("name"), len(texts)),
                box["length"],
                0 if token is None else token - lowest + 1,
                0 if tenths is None else tenths + 1,
            )
        )
    table = "\0".join(text for text in texts if text is not None).encode()
    if table.count(b"\0") != max(0, len(texts) - 2):
        raise ValueError("a text holds the sign that parts them")
    columns = (pack_ints(column) for column in zip(*rows, strict=True))
    return struct.pack("<HHQ", len(rows), len(table), lowest) + table + b"".join(columns)


def _contained(data: bytes, at: int) -> list[dict[str, Any]]:
    """What :func:`_containers` packed at this place."""
    n, size, lowest = struct.unpack_from("<HHQ", data, at)
    at += 12
    texts = [None, *data[at : at + size].decode().split("\0")]
    at += size
    columns: list[Iterable[int]] = []
    for _name in _CONTAINER if n else ():
        code = chr(data[at])
        columns.append(struct.unpack_from(f"<{n}{code}", data, at + 1))
        at += 1 + n * struct.calcsize(f"<{code}")
    found = []
    for kind, holds, name, length, token, tenths in zip(*columns, strict=True):
        box: dict[str, Any] = {"type": _KINDS[kind], "length": length}
        if holds:
            box["holds"] = texts[holds]
        if token:
            box["token"] = token + lowest - 1
        if name:
            box["name"] = texts[name]
        if tenths:
            box["entry_bytes"] = (tenths - 1) / 10
        found.append(box)
    return found


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

    pack = staticmethod(pack_counts)
    unpack = staticmethod(unpack_counts)


class PackedExtras(PackedField):
    """What a look at a process's containers brings."""

    pack = staticmethod(pack_extras)
    unpack = staticmethod(unpack_extras)


class PackedInts(PackedField):
    """A short list of whole numbers."""

    pack = staticmethod(pack_ints)
    unpack = staticmethod(unpack_ints)
