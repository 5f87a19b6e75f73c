"""How severe the growth of a process is, by time to exhaustion and by growth of its memory floor an hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from memwatch.detection.case import HOUR_S, floors
from memwatch.detection.history import History
from memwatch.detection.statistics.estimators import theil_sen
from memwatch.records import SEVERITIES

EXHAUSTION_S = ((4 * HOUR_S, "critical"), (24 * HOUR_S, "high"), (7 * 24 * HOUR_S, "medium"))
"""Before the shift ends; before tomorrow; before next week."""

GROWTH_PERCENT = ((50.0, "critical"), (10.0, "high"), (1.0, "medium"))
"""Growth of the memory floor an hour."""

MOST_BY_GROWTH = "high"
"""Severity by growth where the host's memory is the limit: only exhaustion within a shift is critical there."""

COUNT_PERCENT = ((500.0, "high"), (200.0, "medium"))
"""Growth of a count over the window, where no memory was measured at all: never critical."""

RESIDENT_PERCENT = 0.1
"""Growth of resident memory an hour below which nothing is critical: the kernel ends processes by what is resident."""

LIFE_SHARES = ((0.9, "high"), (0.75, "medium"))
"""Share of its limit that a recycled worker uses when it is replaced. Because it is replaced, it is never critical."""
LIFE_PERCENT = 100.0
"""A life in which a count doubles is worth a look, whatever the limit."""

LATE = 0.4
"""Share of the window that is left out as a warm-up: growth now is growth in the rest."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """How severe growth is, and when memory is exhausted."""

    severity: str
    time_to_exhaustion_s: float | None = None
    limit_source: str | None = None
    floor_growth_percent_per_hour: float | None = None
    measured: str | None = None
    """The figure whose floor was measured."""


def urgency(history: History, growth_percent: float) -> Urgency:
    """Judge the process; ``growth_percent`` of the leaking count decides only where no memory was measured."""
    rates = {name: rate for name in ("rss_mb", "heap_used_mb") if (rate := _rate(history, name)) is not None}
    if not rates:
        return Urgency(_grade(growth_percent, COUNT_PERCENT))
    measured, (slope, level) = max(rates.items(), key=lambda item: item[1][0] / max(item[1][1], 1e-9))
    percent = max(0.0, slope * HOUR_S / level * 100) if level > 0 else 0.0
    exhaustion, source = _exhaustion(history, rates)
    by_growth = _grade(percent, GROWTH_PERCENT)
    if exhaustion is None:
        severity = by_growth
    else:
        severity = next((name for limit, name in EXHAUSTION_S if exhaustion < limit), "low")
        if source == "host":
            severity = worse(severity, milder(by_growth, MOST_BY_GROWTH))
    if severity == "critical" and not _resident_rises(rates):
        severity = "high"
    return Urgency(severity, exhaustion, source, percent, measured)


def urgency_of_lives(lives: Sequence[History], growth_percent: float) -> str:
    """The severity of a leak of recycled workers, by the share of their limit that they reach.

    ``growth_percent``: of the leaking count in a life.
    """
    shares = [share for history in lives if (share := _limit_share(history)) is not None]
    by_limit = _grade(median(shares), LIFE_SHARES) if shares else "low"
    return worse(by_limit, "medium" if growth_percent >= LIFE_PERCENT else "low")


def _limit_share(history: History) -> float | None:
    """The share of its limit that a process had taken in the end; of the container's where that is the limit."""
    limit, used = history.last("cgroup_limit_mb"), history.last("cgroup_used_mb")
    if history.heap_limit_source != "cgroup" or not limit or used is None:
        limit, used = history.last("heap_size_mb"), history.last("rss_mb")
    return used / limit if limit and used is not None else None


def _resident_rises(rates: dict[str, tuple[float, float]]) -> bool:
    """Whether resident memory rises, as far as it was measured."""
    if "rss_mb" not in rates:
        return True
    slope, level = rates["rss_mb"]
    return slope * HOUR_S * 100 >= RESIDENT_PERCENT * level


def _grade(percent: float, steps: tuple[tuple[float, str], ...]) -> str:
    return next((name for least, name in steps if percent >= least), "low")


def worse(a: str, b: str) -> str:
    """The more severe of two."""
    return max(a, b, key=SEVERITIES.index)


def milder(a: str, b: str) -> str:
    """The less severe of two."""
    return min(a, b, key=SEVERITIES.index)


def _rate(history: History, name: str) -> tuple[float, float] | None:
    """Slope of the floor in MB a second over the late part of the window, and its level at the start of that."""
    times, values = history.known(name)
    if len(values) < 3:
        return None
    cut = times[0] + LATE * (times[-1] - times[0])
    start = min(next(i for i, time in enumerate(times) if time >= cut), len(times) - 3)
    low = floors(times[start:], values[start:])
    return theil_sen(*low).slope, low[1][0]


def _exhaustion(history: History, rates: dict[str, tuple[float, float]]) -> tuple[float | None, str | None]:
    """Seconds until the limit, and whose it is. Workers share a container: there the container's growth counts."""
    source = history.heap_limit_source
    limit, used = history.last("cgroup_limit_mb"), history.last("cgroup_used_mb")
    if source == "cgroup" and limit is not None and used is not None:
        rate = _rate(history, "cgroup_used_mb")
        slope = rate[0] if rate is not None else 0.0
    else:
        limit = history.last("heap_size_mb")
        used = history.last("rss_mb") if history.last("rss_mb") is not None else history.last("heap_used_mb")
        slope = rates["rss_mb"][0] if "rss_mb" in rates else rates["heap_used_mb"][0]
    if limit is None or used is None or slope <= 0:
        return None, source
    return max(0.0, limit - used) / slope, source
