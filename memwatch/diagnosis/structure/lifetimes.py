"""Do the entries of a container expire, and after which time? Read without running the host's code.

The entries may have a time of expiry each, or the container, its owner or the entries a time to live. Only numbers,
``timedelta`` and ``datetime`` of exactly these types are read. A number is in seconds, unless its name ends in another
unit. It is for a copy of the process.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import Any

from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.results import Lifetime
from memwatch.diagnosis.structure.attributes import attributes, own_attributes, owners, plain
from memwatch.diagnosis.structure.time_room import room_s
from memwatch.sampling.type_names import clean, type_name

LONGEST_S = 400 * 86_400.0
"""What is said to live longer has no bound in time."""
LOOKED_AT = 200
"""Entries of a container whose times are read at most, evenly spread, with the last one."""
MOST = 0.8
"""Share of these that must have a time."""
LEAST_ALIKE = 0.95
"""Entries of a container to those of the dict that has their times, at least."""
_ATTRIBUTES = 40
"""Of an entry that is a dict, so many keys are looked at."""
_EPOCH = 1e9
"""A greater number counts from 1970, a smaller one from the start of the machine."""
EXPIRES = (
    "expires_at", "expire_at", "expiry_at", "expires_on", "expiry_time", "expire_time", "expiration_time",
    "expiry_date", "expire_date", "expiration_date", "valid_until", "until", "deadline", "expires", "expiry", "expire",
    "expiration", "exp",
)  # fmt: skip
"""Names of a time of expiry, without underscores in front and without a unit; the clearest first."""
DURATIONS = (
    "ttl", "time_to_live", "max_age", "maxage", "lifetime", "expires_after", "expire_after", "expires_in", "expire_in",
    "session_cookie_age", "cookie_age", "expiry", "expiration", "expires", "expire", "retention", "keep_for",
    "idle_timeout", "session_timeout", "cache_timeout", "default_timeout", "window", "timeout",
)  # fmt: skip
"""Names of a time to live; the clearest first."""
_OF_OWNERS_ALONE = frozenset({"timeout", "window", "default_timeout"})
"""An entry that waits for something has one too. An owner's may be of its calls, where a clearer name is unset."""
_CLEAR = frozenset(DURATIONS) - _OF_OWNERS_ALONE
_UNITS = {
    "ms": 0.001, "milliseconds": 0.001, "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0, "min": 60.0,
    "minutes": 60.0, "hours": 3600.0, "days": 86_400.0,
}  # fmt: skip
_WITH_UNIT = re.compile(rf"(.+)_({'|'.join(_UNITS)})")
_TIMERS = {"asyncio.events.TimerHandle": ("when", "until")}
"""Attributes that are a time of expiry in this class alone, and by which name it is known here."""
_zone_of = datetime.__dict__["tzinfo"].__get__


@dataclasses.dataclass(frozen=True, slots=True)
class _Now:
    """One moment by each clock that a program may have taken its times from."""

    epoch_s: float
    monotonic_s: float
    utc: datetime
    east_s: float
    """How far the local time is ahead of UTC."""


def lifetime_of(key: int, climbed: Graph, objects: Mapping[int, Any]) -> Lifetime | None:
    """Of the entries of the container with this id; ``None`` where they do not say that they expire."""
    item = objects[key]
    entries = introspection.length(item)
    if not entries:
        return None
    now = _Now(time.time(), time.monotonic(), datetime.now(UTC), float(time.localtime().tm_gmtoff))
    looked_at, owned_by = _entries(item), list(owners(key, climbed, objects))
    found = _of_times(looked_at, entries, now)
    found = found or next(filter(None, (_of_sibling(item, entries, owner, now) for owner in owned_by)), None)
    found = found or next(filter(None, (_of_owner(owner, entries) for owner in (item, *owned_by))), None)
    return found or _of_class(looked_at, entries)


def _entries(item: Any) -> list[Any]:
    """Some, evenly spread, the last one with them; the values of a dict."""
    base, length = introspection.base_of(type(item)), introspection.length(item) or 0
    step = -(-length // LOOKED_AT)
    every = dict.values(item) if base is dict else base.__iter__(item)  # type: ignore[union-attr]
    return list(islice(every, (length - 1) % step, None, step))


# A time of expiry of each entry:


def _of_times(looked_at: Sequence[Any], entries: int, now: _Now) -> Lifetime | None:
    """By what the last entry has and most others have too."""
    of_last = dict(_times_of(looked_at[-1])) if looked_at else {}
    name = next((each for wanted in EXPIRES for each in of_last if _without_unit(each)[0] == wanted), None)
    if name is None:
        return None
    values = [value for each in looked_at for other, value in _times_of(each) if other == name]
    by = f"{name} of {_named(looked_at[-1])}"
    return _of_values(values, name, now, looked_at=len(looked_at), entries=entries, by=by)


def _times_of(entry: Any) -> Iterator[tuple[str, Any]]:
    """Plain names and values, those of a dict's keys too."""
    if introspection.base_of(type(entry)) is dict:
        for key, value in islice(dict.items(entry), _ATTRIBUTES):
            if type(key) is str:
                yield plain(key), value
    renamed = _TIMERS.get(type_name(type(entry)))
    for name, value in own_attributes(entry):
        yield (renamed[1] if renamed and name == renamed[0] else name), value


def _of_sibling(item: Any, entries: int, owner: Any, now: _Now) -> Lifetime | None:
    """By another dict of the owner that has a time for each entry: cachetools, aiocache, Django's cache in memory."""
    for name, other in attributes(owner):
        if other is item or introspection.base_of(type(other)) is not dict:
            continue
        if not LEAST_ALIKE * entries <= (introspection.length(other) or 0) <= entries / LEAST_ALIKE:
            continue
        looked_at = _entries(other)
        by = clean(f"{name} of {_named(owner)}")
        found = None
        if "expir" in name:
            found = _of_values(looked_at, name, now, looked_at=len(looked_at), entries=entries, by=by)
        if found := found or _of_times(looked_at, entries, now):
            return dataclasses.replace(found, by=by)
    return None


def _of_values(
    values: Sequence[Any], name: str, now: _Now, *, looked_at: int, entries: int, by: str
) -> Lifetime | None:
    """The longest time that is left, and how many are past theirs; ``None`` where no time is still to come."""
    if _all_one_small_number(values):
        return None  # a time to live
    read = ([_left_s(name, value, now, local=local) for value in values] for local in (True, False))
    known = [[left for left in each if left is not None] for each in read]
    still = [each for each in known if len(each) >= MOST * looked_at and max(each, default=0.0) > 0]
    if not still:
        return None
    left = min(still, key=max)
    seconds = max(left)
    overdue = [-each for each in left if -each > room_s(seconds) - seconds]
    return Lifetime(
        seconds=round(seconds, 1), by=by, entries=entries, timed=len(left), overdue=len(overdue),
        overdue_s=round(max(overdue), 1) if overdue else None,
    )  # fmt: skip


def _all_one_small_number(values: Sequence[Any]) -> bool:
    numbers = {value for value in values if _is_number(value)}
    return len(numbers) == 1 and len(values) > 1 and max(numbers) < _EPOCH


def _left_s(name: str, value: Any, now: _Now, *, local: bool) -> float | None:
    """Seconds until a time; ``None`` for what is no time, or further away than the longest bound.

    A ``datetime`` without a zone is ``local`` time, or UTC.
    """
    left: float
    if type(value) is datetime:
        zone = _zone_of(value)
        if zone is None:
            left = (value - now.utc.replace(tzinfo=None)).total_seconds() - (now.east_s if local else 0.0)
        elif type(zone) is timezone:
            left = (value - now.utc).total_seconds()
        else:
            return None  # the zone would be asked, and may be the host's own
    elif _is_number(value) and 0 < value <= 1e15:
        seconds = value * _without_unit(name)[1]
        left = seconds - (now.epoch_s if seconds >= _EPOCH else now.monotonic_s)
    else:
        return None
    return left if -LONGEST_S <= left <= LONGEST_S else None


# A time to live:


def _of_owner(owner: Any, entries: int) -> Lifetime | None:
    values = dict(reversed(list(attributes(owner))))  # an instance's own come first, and win
    return _of_duration(values, DURATIONS, entries, _named(owner))


def _of_class(looked_at: Sequence[Any], entries: int) -> Lifetime | None:
    """The longest that most entries, or their classes, have."""
    names = [each for each in DURATIONS if each not in _OF_OWNERS_ALONE]
    found = []
    for entry in looked_at:
        values = {**dict(reversed(list(attributes(entry)))), **dict(_times_of(entry))}
        found.append(_of_duration(values, names, entries, _named(entry)))
    known = [each for each in found if each is not None]
    if len(known) < max(1.0, MOST * len(looked_at)):
        return None
    return max(known, key=lambda each: each.seconds)


def _of_duration(values: Mapping[str, Any], names: Sequence[str], entries: int, of: str) -> Lifetime | None:
    unset = any(value is None and _without_unit(name)[0] in _CLEAR for name, value in values.items())
    for wanted in names:
        if unset and wanted in _OF_OWNERS_ALONE:
            continue
        for name, value in values.items():
            plain_name, unit = _without_unit(name)
            if plain_name == wanted and (seconds := _duration_s(value, unit)) is not None:
                shown = str(value) if type(value) is timedelta else f"{value:.10g}"
                return Lifetime(seconds=round(seconds, 3), by=f"{name} = {shown} of {of}", entries=entries)
    return None


def _duration_s(value: Any, unit: float) -> float | None:
    """``None`` for what is no time, or a longer one than the longest bound."""
    if type(value) is timedelta:
        seconds = value.total_seconds()
    elif _is_number(value) and 0 < value <= 1e15:
        seconds = value * unit
    else:
        return None
    return seconds if 0 < seconds <= LONGEST_S else None


def _is_number(value: Any) -> bool:
    """``in`` would ask a metaclass of the host's."""
    return type(value) is int or type(value) is float


def _without_unit(name: str) -> tuple[str, float]:
    """A name, and what its numbers are multiplied by to be seconds."""
    found = _WITH_UNIT.fullmatch(name)
    return (found[1], _UNITS[found[2]]) if found else (name, 1.0)


def _named(item: Any) -> str:
    return type_name(item if introspection.is_class(item) else type(item))
