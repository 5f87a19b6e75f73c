"""Does it go on? A plateau, a step, a day's curve end; a leak does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

from memwatch.detection.case import FLOOR_POINTS, Case, Decision
from memwatch.detection.statistics.curve_models import DAY_S, JUST_BEGUN
from memwatch.detection.statistics.estimators import GAUSSIAN_MAD, mann_kendall, mann_whitney, solve, theil_sen, thin
from memwatch.detection.statistics.model_comparison import NOISE_FLOOR_SHARE, SEASON_MIN_S
from memwatch.detection.statistics.robust_weights import OUTLIER_SIGMAS

HARMLESS, LEAKING, SURE = 0.25, 0.5, 0.99
"""Probabilities of a leaking shape: below the first it is none, from the second it is one, from the third for sure."""
LEAKING_MEMORY = 0.8
"""The same for memory that no type and no container accounts for: every cache of the process that fills is in it."""
NOT_LEVEL = 0.1
"""A harmless curve that rises at its end by more of its mean slope is no plateau yet."""
LATE_SHARE = 0.6
"""What the last part must be able to rise, of the whole's slope: a slowing leak still does, a plateau does not."""
EVEN_WHEN_FLAT = frozenset({"daily curve on a line", "line along the work done"})
"""Leaks whose last part may be flat: an evening, a pause."""

PAUSE_PART, PAUSE_SIGMAS = 5, 4.5
"""The last fifth of the steps, and a gap that the noise of two points makes once in two hundred times."""

STOPPED_SHARE, STOPPED_P = 0.3, 0.002
"""Last steps under a third of the earlier ones' mean, by three lengths that are tried: 1 in 500 for each."""

SLOWING_FROM, SLOWING_STEPS = 0.25, 8
"""The first quarter is a warm-up; a falling rate takes eight steps to show."""
SLOWING, SLOWING_MEMORY = (0.65, 0.01), (0.7, 0.02)
"""What the rate must keep from there to the end, and the chance that it falls so steadily all the same: of what is
counted one by one, where a lower load is the likelier reason, and of memory that nothing names. Among n requests, keys
that come by popularity are n to the power of .4 to .7 (Heaps' law): their rate ends at .44 to .66 of what it was after
the first quarter."""

SEASON_GAIN, SEASON_POINTS = 0.01, 200
"""A leak of 2 % an hour gains 48 % a day; one that matters within a quarter gains 1 %."""


def shape(case: Case) -> Decision | None:
    """5. Is a leaking shape more likely than a harmless one?"""
    shapes = case.shapes
    if shapes is None:
        return None
    harmless, probability = shapes.harmless, shapes.probability
    case.found |= {"shape": shapes.leaking.name, "harmless_shape": harmless.name, "leak_probability": probability}
    least = LEAKING_MEMORY if case.series.unit in ("blocks", "KiB") else LEAKING
    if probability >= least:
        return None
    if probability >= HARMLESS:
        return Decision("not enough data", "shape", f"a leak or a {harmless.name}: more points will tell")
    if harmless.name == "daily curve" and case.span_s < 2 * DAY_S:
        return Decision("not enough data", "shape", "a daily curve fits as well: two days will tell")
    if harmless.late > NOT_LEVEL:
        so_far = "has only just begun to rise" if harmless.late > JUST_BEGUN else "slows down, and is not level yet"
        return Decision("not enough data", "shape", f"it {so_far}: more points will tell")
    return Decision("expected", "shape", f"{harmless.name}, which fits better than any leak")


def still_growing(case: Case) -> Decision | None:
    """6. Does the last part still rise, or can it at least?"""
    if case.shapes is not None and case.shapes.leaking.name in EVEN_WHEN_FLAT:
        return None
    share, most = case.late_share
    case.found |= {"late_share": share, "late_share_high": most}
    if most >= LATE_SHARE:
        return None
    return Decision(
        "expected",
        "still_growing",
        f"stopped growing (late slope is {max(0.0, share) * 100:.0f} % of the overall slope)",
    )


def stopped(case: Case) -> Decision | None:
    """7. Are the last steps lower than those before?"""
    sure = case.shapes is not None and case.shapes.probability >= SURE
    if case.sawtooth or sure:
        return None
    rates = [
        (b - a) / (u - t) for t, u, a, b in zip(case.times, case.times[1:], case.values, case.values[1:], strict=False)
    ]
    for share in (3, 5, 8):
        m = len(rates) // share
        if m < 4:
            continue
        late, early = rates[-m:], rates[:-m]
        mean = fmean(early)
        if mean > 0 and fmean(late) < STOPPED_SHARE * mean and (p := mann_whitney(late, early)) < STOPPED_P:
            case.found["stopped_p"] = p
            percent = max(0.0, fmean(late)) / mean * 100
            reason = f"stopped growing (the last {m} steps rise {percent:.0f} % as fast as those before)"
            return Decision("expected", "stopped", reason)
    return None


def paused(case: Case) -> Decision | None:
    """7b. With few points: have the very last ones stopped, by more than noise? It may be full, or resting."""
    n = len(case.values)
    resting = case.shapes is not None and case.shapes.leaking.name in EVEN_WHEN_FLAT
    if n >= FLOOR_POINTS or case.sawtooth or resting:
        return None
    tail = max(2, n // PAUSE_PART)
    expected = case.raw_slope.slope * (case.times[-1] - case.times[-1 - tail])
    gained = case.values[-1] - case.values[-1 - tail]
    case.found["last_gain_share"] = gained / expected if expected > 0 else 0.0
    if gained < STOPPED_SHARE * expected and expected - gained > PAUSE_SIGMAS * case.sigma:
        return Decision("not enough data", "paused", f"the last {tail} steps hardly rose: full, or resting")
    return None


def slowing(case: Case) -> Decision | None:
    """7c. Does its rate fall? A leak of every request goes on, a cache meets ever fewer keys that are new.

    The rate is by the work done where that is counted. Of memory that nothing names only a steady rate speaks for a
    leak; in a window of hours, that of a count may fall with the day's load.
    """
    memory = case.series.unit in ("blocks", "KiB")
    resting = case.shapes is not None and case.shapes.leaking.name in EVEN_WHEN_FLAT
    if case.sawtooth or resting or (case.span_s >= SEASON_MIN_S and not memory):
        return None
    start = case.times[0] + SLOWING_FROM * case.span_s
    rates = [(time, rate) for time, rate in _rates(case) if time >= start]
    if len(rates) < SLOWING_STEPS:
        return None
    times, values = [time for time, _ in rates], [rate for _, rate in rates]
    trend, mean = mann_kendall(values), fmean(values)
    bend = theil_sen(times, values).slope * (times[-1] - times[0]) / 2
    share = (mean + bend) / (mean - bend) if bend < mean else 1.0
    case.found |= {"rate_share": share, "rate_p": trend.p / 2 if trend.s < 0 else 1 - trend.p / 2}
    least, chance = SLOWING_MEMORY if memory else SLOWING
    if share >= least or case.found["rate_p"] >= chance or _fell_once(times, values):
        return None
    reason = f"its rate falls, to {max(0.0, share) * 100:.0f} % so far, as that of a cache which fills does"
    return Decision("not enough data", "slowing", reason)


def _fell_once(times: Sequence[float], rates: Sequence[float]) -> bool:
    """Whether two levels tell the rates better than a line: a part was full, or the load fell, and the rest goes on.

    By Schwarz's criterion, where the place of the fall counts as two parameters; single steps far out are drawn in.
    """
    n, slope = len(rates), theil_sen(times, rates).slope
    base = median(rate - slope * time for time, rate in zip(times, rates, strict=True))
    line = [base + slope * time for time in times]
    rests = [rate - level for rate, level in zip(rates, line, strict=True)]
    limit = OUTLIER_SIGMAS * GAUSSIAN_MAD * median(map(abs, rests))
    tamed = [level + max(-limit, min(limit, rest)) for level, rest in zip(line, rests, strict=True)]
    solved = solve(([1.0] * n, [(time - times[0]) / (times[-1] - times[0]) for time in times]), tamed, [1.0] * n)
    if solved is None:
        return False
    apart = min(_spread(tamed[:k]) + _spread(tamed[k:]) for k in range(2, n - 1))
    noise = n * (NOISE_FLOOR_SHARE * fmean(rates)) ** 2
    return n * math.log((apart + noise) / (solved[1] + noise)) + 2 * math.log(n) < 0


def _spread(values: Sequence[float]) -> float:
    """Squares about the mean."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values)


def _rates(case: Case) -> list[tuple[float, float]]:
    """Growth by the second, or by the request and task where they are counted, and when."""
    work = case.history.work()
    done = dict(zip(case.history.times, case.history.times if work is None else work, strict=True))
    points = [(time, done[time], value) for time, value in zip(case.times, case.values, strict=True)]
    return [(time, (b - a) / (u - x)) for (_, x, a), (time, u, b) in pairwise(points) if u > x]


def season(case: Case) -> Decision | None:
    """10. With two days and more: is it higher than at the same hour of the day before?"""
    if case.span_s < 2 * DAY_S:
        return None
    times, values = thin(case.times, case.values, SEASON_POINTS)
    points = list(zip(times, values, strict=True))
    gains = []
    for time, value in points:
        before = [v for t, v in points if abs(time - DAY_S - t) <= 3600]
        if before and median(before) > 0:
            gains.append(value / median(before) - 1)
    if len(gains) < 4:
        return None
    gain = median(gains)
    case.found["day_on_day"] = gain
    if gain < SEASON_GAIN:
        return Decision("expected", "season", f"daily: {gain * 100:.1f} % above the same hour of the day before")
    return None
