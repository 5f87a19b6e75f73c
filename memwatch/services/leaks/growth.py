"""Which processes grow steadily, and of which it is known whether they leak: kept with the process, ended by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.statistics.steady_growth import STRETCH_INTERVALS, steady_growth
from memwatch.models import Process
from memwatch.queries.judging.watch import Watched, watched
from memwatch.services.ingest.bulk import save_columns
from memwatch.services.locking import writing

_COLUMNS = ("growing_since", "growth_kib_per_hour", "census_interval_s", "census_cpu_ms", "leaks_known")
_CHANGED_BY = 0.1
"""A rate or an interval that changes by less is not written again each minute."""


def update_growth(processes: Iterable[Process], now: datetime, *, interval_s: float, window: timedelta) -> None:
    """Write what has changed of these living processes. ``window``: in which a verdict wants its censuses."""
    seen = watched(now, interval_s=interval_s, window=window)
    changed = [process for process in processes if _take(process, seen, now, interval_s, window)]
    if changed:
        with writing():
            alive = set(
                Process.objects.alive().filter(pk__in=[each.pk for each in changed]).values_list("pk", flat=True)
            )
            save_columns([process for process in changed if process.pk in alive], _COLUMNS)


def _take(process: Process, seen: Mapping[int, Watched], now: datetime, interval_s: float, window: timedelta) -> bool:
    """Bring the row up to what was seen; whether that is worth writing."""
    before = tuple(getattr(process, name) for name in _COLUMNS)
    found = seen.get(process.pk)
    if found is None:
        for name in _COLUMNS:
            setattr(process, name, None)
        process.leaks_known = False
        return before != (None, None, None, None, False)
    growth = steady_growth(found.floors, STRETCH_INTERVALS * interval_s, growing=process.growing_since is not None)
    if growth is None:
        process.growing_since = process.growth_kib_per_hour = None
    else:
        process.growing_since = process.growing_since or now - timedelta(seconds=growth.since_s)
        process.growth_kib_per_hour = round(growth.kib_per_hour)
    span_s = (now - max(found.first_at, now - window)).total_seconds()
    process.census_interval_s = span_s / found.censuses if found.censuses else None
    process.census_cpu_ms = found.census_cpu_ms
    process.leaks_known = found.censuses >= WATCH_POINTS
    since, rate, every, _cost, known = before
    return (
        (since is None) != (process.growing_since is None)
        or known != process.leaks_known
        or _differs(rate, process.growth_kib_per_hour)
        or _differs(every, process.census_interval_s)
    )


def _differs(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > _CHANGED_BY * abs(before)
