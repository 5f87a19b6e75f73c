"""Dataclasses as JSON-ready dicts and back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self


def aware(name: str, value: object) -> datetime:
    """``value`` if it is a timezone-aware datetime; :class:`ValueError` says what to give instead."""
    if not isinstance(value, datetime):
        raise ValueError(f"{name} is {value!r}: give a timezone-aware datetime, e.g. datetime.now(timezone.utc)")
    if value.tzinfo is None:
        raise ValueError(f"{name} is {value.isoformat()}, without a time zone: give e.g. datetime.now(timezone.utc)")
    return value


def parse_time(name: str, value: object) -> datetime:
    """An aware datetime of an ISO 8601 text with zone (or of itself); :class:`ValueError` says what is wrong."""
    if not isinstance(value, str):
        return aware(name, value)
    try:
        return aware(name, datetime.fromisoformat(value))
    except ValueError:
        shown = value[:60]
        raise ValueError(f"{name} is {shown!r}: give ISO 8601 with zone, e.g. 2026-01-31T12:00:00+00:00") from None


_SCALARS = frozenset({type(None), bool, int, float, str})


def _plain(value: Any) -> Any:
    """The JSON form of a field: times as ISO 8601, tuples as lists, mappings copied."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name, _ in _attributes(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@functools.cache
def _attributes(cls: type) -> tuple[tuple[str, bool], ...]:
    """Each attribute's name and whether it must be given."""
    missing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return tuple([(field.name, field.default is missing and field.default_factory is missing) for field in fields])


class Record:
    """A dataclass with ``to_dict`` and ``from_dict``."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Every attribute by name, JSON-ready."""
        of: type = type(self)
        return {name: _plain(getattr(self, name)) for name, _ in _attributes(of)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`. Unknown keys are ignored, so that two versions can talk.

        Raises :class:`ValueError` for a required key that is missing or a time that is no time.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"{cls.__name__} wants a mapping, got {type(values).__name__}")
        known = {}
        for name, required in _attributes(cls):  # type: ignore[arg-type]
            if name in values:
                known[name] = cls._field_from(name, values[name])
            elif required:
                raise ValueError(f"{cls.__name__} has no {name!r}")
        return cls(**known)

    @classmethod
    def _field_from(cls, name: str, value: Any) -> Any:
        if value is not None and (name.endswith(("timestamp", "_time", "_at"))):
            return parse_time(name, value)
        return value
