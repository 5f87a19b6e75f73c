"""How urgent growth is: :func:`urgency` by the reference's levels, :func:`leak_severity` for a leak that is watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

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


class Bound(NamedTuple):
    """A leak is so severe when memory ends within ``within_s`` and ``share`` of the limit is in use already."""

    severity: str
    within_s: float
    share: float = 0.0


LEAK_BOUNDS = (
    Bound("critical", 4 * HOUR_S),
    Bound("critical", 24 * HOUR_S, 0.8),
    Bound("high", 24 * HOUR_S),
    Bound("medium", 7 * 24 * HOUR_S),
)
"""The first that holds decides. Critical wakes somebody: memory ends within a shift, or within a day where a fifth
of the limit is left at most: there one peak of load ends the process early."""

SLACK_TIME, SLACK_SHARE, SLACK_GROWTH = 1.25, 0.05, 1.25
"""A severity falls when it would be lower still with a quarter less time, 5 % more of the limit, a quarter more growth:
an outlook near a bound does not make it flap."""

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
    limit_share: float | None = None
    """The part of the limit that is in use, 1 for all; ``None`` where no limit is known."""
    count_growth_percent: float | None = None
    """Growth of the count over the window, where no memory was measured; else ``None``."""
    resident_rises: bool = True
    """``False`` where resident memory was measured and stands still."""


def urgency(history: History, growth_percent: float) -> Urgency:
    """Judge the process; ``growth_percent`` of the leaking count decides only where no memory was measured."""
    rates = {name: rate for name in ("rss_mb", "heap_used_mb") if (rate := _rate(history, name)) is not None}
    if not rates:
        return Urgency(_grade(growth_percent, COUNT_PERCENT), count_growth_percent=growth_percent)
    measured, (slope, level) = max(rates.items(), key=lambda item: item[1][0] / max(item[1][1], 1e-9))
    percent = max(0.0, slope * HOUR_S / level * 100) if level > 0 else 0.0
    exhaustion, share, source = _exhaustion(history, rates)
    rises = _resident_rises(rates)
    by_growth = _grade(percent, GROWTH_PERCENT)
    if exhaustion is None:
        severity = by_growth
    else:
        severity = next((name for limit, name in EXHAUSTION_S if exhaustion < limit), "low")
        if source == "host":
            severity = worse(severity, milder(by_growth, MOST_BY_GROWTH))
    if severity == "critical" and not rises:
        severity = "high"
    return Urgency(severity, exhaustion, source, percent, measured, share, resident_rises=rises)


def leak_severity(found: Urgency, *, before: str = "low") -> str:
    """The severity of a leak that is watched, which ``before`` had: critical by ``LEAK_BOUNDS`` alone.

    Growth makes it ``MOST_BY_GROWTH`` at most, and counts where no limit but the host's memory is known.
    """
    near = replace(
        found,
        time_to_exhaustion_s=_scaled(found.time_to_exhaustion_s, 1 / SLACK_TIME),
        limit_share=None if found.limit_share is None else found.limit_share + SLACK_SHARE,
        floor_growth_percent_per_hour=_scaled(found.floor_growth_percent_per_hour, SLACK_GROWTH),
        count_growth_percent=_scaled(found.count_growth_percent, SLACK_GROWTH),
    )
    return worse(_by_bounds(found), milder(before, _by_bounds(near)))


def _by_bounds(found: Urgency) -> str:
    by_growth = milder(_grade(found.floor_growth_percent_per_hour or 0.0, GROWTH_PERCENT), MOST_BY_GROWTH)
    if found.count_growth_percent is not None:
        return _grade(found.count_growth_percent, COUNT_PERCENT)
    left, share = found.time_to_exhaustion_s, found.limit_share or 0.0
    if left is None:
        return by_growth
    severity = next((b.severity for b in LEAK_BOUNDS if left < b.within_s and share >= b.share), "low")
    if found.limit_source == "host":
        severity = worse(severity, by_growth)
    return severity if found.resident_rises else milder(severity, "high")


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


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


def _exhaustion(
    history: History, rates: dict[str, tuple[float, float]]
) -> tuple[float | None, float | None, str | None]:
    """Seconds until the limit, the share of it in use, and whose it is. Of a container that workers share, its own."""
    source = history.heap_limit_source
    limit, used = history.last("cgroup_limit_mb"), history.last("cgroup_used_mb")
    if source == "cgroup" and limit is not None and used is not None:
        rate = _rate(history, "cgroup_used_mb")
        slope = rate[0] if rate is not None else 0.0
    else:
        limit = history.last("heap_size_mb")
        used = history.last("rss_mb") if history.last("rss_mb") is not None else history.last("heap_used_mb")
        slope = rates["rss_mb"][0] if "rss_mb" in rates else rates["heap_used_mb"][0]
    share = used / limit if limit and used is not None else None
    if limit is None or used is None or slope <= 0:
        return None, share, source
    return max(0.0, limit - used) / slope, share, source
