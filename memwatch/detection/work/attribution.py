"""Which work (views, tasks, commands) explains the growth of a leak: per call of which, how much, how surely."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from memwatch.detection.statistics.nonnegative import Fit, student_quantile
from memwatch.detection.work.direct import Direct, Kept
from memwatch.detection.work.everyone import Everyone, everyone, trials, unproven
from memwatch.detection.work.filling import is_filling
from memwatch.detection.work.pace import grows_without, is_even
from memwatch.detection.work.search import ALIKE, SECONDS, Search
from memwatch.detection.work.steps import Step

__all__ = [
    "EVERY_JOB", "EXPLAINED", "FEW", "FILLING", "NONE", "REGRESSION", "TIME", "TOGETHER", "Attribution", "Culprit",
    "Direct", "Step", "attribute",
]  # fmt: skip

EXPLAINED = ""
EVERY_JOB = "every"
TIME = "time"
TOGETHER = "together"
FILLING = "filling"
NONE = "none"
FEW = "few"

REGRESSION = "regression"
"""The numbers of calls told it."""

NO_WORK = -1
LEAST_STEPS = 8
MOST_CULPRITS = 5
MOST_TOGETHER = 6
"""Names in one group; more say nothing."""
LEAST_SHARE = 0.04
"""Of the growth, for a name to be worth a word."""
BULK = 0.5
"""Share of the growth from which on an explanation is the explanation."""
BELIEVED = 12.0
"""The same where single calls keep blocks for the one, and none for the other."""
CLEAR = 30.0
"""The same where calls keep to the clock, and a census cuts some in two."""
MODEL_ERROR = 0.003
"""Standard error of a coefficient besides its noise, as a share: calls that a census cuts in two, and the like."""
ROUGH = 0.05
"""The same for what starts and caches explain, whose course is only roughly known."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """Work that explains a part of the growth."""

    works: tuple[int, ...]
    """Several: they run at the same pace, and cannot be distinguished. The likeliest is first; figures are as if it
    were alone. None: all works of the kinds ``every``, each as much."""
    per_call: float
    low: float
    high: float
    share: float
    """Of the growth, from 0 to 1."""
    source: str
    """``regression``, or ``direct`` where the blocks of single calls told it."""
    every: tuple[str, ...] = ()
    but: tuple[int, ...] = ()
    """Works of these kinds that keep nothing."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The culprits, largest share first, and what is to say besides."""

    culprits: tuple[Culprit, ...]
    remark: str
    alike: tuple[int, ...] = ()
    """Work that runs as evenly as time passes, where the growth does too."""


def attribute(
    processes: Sequence[Sequence[Step]],
    direct: Mapping[int, Direct] | None = None,
    claimed: Mapping[int, float] | None = None,
    kinds: Mapping[int, str] | None = None,
) -> Attribution:
    """Explain the growth. Each process gives its steps in order; after a gap they continue as another process.

    ``claimed``: blocks a call, by work, that other leaks are explained by: the same blocks explain no second leak.
    ``kinds``: of works.
    """
    runs = [run for steps in processes if (run := [step for step in steps if step.seconds > 0])]
    if sum(map(len, runs)) < LEAST_STEPS:
        return Attribution((), FEW)
    search = Search(runs)
    kept = Kept(direct or {}, search.steps, claimed)
    chosen = search.chosen()
    tried = trials(search, chosen, kinds or {})
    alike = everyone(runs, search, chosen, kinds or {}, tried)
    if alike is not None:
        telling = _Telling(alike.search, alike.chosen, kept, alike)
        found = telling.attribution()
        if telling.is_every_job_filling or any(culprit.every for culprit in found.culprits):
            return found
    return _Telling(search, chosen, kept, doubted=unproven(search, chosen, tried)).attribution()


class _Telling:
    """Judges the columns that a search chose."""

    def __init__(
        self,
        search: Search,
        chosen: list[int],
        kept: Kept,
        alike: Everyone | None = None,
        doubted: Collection[int] = (),
    ) -> None:
        """``doubted``: names among the chosen that are no better than all works together."""
        self.search, self.chosen, self.kept, self.alike = search, chosen, kept, alike
        self.fit = search.pruned(chosen)
        explained = sum(self.fit.of(column) * search.totals[column] for column in self.fit.columns)
        self.total = max(sum(search.growth), explained)
        self.doubted = [name for name in doubted if not self._keeps(name, self.fit.of(name) * search.totals[name])]
        self.filling = [name for name in chosen if search.is_work(name) and is_filling(search, name, chosen)]

    def attribution(self) -> Attribution:
        if self.total <= 0:
            return Attribution((), NONE)
        found: dict[int, Culprit] = {}
        if (every := self._every()) is not None:
            found[NO_WORK] = every
        for name in self.chosen:
            if name in self.search.names and (culprit := self._culprit(name)) is not None:
                found.setdefault(culprit.works[0], culprit)
        by_time = self._share(self.fit, SECONDS)
        filled, doubted = self._filled(), sum(self._share(self.fit, name) for name in self.doubted)
        alike: list[int] = []
        if by_time >= BULK or not (found or max(doubted, filled) >= BULK):
            even, alike = self._even(max(by_time, 1.0 - sum(culprit.share for culprit in found.values())))
            if even is not None:
                by_time = 0.0
                found.setdefault(even.works[0], even)
        culprits = tuple(sorted(found.values(), key=lambda culprit: -culprit.share)[:MOST_CULPRITS])
        if alike or any(len(culprit.works) > 1 for culprit in culprits):
            works = tuple(self.search.names[name] for name in alike)
            return Attribution(culprits, TOGETHER, works if len(works) <= MOST_TOGETHER else ())
        if by_time >= BULK:
            return Attribution(culprits, TIME)
        if max(doubted, filled) >= BULK:
            return Attribution(culprits, FILLING if filled >= doubted else TOGETHER)
        if culprits and culprits[0].every:
            return Attribution(culprits, EVERY_JOB)
        return Attribution(culprits, EXPLAINED if culprits else NONE)

    @property
    def is_every_job_filling(self) -> bool:
        """Whether all jobs alike fill a cache or a pool."""
        return self.search.everyone in self.filling

    def _filled(self) -> float:
        """The share of caches and pools."""
        columns = {*self.filling, *self.search.filled_by}.intersection(self.fit.columns)
        return sum(self._share(self.fit, column) for column in columns)

    def _share(self, fit: Fit, column: int) -> float:
        return fit.of(column) * self.search.totals[column] / self.total

    def _every(self) -> Culprit | None:
        """What all jobs explain, where they keep alike."""
        column = self.search.everyone
        if self.alike is None or column is None or column in self.filling:
            return None
        if self._share(self.fit, column) < LEAST_SHARE:
            return None
        interval = self._interval(self.fit, column)
        if interval is None:
            return None
        share = min(1.0, self._share(self.fit, column))
        return Culprit((), *interval, share, REGRESSION, every=self.alike.kinds, but=self.alike.but)

    def _culprit(self, name: int) -> Culprit | None:
        """What a chosen name explains, or those that explain it as well."""
        growth = self.fit.of(name) * self.search.totals[name]
        if growth < LEAST_SHARE * self.total or name in self.filling or name in self.doubted:
            return None
        likeness = self.search.likeness(name, self.chosen)
        keeps = {other: self._keeps(other, growth) for other in likeness}
        near = [other for other, worse in likeness.items() if worse < ALIKE]
        sure = [other for other, worse in likeness.items() if keeps[other] and worse < BELIEVED]
        group, source = near, REGRESSION
        if sure and (len(near) > 1 or keeps[name] is False):
            group, source = sure, "direct"
        elif len(near) > 1:
            group = [other for other in near if keeps[other] is not False] or near
        if not group:
            group = [name]
        first = group[0]
        fit = self.fit
        if first != name:
            fit = self.search.pruned([first if other == name else other for other in self.chosen])
        interval = self._interval(fit, first)
        if interval is None:
            return None
        works = tuple(self.search.names[other] for other in group[:MOST_TOGETHER])
        return Culprit(works, *interval, min(1.0, self._share(fit, first)), source)

    def _interval(self, fit: Fit, column: int) -> tuple[float, float, float] | None:
        """``(per_call, low, high)`` of a column; ``None`` where it may be nothing."""
        if column not in fit.columns:
            return None
        error, per_call = self.search.regression.error(fit, column), fit.of(column)
        quantile = student_quantile(len(self.search.growth) - len(fit.columns))
        rough = ROUGH * sum(self._share(fit, other) for other in fit.columns if self.search.is_rough(other))
        model = MODEL_ERROR * per_call + rough * self.total / self.search.totals[column]
        half = quantile * math.hypot(error, model)
        return (per_call, per_call - half, per_call + half) if per_call > half else None

    def _keeps(self, name: int, growth: float) -> bool | None:
        keeps = self.kept.keeps(self.search.names[name], growth / self.search.totals[name])
        return None if keeps and grows_without(self.search, name) else keeps

    def _unlikely(self, name: int, growth: float) -> float:
        return self.kept.unlikely(self.search.names[name], growth / self.search.totals[name])

    def _even(self, share: float) -> tuple[Culprit | None, list[int]]:
        """Who made what grows as evenly as time passes: the names whose calls kept blocks, else all that may have."""
        growth = share * self.total
        likeness = self.search.likeness(SECONDS, self.chosen)
        near = [name for name, worse in likeness.items() if worse < ALIKE or is_even(self.search, name)]
        keeps = {name: self._keeps(name, growth) for name in near}
        sure = [name for name in near if keeps[name]]
        best = min((likeness[name] for name in sure), default=0.0)
        sure = [name for name in sure if likeness[name] < best + CLEAR]
        if not sure:
            return None, [name for name in near if keeps[name] is None]
        sure.sort(key=lambda name: min(likeness[name], ALIKE) + self._unlikely(name, growth))
        per_call = growth / self.search.totals[sure[0]]
        works = tuple(self.search.names[name] for name in sure[:MOST_TOGETHER])
        low, high = self.kept.scaled(works[0], per_call)
        return Culprit(works, per_call, low, high, min(1.0, share), "direct"), []
