"""Is it a result of its kind? Checked against the dataclasses of :mod:`results` when it arrives and when it is read.

What a watched process sends is hostile input: a value of another type, a number beyond every measure or a list without
end must not reach a page. Fields that this version does not know are left out, fields that an older agent does not
send get their defaults.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any

from memwatch.diagnosis.allocations.result import Allocations
from memwatch.diagnosis.results import HeapSummary, Referrers
from memwatch.diagnosis.trim.result import Trim

RESULTS: dict[str, type] = {
    "referrers": Referrers,
    "allocations": Allocations,
    "heap_summary": HeapSummary,
    "trim": Trim,
}
"""By kind of recording."""
MAX_TEXT = 2_000
MAX_ENTRIES = 5_000
MAX_NUMBER = 1e15


def checked(kind: str, value: Any) -> dict[str, Any]:
    """The result with the fields of its kind alone. Raises :class:`ValueError` that names the field that is wrong."""
    return _object(RESULTS[kind], value, kind)


def _object(of: type, value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} is {_named(value)}, an object is wanted")
    found: dict[str, Any] = {}
    for field in dataclasses.fields(of):
        name = f"{place}.{field.name}"
        if field.name in value:
            found[field.name] = _value(_hints(of)[field.name], value[field.name], name)
        else:
            found[field.name] = _default(field, _hints(of)[field.name])
    return found


def _default(field: dataclasses.Field[Any], hint: Any) -> Any:
    """The default of a field that an older agent does not send."""
    if field.default is not dataclasses.MISSING:
        return list(field.default) if isinstance(field.default, tuple) else field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return None
    return [] if typing.get_origin(hint) is tuple else hint()


@functools.cache
def _hints(of: type) -> dict[str, Any]:
    return typing.get_type_hints(of)


def _value(hint: Any, value: Any, place: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        (hint,) = (each for each in typing.get_args(hint) if each is not type(None))
        return _value(hint, value, place)
    if origin is tuple:
        return [_value(typing.get_args(hint)[0], each, f"{place}[{i}]") for i, each in enumerate(_list(value, place))]
    if origin is dict:
        return _texts(value, place)
    if dataclasses.is_dataclass(hint):
        return _object(typing.cast("type", hint), value, place)
    return _plain(hint, value, place)


def _plain(hint: type, value: Any, place: str) -> Any:
    if hint is str and isinstance(value, str):
        return value[:MAX_TEXT]
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and type(value) is int and abs(value) <= MAX_NUMBER:
        return value
    if hint is float and type(value) in (int, float) and math.isfinite(value) and abs(value) <= MAX_NUMBER:
        return float(value)
    raise ValueError(f"{place} is {_named(value)}, {_WANTED[hint]} is wanted")


_WANTED = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise ValueError(f"{place} is {_named(value)}, a list of at most {MAX_ENTRIES} is wanted")
    return value


def _texts(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_ENTRIES:
        raise ValueError(f"{place} is {_named(value)}, an object of texts is wanted")
    return {str(name)[:MAX_TEXT]: _plain(str, text, place) for name, text in value.items()}


def _named(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {'list' if isinstance(value, list) else 'object'} of {len(value)}"
    return repr(value)[:40]
