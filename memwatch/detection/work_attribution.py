"""Which work (views, tasks, commands) explains the growth of a leak: per call of which, how much, how surely."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memwatch.detection.statistics.nonnegative import Fit, Noise, Regression, likely_ratio, student_quantile

EXPLAINED = ""
TIME = "time"
TOGETHER = "together"
NONE = "none"
FEW = "few"

LEAST_STEPS = 8
LEAST_CALLED = 3
"""Steps with a call of it that a name must have."""
MOST_COLUMNS = 60
MOST_CULPRITS = 5
LEAST_SHARE = 0.04
MOST_TOGETHER = 6
ALIKE = 5.0
"""Twice the difference of log-likelihoods below which two explanations cannot be told apart."""
WARM_UPS = (0.5, 3.0, 10.0)
"""Steps over which a process's start fades."""
BULK = 0.5
"""Share of the growth from which on an explanation is the explanation."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in a process between two censuses."""

    seconds: float
    growth: float
    """Of the leaking figure."""
    calls: Mapping[int, int]
    """That ended in between, by work."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Memory blocks kept in the calls of one work that ran alone in their process."""

    calls: int
    blocks_calls: int
    blocks: float
    blocks_squares: float

    def interval(self) -> tuple[float, float, float] | None:
        """``(mean, low, high)`` of blocks a call, 95 %."""
        n = self.blocks_calls
        if n < 5:
            return None
        mean = self.blocks / n
        variance = max(0.0, self.blocks_squares / n - mean**2) * n / (n - 1)
        half = student_quantile(n - 1) * math.sqrt(variance / n)
        return mean, mean - half, mean + half


@dataclass(frozen=True, slots=True)
class Culprit:
    """Work that explains a part of the growth."""

    works: tuple[int, ...]
    """Several: they run together, and cannot be told apart. The likeliest is first."""
    per_call: float
    low: float
    high: float
    share: float
    """Of the growth, from 0 to 1."""
    source: str
    """``regression``, or ``direct`` where the blocks of single calls told it."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The culprits, largest share first, and what is to say besides."""

    culprits: tuple[Culprit, ...]
    remark: str
    alike: tuple[int, ...] = ()
    """Work that runs as evenly as time passes, where the growth does too."""


def attribute(processes: Sequence[Sequence[Step]], direct: Mapping[int, Direct] | None = None) -> Attribution:
    """Explain the growth. Each process gives its steps in order; after a gap they continue as another process."""
    runs = [steps for steps in processes if steps]
    if sum(map(len, runs)) < LEAST_STEPS:
        return Attribution((), FEW)
    return _Search(runs, direct or {}).attribution()


class _Search:
    """One attribution in the making."""

    def __init__(self, runs: Sequence[Sequence[Step]], direct: Mapping[int, Direct]) -> None:
        self.direct = direct
        self.lengths = [len(run) for run in runs]
        steps = [step for run in runs for step in run]
        self.growth = [step.growth for step in steps]
        called = Counter(work for step in steps for work, calls in step.calls.items() if calls > 0)
        self.works = sorted(work for work, times in called.items() if times >= LEAST_CALLED)
        places = [place for length in self.lengths for place in range(length)]
        rivals = [[step.seconds for step in steps]]
        rivals += [[math.exp(-place / fade) for place in places] for fade in WARM_UPS]
        self.rivals = range(len(rivals))
        self.columns = rivals + [[float(step.calls.get(work, 0)) for step in steps] for work in self.works]
        self.names = range(len(rivals), len(self.columns))
        self.totals = [sum(column) for column in self.columns]
        busy = [float(sum(step.calls.values())) for step in steps]
        self.regression = Regression([], [])
        self._whiten(likely_ratio(self.lengths, self._rest_of([*rivals, busy])))

    def _rest_of(self, columns: list[list[float]]) -> list[float]:
        raw = Regression(columns, self.growth)
        return raw.residuals(raw.fit(range(len(columns))))

    def _whiten(self, ratio: float) -> None:
        self.ratio = ratio
        noise = Noise.of(self.lengths, ratio)
        self.regression = Regression([noise.whitened(column) for column in self.columns], noise.whitened(self.growth))

    def attribution(self) -> Attribution:
        """Search, and search anew while the residuals show other noise."""
        for _round in range(3):
            chosen = self._chosen()
            fit = self._fit(chosen)
            ratio = likely_ratio(self.lengths, self._raw_residuals(fit))
            if ratio == self.ratio:
                break
            self._whiten(ratio)
        else:
            chosen = self._chosen()
        return self._told(chosen)

    def _raw_residuals(self, fit: Fit) -> list[float]:
        rest = list(self.growth)
        for column, coefficient in zip(fit.columns, fit.coefficients, strict=True):
            rest = [value - coefficient * x for value, x in zip(rest, self.columns[column], strict=True)]
        return rest

    def _fit(self, names: Sequence[int]) -> Fit:
        return self.regression.fit([*self.rivals, *names])

    def _better(self, before: float, after: float) -> float:
        """Twice the difference of log-likelihoods."""
        return len(self.growth) * math.log(max(before, 1e-300) / max(after, 1e-300))

    def _chosen(self) -> list[int]:
        """Few columns that explain the growth: add, swap and drop one at a time (extended BIC)."""
        price = math.log(len(self.growth)) + 2 * math.log(max(len(self.names), 2))
        chosen: list[int] = []
        fit = self._fit(chosen)
        while len(chosen) < MOST_CULPRITS + 3:
            gains = self.regression.gains(fit, self.names)
            if not gains:
                break
            best = max(gains, key=gains.__getitem__)
            trial = self._swapped([*chosen, best])
            after = self._fit(trial)
            if self._better(fit.rest, after.rest) < price or len(self.growth) <= len(after.columns) + 3:
                break
            chosen, fit = trial, after
        return self._needed(chosen, price)

    def _swapped(self, chosen: list[int]) -> list[int]:
        """Each name replaced by a better one, given the others."""
        if len(chosen) < 2:
            return chosen
        for place in range(len(chosen) - 1):
            base = self._fit([*chosen[:place], *chosen[place + 1 :]])
            gains = self.regression.gains(base, self.names)
            if gains:
                best = max(gains, key=gains.__getitem__)
                if best not in chosen:
                    chosen = [*chosen[:place], best, *chosen[place + 1 :]]
        return chosen

    def _needed(self, chosen: list[int], price: float) -> list[int]:
        fit = self._fit(chosen)
        chosen = [name for name in chosen if name in fit.columns]
        while chosen:
            without = {name: self._fit([other for other in chosen if other != name]).rest for name in chosen}
            least = min(without, key=without.__getitem__)
            if self._better(without[least], self._fit(chosen).rest) >= price:
                break
            chosen.remove(least)
        return chosen

    def _alike(self, name: int, chosen: Sequence[int]) -> list[int]:
        """The names that explain as well what ``name`` does, itself included, best first."""
        base = self._fit([other for other in chosen if other != name])
        gains = self.regression.gains(base, [other for other in self.names if other == name or other not in chosen])
        rest = base.rest - gains.get(name, 0.0)
        floor = 1e-9 * self.regression.squares
        alike = [n for n, gain in gains.items() if self._better(base.rest - gain + floor, rest + floor) < ALIKE]
        return sorted(alike, key=lambda n: -gains[n])

    def _told(self, chosen: list[int]) -> Attribution:
        fit = self._fit(chosen)
        total = max(sum(self.growth), sum(fit.of(c) * self.totals[c] for c in fit.columns))
        if total <= 0:
            return Attribution((), NONE)
        errors = dict(zip(fit.columns, self.regression.errors(fit), strict=True))
        quantile = student_quantile(len(self.growth) - len(fit.columns))
        culprits = []
        for name in chosen:
            if name not in errors:
                continue
            coefficient, half = fit.of(name), quantile * errors[name]
            share = coefficient * self.totals[name] / total
            if coefficient - half <= 0 or share < LEAST_SHARE:
                continue
            works = tuple(self.works[n - self.names.start] for n in self._alike(name, chosen))
            culprits.append(Culprit(works, coefficient, coefficient - half, coefficient + half, share, "regression"))
        culprits.sort(key=lambda culprit: -culprit.share)
        del culprits[MOST_CULPRITS:]
        return self._remarked(culprits, fit, total)

    def _remarked(self, culprits: list[Culprit], fit: Fit, total: float) -> Attribution:
        by_time = fit.of(0) * self.totals[0] / total
        if any(len(culprit.works) > 1 for culprit in culprits):
            return Attribution(tuple(culprits), TOGETHER)
        if by_time >= BULK:
            return Attribution(tuple(culprits), TIME)
        if not culprits:
            return Attribution((), NONE)
        return Attribution(tuple(culprits), EXPLAINED)
