"""The search for the few works whose calls go with growth, among rivals: time, a process's start, calls in flight."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter, mul
from statistics import median

from memwatch.detection.statistics.estimators import GAUSSIAN_MAD
from memwatch.detection.statistics.nonnegative import EXACT, Fit, Regression
from memwatch.detection.statistics.step_noise import Noise, likely_kind
from memwatch.detection.work.steps import Step, added_up, fading, in_flight

ALIKE = 5.0
"""Twice the difference of log-likelihoods below which two explanations cannot be distinguished."""
LEAST_CALLED = 3
"""Steps with a call of it that a name must have."""
MOST_NAMES = 40
"""Names that are looked at closely."""
MOST_CHOSEN = 8
STARTS = (0, 1, 2)
"""Steps of a process that may be its start, each by itself."""
WARM_UPS = (3.0, 10.0)
"""Steps over which a start fades."""
AGES = (1, 2, 4)
"""Steps of a process from which on its noise is judged by itself: a start has more."""
LEAST_AGED = 2
MOST_VARIANCE = 1e7
FILLED = (0.05, 0.15)
"""Shares of a name's calls over which a cache fades that they fill."""
ROUNDS = 4
JUMP = 8.0
"""Standard deviations from which on a step is a jump."""
MOST_JUMPS = 4
SECONDS = 0
"""The column of elapsed seconds."""


class Search:
    """One attribution in the making. Columns are numbered: time first, then the other rivals, then names."""

    def __init__(self, runs: Sequence[Sequence[Step]], together: Collection[int] = ()) -> None:
        """``together``: works whose calls, added up, are one more candidate."""
        self.lengths = [len(run) for run in runs]
        steps = [step for run in runs for step in run]
        self.steps = steps
        self.growth = [step.growth for step in steps]
        places = [place for length in self.lengths for place in range(length)]
        self.ages = [bisect_right(AGES, place) for place in places]
        self.variances = [1.0] * (len(AGES) + 1)
        busy = [float(sum(step.calls.values())) for step in steps]
        self.columns = [[step.seconds for step in steps]]
        self.columns += [[float(place == start) for place in places] for start in STARTS]
        self.columns += [[math.exp(-place / fade) for place in places] for fade in WARM_UPS]
        self.columns += in_flight(self.lengths, busy)
        self.rivals = list(range(len(self.columns)))
        self.common = len(self.columns)
        called = Counter(work for step in steps for work, calls in step.calls.items() if calls > 0)
        works = sorted(work for work, times in called.items() if times >= LEAST_CALLED)
        self.price = math.log(len(steps)) + 2 * math.log(max(len(works), 2))
        raw = Regression([*self.columns, busy], self.growth)
        rest = raw.residuals(raw.fit(range(len(raw.columns))))
        self.kind = likely_kind(self._stays(), rest)
        self.names: dict[int, int] = {}
        self.filled_by: dict[int, int] = {}
        """By column of a cache that fills: whose calls fill it."""
        found = [[float(step.calls.get(work, 0)) for step in steps] for work in works]
        for work, column in self._screened(works, found, raw):
            self.names[len(self.columns)] = work
            self.columns.append(column)
        for name in self.names:
            self.filled_by[len(self.columns)] = name
            self.columns.append(fading(self.lengths, self.columns[name], FILLED[-1]))
        self.candidates = [*self.names, *self.filled_by]
        self.everyone: int | None = None
        """The column of all calls of ``together``."""
        if together:
            self.everyone = len(self.columns)
            self.columns.append(added_up(steps, together))
            self.candidates.append(self.everyone)
        self.totals = [sum(column) for column in self.columns]
        self.looked_at: set[int] = set()
        self.jumps: set[int] = set()
        self._whiten()

    def _screened(
        self, works: Sequence[int], columns: Sequence[list[float]], raw: Regression
    ) -> list[tuple[int, list[float]]]:
        """The names whose calls go best with what the rivals leave."""
        pairs = list(zip(works, columns, strict=True))
        if len(pairs) <= MOST_NAMES:
            return pairs
        noise = Noise.of(self._stays(), self.kind)
        rest = noise.whitened(raw.residuals(raw.fit(range(len(raw.columns) - 1))))
        time = noise.whitened(self.columns[0])
        even = sum(map(mul, time, time))

        def fits(pair: tuple[int, list[float]]) -> float:
            white = noise.whitened(pair[1])
            own = sum(map(mul, white, white)) - sum(map(mul, white, time)) ** 2 / even
            return sum(map(mul, white, rest)) / math.sqrt(own) if own > 0 else 0.0

        return sorted(pairs, key=fits, reverse=True)[:MOST_NAMES]

    def _whiten(self) -> None:
        self.near: Fit | None = None
        self.noise = Noise.of(self._stays(), self.kind)
        self.regression = Regression(
            [self.noise.whitened(column) for column in self.columns], self.noise.whitened(self.growth)
        )

    def chosen(self) -> list[int]:
        """Search again and again, while there is something new to hold against what was found."""
        self._note_jumps(self.fit([]))
        chosen = self._chosen()
        for _round in range(ROUNDS):
            self._note_jumps(self.fit(chosen))
            changed = self._new_noise(self.fit(chosen))
            new = [name for name in chosen if self.is_work(name) and name not in self.looked_at]
            if not new and not changed:
                break
            for name in new:
                self._look_at(name)
            if changed:
                self._whiten()
            chosen = self._chosen()
        return chosen

    def _new_noise(self, fit: Fit) -> bool:
        """Judge the noise by the residuals: that of young processes, and how much of it comes and goes."""
        squares: list[list[float]] = [[] for _age in self.variances]
        for age, rest in zip(self.ages, self.regression.residuals(fit), strict=True):
            squares[age].append(rest * rest)
        sizes = [sum(found) / len(found) if len(found) >= LEAST_AGED else 0.0 for found in squares]
        usual = next((size for size in reversed(sizes) if size > 0), 0.0)
        before, kind = self.variances, self.kind
        if usual > 0:
            new = [(v + 2 * kind.ratio) * size / usual - 2 * kind.ratio for v, size in zip(before, sizes, strict=True)]
            self.variances = [min(max(variance, 1.0), MOST_VARIANCE) for variance in new]
        self.kind = likely_kind(self._stays(), self._raw_residuals(fit))
        same = all(0.6 < a / b < 1.6 for a, b in zip(before, self.variances, strict=True))
        return not same or self.kind != kind

    def _stays(self) -> list[list[float]]:
        """The variance of what stays, by run and step."""
        return [[self.variances[bisect_right(AGES, place)] for place in range(length)] for length in self.lengths]

    def _look_at(self, name: int) -> None:
        """Hold its own calls in flight and a cache that it fills against a name."""
        self.looked_at.add(name)
        calls = self.columns[name]
        for column in in_flight(self.lengths, calls):
            self.rivals.append(self.add(column))
        for share in FILLED:
            self.rivals.append(self.add(fading(self.lengths, calls, share)))
            self.filled_by[self.rivals[-1]] = name

    def add(self, column: list[float]) -> int:
        """One column more, which no fit contains by itself."""
        self.columns.append(column)
        self.totals.append(sum(column))
        self.regression.columns.append(self.noise.whitened(column))
        return len(self.columns) - 1

    def _note_jumps(self, fit: Fit) -> None:
        """Let steps with far too much growth explain themselves, such as an import.

        Not those with far too little: there the collector takes away what calls left in the steps before.
        """
        rests = self.regression.residuals(fit)
        far = JUMP * GAUSSIAN_MAD * median(map(abs, rests))
        places = sorted((place for place, rest in enumerate(rests) if rest > far), key=rests.__getitem__, reverse=True)
        for place in places[:MOST_JUMPS]:
            if place not in self.jumps and len(self.jumps) < 2 * MOST_JUMPS:
                column = [0.0] * len(rests)
                column[place] = 1.0
                self.jumps.add(place)
                self.candidates.append(self.add(column))

    def _raw_residuals(self, fit: Fit) -> list[float]:
        rest = list(self.growth)
        for column, coefficient in zip(fit.columns, fit.coefficients, strict=True):
            rest = [value - coefficient * x for value, x in zip(rest, self.columns[column], strict=True)]
        return rest

    def fit(self, names: Iterable[int]) -> Fit:
        """The rivals and these."""
        self.near = self.regression.fit([*self.rivals, *names], self.near)
        return self.near

    def better(self, before: float, after: float) -> float:
        """Twice the difference of log-likelihoods."""
        return len(self.growth) * math.log(max(before, 1e-300) / max(after, 1e-300))

    def is_gain(self, fit: Fit, gain: float) -> bool:
        """Whether what a name would take off the rest is more than chance."""
        return self.better(fit.rest, fit.rest - gain) >= self.price

    def cost(self, chosen: Sequence[int]) -> float:
        """Of an explanation: the least is the best (extended BIC)."""
        return len(self.growth) * math.log(max(self.fit(chosen).rest, 1e-300)) + self.price * len(chosen)

    def _chosen(self) -> list[int]:
        """Few columns that explain the growth: add, swap and drop one at a time (extended BIC)."""
        chosen: list[int] = []
        fit = self.fit(chosen)
        while len(chosen) < MOST_CHOSEN:
            gains = self.regression.gains(fit, self.candidates)
            if not gains:
                break
            best = max(gains, key=gains.__getitem__)
            trial = self._swapped([*chosen, best])
            after = self.fit(trial)
            if self.better(fit.rest, after.rest) < self.price or len(self.growth) <= len(after.columns) + 3:
                break
            chosen, fit = trial, after
        return self.needed(chosen)

    def _swapped(self, chosen: list[int]) -> list[int]:
        """Each name replaced by a better one, given the others."""
        if len(chosen) < 2:
            return chosen
        for place in range(len(chosen) - 1):
            base = self.fit([*chosen[:place], *chosen[place + 1 :]])
            gains = self.regression.gains(base, self.candidates)
            if gains:
                best = max(gains, key=gains.__getitem__)
                if best not in chosen:
                    chosen = [*chosen[:place], best, *chosen[place + 1 :]]
        return chosen

    def needed(self, chosen: list[int]) -> list[int]:
        """Those that explain more than they cost."""
        fit = self.fit(chosen)
        chosen = [name for name in chosen if name in fit.columns]
        while chosen:
            without = {name: self.fit([other for other in chosen if other != name]).rest for name in chosen}
            least = min(without, key=without.__getitem__)
            if self.better(without[least], self.fit(chosen).rest) >= self.price:
                break
            chosen.remove(least)
        return chosen

    def pruned(self, chosen: list[int]) -> Fit:
        """The fit without the rivals that it does as well without: they would take a part of the growth by chance."""
        fit = self.fit(chosen)
        cheap = math.log(len(self.growth))
        while True:
            losses = {
                column: coefficient**2 / fit.inverse[i][i]
                for i, (column, coefficient) in enumerate(zip(fit.columns, fit.coefficients, strict=True))
                if column in self.rivals
            }
            if not losses:
                return fit
            least = min(losses, key=losses.__getitem__)
            if self.better(fit.rest + losses[least], fit.rest) >= (cheap if least < self.common else self.price):
                return fit
            fit = self.regression.fit([column for column in fit.columns if column != least], fit)

    def likeness(self, column: int, chosen: Sequence[int]) -> dict[int, float]:
        """How much worse each name explains what ``column`` (a name, or time) does: best first, 0 for the best."""
        others = [other for other in chosen if other != column]
        base = self.regression.fit([*(rival for rival in self.rivals if rival != column), *others], self.near)
        gains = self.regression.gains(base, [column, *(name for name in self.names if name not in chosen)])
        floor = EXACT * self.regression.squares
        rests = {name: base.rest - gain + floor for name, gain in gains.items()}
        best = min(rests.values(), default=0.0)
        found = {name: self.better(rest, best) for name, rest in rests.items() if name in self.names}
        return dict(sorted(found.items(), key=itemgetter(1)))

    def is_rough(self, column: int) -> bool:
        """Whether a column describes a process's start, or a cache that fills."""
        return column != SECONDS and not self.is_work(column)

    def is_work(self, column: int) -> bool:
        """Whether a column is the calls of a name, or of all together."""
        return column in self.names or column == self.everyone
