"""A rise that has just begun, judged separately: the quiet hour before it would hide it for half an hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from memwatch.detection.case import Case
from memwatch.detection.history import History
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.rules.growth import BEGUN_AFTER
from memwatch.detection.rules.look_back import LAST_POINTS

LEAST_RISING = 12
"""Least points of the rise; with those before it more than a standing watch waits for in a new process."""
RISING_SHARE = 0.7
"""Share of the judged points that belong to the rise; the others show the level before it."""
NEW_SHARE = 0.8
"""Share of the gain that must lie above all earlier values: what follows the traffic was as high before."""


def from_onset(case: Case) -> Case | None:
    """The series from shortly before its rise; ``None`` where the rise is too short or fills the window.

    Only for counts in the watch of the hour. The rules see the earlier part as the hours before the window: was the
    series as high, and did it fall back?
    """
    if case.window != "hour" or case.series.unit != "objects" or len(case.values) <= LEAST_RISING:
        return None
    cut = case.times[0] + BEGUN_AFTER * case.span_s
    before = max(value for time, value in zip(case.times, case.values, strict=True) if time <= cut)
    n = len(case.values)
    start = next(i for i in reversed(range(n)) if case.values[i] <= before)
    rising = n - 1 - start
    first = n - max(WATCH_POINTS, math.ceil(rising / RISING_SHARE))
    if rising < LEAST_RISING or first <= 0:
        return None
    history = since(case.history, case.times[first], case.series.name, case.values[:first])
    work = None if case.series.work is None else case.series.work[first:]
    series = replace(case.series, times=case.times[first:], values=case.values[first:], work=work)
    return Case(series, history, case.thresholds, case.window)


def all_new(case: Case) -> bool:
    """Whether nearly all of the rise lies above all known earlier values of the series."""
    highest = max(case.history.earlier(case.series.name), default=0)
    return max(case.values[-LAST_POINTS:]) - highest >= NEW_SHARE * case.growth


def since(history: History, begin: float, name: str, before: Sequence[float]) -> History:
    """The history from ``begin`` on; ``earlier`` gives the counts of the type ``name`` before that."""
    first = next(i for i, time in enumerate(history.times) if time >= begin)
    earlier = (*history.earlier(name), *map(round, before))
    return replace(
        history,
        times=history.times[first:],
        figures={key: column[first:] for key, column in history.figures.items()},
        counts={},
        containers=history.containers[first:],
        earlier=lambda asked: earlier if asked == name else (),
        own_blocks=history.own_blocks[first:],
    )
