"""In which calls objects of the leaking type were made, while a recording looked: it decides what calls alone cannot.

Where the load is even, or several names always run together, no number of calls can say whose objects they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from memwatch.detection.statistics.nonnegative import student_quantile
from memwatch.detection.work.attribution import (
    EVERY_JOB,
    EXPLAINED,
    FILLING,
    LEAST_SHARE,
    MOST_CULPRITS,
    Attribution,
    Culprit,
)
from memwatch.detection.work.everyone import DIFFERS, few_differ, kinds_of
from memwatch.detection.work.search import Search
from memwatch.detection.work.steps import Step

DIRECT = "direct"
LEAST_MADE = 5
"""Objects of a name from which on it counts."""
LEAST_LOOKED = 3
"""Calls of a name that must have been looked into: what a thread makes while a single one runs may be many objects."""
FITS = (0.6, 1.7)
"""What the names make by their calls, as a share of the growth. Beyond, the objects seen are mostly let go again, or
most of those that stay were not seen."""
NEWEST, LEAST_NEWEST = 0.3, 8
"""Share of a process's steps, and how many of them at least, in which it must still grow."""
NEARLY_ALL = 0.9
"""Share of the calls that must be of names whose calls make as many objects, for every job to do so."""
SURE = 0.99
"""Confidence that what calls make is not what grows."""
CHANCE = 3.0
"""Standard deviations by which a count may differ by chance: many names are looked at."""


def decided(
    found: Attribution,
    made: Mapping[int, tuple[int, int]],
    processes: Sequence[Sequence[Step]],
    kinds: Mapping[int, str] | None = None,
) -> Attribution:
    """The attribution, where it names no work or cannot distinguish some, by the objects that were seen being made.

    ``made``: by work, how many objects of the type were there when their call ended, and in how many calls that was
    looked at. ``kinds``: of works.
    """
    if found.remark in (EXPLAINED, EVERY_JOB, FILLING):
        return found
    calls: Counter[int] = Counter()
    grown = 0.0
    for step in (step for steps in processes for step in steps):
        calls.update(step.calls)
        grown += step.growth
    each = {
        work: count / looked for work, (count, looked) in made.items() if count >= LEAST_MADE and looked >= LEAST_LOOKED
    }
    explained = sum(per_call * calls[work] for work, per_call in each.items())
    if grown <= 0 or not FITS[0] <= explained / grown <= FITS[1] or not _stays(each, processes):
        return found
    if _is_contradicted(each, processes):
        return found
    alike = {work: made[work] for work in each}
    if sum(calls[work] for work in alike) >= NEARLY_ALL * calls.total() and _are_alike(alike):
        return Attribution((_every(alike, min(1.0, explained / grown), kinds or {}),), EVERY_JOB)
    shares = {work: each[work] * calls[work] / explained for work in each}
    culprits = [
        _culprit(work, made[work], share)
        for work, share in sorted(shares.items(), key=lambda item: -item[1])
        if share >= LEAST_SHARE
    ]
    return Attribution(tuple(culprits[:MOST_CULPRITS]), EXPLAINED) if culprits else found


def _stays(each: Mapping[int, float], processes: Iterable[Sequence[Step]]) -> bool:
    """Whether it still grows by what is made: growth that is over shows nothing of what a recording saw since."""
    newest = [step for steps in processes for step in steps[-max(LEAST_NEWEST, round(NEWEST * len(steps))) :]]
    made = sum(each.get(work, 0.0) * n for step in newest for work, n in step.calls.items())
    return made - CHANCE * math.sqrt(made) <= FITS[1] * max(0.0, sum(step.growth for step in newest))


def _is_contradicted(each: Mapping[int, float], processes: Iterable[Sequence[Step]]) -> bool:
    """Whether growth does not go with the calls that seem to make the objects, though the load would show it.

    A thread or a timer also makes objects while a call runs. Beside time, what the calls make must explain the growth
    about once. Under an even load the one cannot be distinguished from the other, and nothing is contradicted.
    """
    search = Search([run for steps in processes if (run := [step for step in steps if step.seconds > 0])])
    made = search.add([sum(each.get(work, 0.0) * n for work, n in step.calls.items()) for step in search.steps])
    base = search.fit([])
    explains, gain = search.regression.joining(base, made)
    freedom = len(search.steps) - len(base.columns) - 1
    if explains == gain == 0 or freedom < 1:
        return False
    error = abs(explains) * math.sqrt(max(base.rest - gain, 0.0) / freedom / gain) if gain > 0 else math.inf
    return explains + student_quantile(freedom, SURE) * error < FITS[0]


def _are_alike(made: Mapping[int, tuple[int, int]]) -> bool:
    common = median(count / looked for count, looked in made.values())
    differing = 0
    for count, looked in made.values():
        usual = common * looked
        differing += abs(count - usual) > max(CHANCE * math.sqrt(usual), DIFFERS * usual)
    return few_differ(differing, len(made))


def _every(made: Mapping[int, tuple[int, int]], share: float, kinds: Mapping[int, str]) -> Culprit:
    counts, looked = (sum(each) for each in zip(*made.values(), strict=True))
    return Culprit((), *_interval(counts, looked), share, DIRECT, every=kinds_of(made, kinds))


def _culprit(work: int, made: tuple[int, int], share: float) -> Culprit:
    return Culprit((work,), *_interval(*made), min(1.0, share), DIRECT)


def _interval(count: int, looked: int) -> tuple[float, float, float]:
    """Of objects a call, ``(mean, low, high)``."""
    half = 1.96 * math.sqrt(count)
    return count / looked, max(0.0, count - half) / looked, (count + half) / looked
