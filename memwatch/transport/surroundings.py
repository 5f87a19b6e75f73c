"""The container of a process in a report: its check."""

from __future__ import annotations

from typing import Any

from memwatch.records.surroundings import (
    MAX_LARGEST,
    MAX_PROCESS_NAME,
    MAX_WATCHED,
    PARTS,
    Neighbour,
    Pressure,
    Surroundings,
)
from memwatch.transport import schema
from memwatch.transport.schema import WireError

_SIZES = ("used_mb", "limit_mb", "peak_mb", "watched_mb", "unwatched_mb", *PARTS)
_COUNTS = ("watched", "unwatched", "hidden")
_MAX_PID = 2**31 - 1


def decode(value: object) -> Surroundings | None:
    """What a report says of its container. Raises :class:`WireError`."""
    if value is None:
        return None
    found = schema.mapping("surroundings", value)
    sizes: dict[str, Any] = {name: schema.number(name, found[name]) for name in _SIZES if found.get(name) is not None}
    pressure = found.get("pressure")
    return Surroundings(
        looked_at=schema.time("looked_at", found["looked_at"]),
        **sizes,
        **{name: schema.whole(name, found.get(name, 0), high=_MAX_PID) for name in _COUNTS},
        pressure=None if pressure is None else _pressure(pressure),
        complete=found.get("complete") is not False,
        watched_pids=tuple(
            [schema.whole("watched_pids", pid, high=_MAX_PID) for pid in _list(found, "watched_pids", MAX_WATCHED)]
        ),
        largest=tuple(map(_neighbour, _list(found, "largest", MAX_LARGEST))),
    )


def _list(found: dict[str, Any], name: str, most: int) -> list[Any]:
    value = found.get(name) or []
    if not isinstance(value, list) or len(value) > most:
        raise WireError("malformed", f"{name}: a list of at most {most} is wanted")
    return value


def _pressure(value: object) -> Pressure:
    if not isinstance(value, list) or len(value) < len(Pressure._fields):
        raise WireError("malformed", "pressure: a list of four percentages is wanted")
    return Pressure(
        *[
            None if item is None else schema.number("pressure", item, high=100)
            for item in value[: len(Pressure._fields)]
        ]
    )


def _neighbour(value: object) -> Neighbour:
    if not isinstance(value, list) or len(value) < 4:
        raise WireError("malformed", "largest: lists of pid, name, RSS and PSS are wanted")
    pid, name, rss_mb, pss_mb = value[:4]
    return Neighbour(
        schema.whole("pid", pid, high=_MAX_PID),
        schema.text("name", name, limit=MAX_PROCESS_NAME),
        schema.number("rss_mb", rss_mb),
        None if pss_mb is None else schema.number("pss_mb", pss_mb),
    )
