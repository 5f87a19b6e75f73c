"""A service against its own hour of the week, and before and after something was changed.

An hour of a service is the median of its settled workers, so that neither a canary nor a leak of one worker moves it.
It is compared with the same hour and its neighbours in the weeks before, which clock changes do not disturb, moved by
how far the service has been from that lately: its trend. A week without data is passed over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from memwatch.detection.anomalies.figures import WATCHED, Values
from memwatch.detection.anomalies.siblings import Unlike
from memwatch.detection.statistics.estimators import GAUSSIAN_MAD

DAY, WEEK = 24, 168
WEEKS_BACK = 5
KEPT = WEEKS_BACK * WEEK + 1
"""Hours that are needed."""
DAYS_BACK, LEAST_DAYS = 6, 3
"""Before a service is a week old its days are compared, once there are so many."""
_BACK = ((range(1, WEEKS_BACK + 1), WEEK), (range(1, DAYS_BACK + 1), DAY))
_BESIDE = (-1, 0, 1)
COMPARED = tuple(sorted({times * step - beside for back, step in _BACK for times in back for beside in _BESIDE}))
"""So many hours back are those whose figures one is compared with."""
FROZEN = DAY
"""What is unusual is kept out of the trend for so many hours. What stays for longer becomes the usual."""
TREND_KEPT = 2 * WEEK + FROZEN
"""Hours of which the differences are needed."""
LEAST_KNOWN = 30
"""Hours of which the difference is known, before one is judged."""
LATELY = DAY
SPREADS = 5.0
SETTLED_S = 1_800.0
"""A younger worker says nothing of its service."""
GROWN_S = 12 * 3_600.0
"""Workers of this age are not fresh, whatever age they reach."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a service."""

    number: int
    """Hours since the epoch."""
    values: Values
    age_s: float
    """The median of its workers."""
    fresh: bool = False
    """Whether they are much younger than usual, as after a deploy: no hour is compared with such a one."""
    off: Values = dataclasses.field(default_factory=dict)
    """How far each figure was from the same hour before; empty where there was none."""


def of_workers(workers: Iterable[Values]) -> Values:
    """The median of each figure."""
    columns: dict[str, list[float]] = {}
    for values in workers:
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    return {name: median(values) for name, values in columns.items()}


def with_differences(number: int, values: Values, age_s: float, history: Mapping[int, Hour]) -> Hour:
    """The hour, compared with those before it. ``history``: by number."""
    off = {}
    for name, value in values.items():
        band = _band(name, number, history)
        if band is not None:
            low, high = band
            off[name] = value - min(high, max(low, value))
    ages = [hour.age_s for back in range(1, WEEK + 1) if (hour := history.get(number - back)) is not None]
    fresh = age_s < min(GROWN_S, median(ages) / 2 if ages else GROWN_S)
    return Hour(number, values, age_s, fresh, off)


def judge(hour: Hour, history: Mapping[int, Hour], *, unusual_since: int | None = None) -> dict[str, Unlike] | None:
    """How unlike its figures are; ``None`` while too little is known.

    What is unusual since then is not its trend, for a day.
    """
    before = hour.number if unusual_since is None else max(hour.number - FROZEN, min(hour.number, unusual_since))
    found: dict[str, Unlike] = {}
    known = False
    for name, off in hour.off.items():
        past = [
            earlier.off[name]
            for number in range(before - 2 * WEEK, before)
            if (earlier := history.get(number)) is not None and not earlier.fresh and name in earlier.off
        ]
        if len(past) < LEAST_KNOWN:
            continue
        known = True
        trend = max(median(past[-LATELY:]), median(past[-WEEK:]))
        if off > trend:
            usual = hour.values[name] - off + trend
            bound = max(_least(name, usual), SPREADS * _scale(past))
            found[name] = Unlike((off - trend) / bound, hour.values[name], usual)
    return found if known else None


def _least(name: str, usual: float) -> float:
    """Every worker differs at once, so that less counts than of one worker: half."""
    watched = WATCHED[name]
    return max(watched.least, watched.share * abs(usual)) / 2


def _scale(past: Sequence[float]) -> float:
    middle = median(past)
    return GAUSSIAN_MAD * median([abs(value - middle) for value in past])


def _band(name: str, number: int, history: Mapping[int, Hour]) -> tuple[float, float] | None:
    """The least and the most of the same hour and its neighbours, each the median of the weeks before."""
    for back, step in _BACK:
        middles = []
        for beside in _BESIDE:
            values = [
                value
                for times in back
                if (hour := history.get(number + beside - times * step)) is not None
                and not hour.fresh
                and (value := hour.values.get(name)) is not None
            ]
            if len(values) >= (1 if step == WEEK else LEAST_DAYS):
                middles.append(median(values))
        if middles:
            return min(middles), max(middles)
    return None
