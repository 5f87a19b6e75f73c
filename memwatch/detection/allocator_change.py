"""Did a setting of the allocator help? Lives of a service with it and without it, at the same age. Pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
AGES_S = (7 * DAY, 3 * DAY, DAY, 12 * HOUR, 6 * HOUR, 3 * HOUR, HOUR, 30 * MINUTE, 10 * MINUTE)
"""At which lives are compared: the highest that enough of them have reached."""
ENOUGH = 2
"""Lives of each kind, where there are so many."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """A process of a service, alive or over."""

    pk: int
    started_at: datetime
    seconds: float
    """How long it has lived."""
    settings: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """The lives to compare, and their age."""

    age_s: float
    with_it: tuple[Life, ...]
    without: tuple[Life, ...]
    before: Mapping[str, str]
    """The settings of those without."""
    since: datetime
    """When the first life with the settings of now began."""


def kinds_of(lives: Sequence[Life], settings: Mapping[str, str]) -> Kinds | None:
    """Lives with these settings, against those with the settings that were used before them.

    ``None`` without lives of both kinds that reached the lowest age.
    """
    own = [life for life in lives if life.settings == settings]
    if not own:
        return None
    since = min(life.started_at for life in own)
    earlier = [life for life in lives if life.settings != settings and life.started_at < since]
    if not earlier:
        return None
    before = max(earlier, key=lambda life: life.started_at).settings
    others = [life for life in earlier if life.settings == before]
    for age_s in AGES_S:
        old, new = ([life for life in each if life.seconds >= age_s] for each in (others, own))
        if all(len(reached) >= min(ENOUGH, len(each)) for reached, each in ((old, others), (new, own))):
            return Kinds(age_s=age_s, with_it=tuple(new), without=tuple(old), before=before, since=since)
    return None


def in_words(settings: Mapping[str, str]) -> str:
    """``MALLOC_ARENA_MAX=2, PYTHONMALLOC=malloc``; empty where none is set."""
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()))
