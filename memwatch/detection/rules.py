"""The rules, in the order of :data:`RULES`. Each settles a case or passes it on; what no rule settles is a leak."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, median

from memwatch.detection.case import FLOOR_POINTS, Case, Decision, Rule
from memwatch.detection.estimators import drawdown, mann_whitney, theil_sen, thin
from memwatch.detection.families import DAY_S
from memwatch.detection.garbage import full_collection
from memwatch.detection.gates import WATCH_POINTS, gates
from memwatch.detection.series import takes_blocks

MIN_POINTS = 8
"""Fewer show neither a plateau nor a saw-tooth."""

WATCH_SPAN_S = 60.0
"""... and for the first minute of a process to pass: imports, connections and caches are filled in it."""

WATCH_MEMORY_SPAN_S = 540.0
"""... and longer for memory that neither a type nor a container explains: the interpreter's free lists (40,000 tuples
in CPython 3.11, emptied by full collections only), statement caches and arenas fill in the first minutes."""

FEW_RISING, FEW_LATE_SHARE = 0.8, 0.3
"""Of so few steps this share must rise, and the later half at this share of the mean rate."""
DIRECT_LATE_SHARE, DIRECT_LAST_SHARE = 0.7, 0.5
"""The length of one container has no noise: a rate that falls is one that ends. The last step
may be half a job short."""

LET_GO_SHARE = 0.5
"""Looks that are fewer than the snapshots may miss that a container is emptied; half of its growth in blocks let go
between two snapshots is a sign of it."""

WATCH_LOOKS = 6
"""Looks at containers are dearer than counts and come at every third to fifth."""

FLOOR_OF_CONTRACT = 0.5
"""The share of the contract's thresholds that must be left of the growth at its lowest points."""
FLOOR_SIGMAS, MAX_FALL_BACK = 6.0, 0.2
"""Where the contract's gate did not open: a gain that noise does not reach, and that is not given back again."""

WARM_UP_SHARE, LEFT_OF_GATE = 0.25, 0.4
"""Of the time seen, and what of the gate's growth must be left without it: a line keeps two thirds in percent."""

TREND_P, TREND_TAU = 0.05, 0.45
"""Mann-Kendall over eight floors reaches tau .45 by chance once in fifteen times, with p as second guard."""

JUMPS, JUMPS_SHARE = 3, 0.75
"""A table that doubles its room jumps once an octave: so many jumps are no rate yet. A steady leak of twelve points
has a quarter of its growth in the three largest steps, bursts of some 25 have a third."""

HARMLESS, LEAKING, SURE = 0.25, 0.5, 0.99
"""Probabilities of a leaking shape: below the first it is none, from the second it is one, from the third for sure."""
LEAKING_MEMORY = 0.8
"""The same for memory that no type and no container accounts for: every cache of the process that fills is in it."""
LATE_SHARE = 0.6
"""What the last part must be able to rise, of the whole's slope: a slowing leak still does, a plateau does not."""
EVEN_WHEN_FLAT = frozenset({"daily curve on a line", "line along the work done"})
"""Leaks whose last part may be flat: an evening, a pause."""

PAUSE_PART, PAUSE_SIGMAS = 5, 4.5
"""The last fifth of the steps, and a gap that the noise of two points makes once in two hundred times."""

STOPPED_SHARE, STOPPED_P = 0.3, 0.002
"""Last steps under a third of the earlier ones' mean, by three lengths that are tried: 1 in 500 for each."""

SEASON_GAIN, SEASON_POINTS = 0.01, 200
"""A leak of 2 % an hour gains 48 % a day; one that matters within a quarter gains 1 %."""

BLOCKS_LATE_SHARE, BLOCKS_CONFIDENCE, BLOCKS_PER_OBJECT = 0.35, 0.8, 0.5
"""Over the last third, as imports allocate before it; half a block for an object, since an object is one at least."""


def few_points(case: Case) -> Decision | None:
    """2b. Too few for statistics: an explicit question gets the contract's answer, with low confidence.

    The length of one container has no noise, so that a few looks at it tell more than many counts of a type.
    """
    n = len(case.values)
    direct = case.series.unit == "entries"
    if case.watching and (n < (WATCH_LOOKS if direct else WATCH_POINTS) or case.span_s < WATCH_SPAN_S):
        return Decision("not enough data", "few_points", f"{n} points over {case.span_s:.0f} s")
    if case.watching and case.series.unit in ("blocks", "KiB") and case.span_s < WATCH_MEMORY_SPAN_S:
        return Decision("not enough data", "few_points", f"memory alone, and {case.span_s:.0f} s of it")
    if n >= (WATCH_POINTS if direct else MIN_POINTS):
        return None
    rates = [(b - a) / (u - t) for (t, u), (a, b) in zip(pairwise(case.times), pairwise(case.values), strict=True)]
    rising = sum(rate > 0 for rate in rates) / len(rates)
    half = len(rates) // 2
    late = (case.values[-1] - case.values[half]) / (case.times[-1] - case.times[half])
    overall = case.growth / case.span_s
    case.found["rising_steps"] = rising
    goes_on = late >= FEW_LATE_SHARE * overall
    if direct:
        goes_on = late >= DIRECT_LATE_SHARE * overall and rates[-1] >= DIRECT_LAST_SHARE * median(rates)
    if (direct or case.gate == "contract") and rising >= FEW_RISING and goes_on:
        return _full_by_now(case) or Decision("leak", "few_points", "rises from point to point")
    return Decision("not enough data", "few_points", f"{n} points do not show whether it goes on")


def _full_by_now(case: Case) -> Decision | None:
    """A look is overdue when nothing grows: blocks that stand still since the last one say what it would show."""
    container = case.series.container
    if container is None or not takes_blocks(container):
        return None
    times, blocks = case.history.known("allocated_blocks")
    if not case.watching and drawdown(blocks) > LET_GO_SHARE * case.growth:
        return Decision("not enough data", "few_points", "blocks come and go by as much: it may be let go of")
    start = next((i for i, time in enumerate(times) if time >= case.times[-1]), len(times))
    overdue = times[-1] - case.times[-1] > median(b - a for a, b in pairwise(case.times)) if times else False
    if not overdue or len(times) - start < 4:
        return None
    late, entries = theil_sen(times[start:], blocks[start:], BLOCKS_CONFIDENCE), case.growth / case.span_s
    case.found |= {"late_blocks_slope": late.slope, "late_blocks_slope_high": late.high}
    if late.high >= BLOCKS_PER_OBJECT * entries:
        return None
    return Decision("expected", "few_points", "it grew, and no block was allocated for it since it was last looked at")


def warm_up(case: Case) -> Decision | None:
    """2c. Would the gate have opened without the first quarter? What only grew at first was filling up."""
    if len(case.values) < WATCH_POINTS:
        return None
    cut = case.times[0] + WARM_UP_SHARE * case.span_s
    start = next(i for i, time in enumerate(case.times) if time >= cut)
    later = case.values[start:]
    if len(later) < WATCH_POINTS // 2:
        return None
    growth = theil_sen(case.times[start:], later).slope * case.span_s
    case.found["growth_after_warm_up"] = growth
    if growth > LEFT_OF_GATE * _least(case, median(later[: len(later) // 4])):
        return None
    return Decision("expected", "warm_up", "a warm-up: it grew at first, and little since")


def _least(case: Case, initial: float) -> float:
    """What the gate asks for, from this level on."""
    if case.gate != "contract":
        return case.least
    limits = case.thresholds
    return max(limits.min_growth_count, limits.min_growth_percent * initial / 100)


def floor(case: Case) -> Decision | None:
    """3. What is left at the lowest points? A saw-tooth's floor is flat."""
    low = case.floors[1]
    if len(low) < 4:
        return Decision("not enough data", "floor", "the points lie too close together in time")
    edge = max(1, len(low) // 6)
    gain = median(low[-edge:]) - median(low[:edge])
    case.found |= {"floor_growth": gain, "sigma": case.sigma, "floors": len(low)}
    if case.gate == "contract":
        base = max(0.0, low[0])
        limits, share = case.thresholds, FLOOR_OF_CONTRACT
        if gain < share * limits.min_growth_count or gain * 100 < share * limits.min_growth_percent * base:
            return Decision("expected", "floor", "a saw-tooth or noise: its floor has not risen")
        return None
    fall = drawdown(low)
    case.found["fall_back"] = fall
    if gain < FLOOR_SIGMAS * case.sigma or fall > MAX_FALL_BACK * gain:
        return Decision("expected", "floor", "ups and downs: its floor has not risen clearly")
    return None


def trend(case: Case) -> Decision | None:
    """4. Do the floors rise, by Mann-Kendall and by Theil-Sen's lower bound?"""
    found = case.trend
    case.found |= {"p": found.p, "tau": found.tau, "slope": case.slope.slope, "slope_low": case.slope.low}
    if found.p < TREND_P and found.tau >= TREND_TAU and case.slope.low > 0:
        return None
    return Decision("expected", "trend", "a saw-tooth or noise: no steady rise")


def jumps(case: Case) -> Decision | None:
    """4b. Memory alone: is it a trend, or a few large blocks? A dict or a list that grows takes its room in jumps."""
    if case.series.unit not in ("blocks", "KiB") or case.sawtooth:
        return None
    steps = sorted((b - a for a, b in pairwise(case.values)), reverse=True)
    share = sum(steps[:JUMPS]) / case.growth
    case.found["jumps_share"] = share
    if share < JUMPS_SHARE:
        return None
    return Decision("not enough data", "jumps", f"{share * 100:.0f} % of it came in {JUMPS} jumps, which is no rate")


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
    if harmless.late > 2 * LATE_SHARE:
        return Decision("not enough data", "shape", "it slows down, and has not levelled off yet")
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


def memory_behind(case: Case) -> Decision | None:
    """8. Objects need blocks: a count can climb alone, when the collector starts to track what was there.

    Only where the blocks stand still: where they fall, something else gave back more than this took.
    """
    if case.series.kind != "objects":
        return None
    times, blocks = case.history.known("allocated_blocks")
    cut = case.times[-1] - BLOCKS_LATE_SHARE * case.span_s
    start = next((i for i, time in enumerate(times) if time >= cut), len(times))
    own = next((i for i, time in enumerate(case.times) if time >= cut), len(case.times))
    if len(times) - start < 4 or len(case.times) - own < 4:
        return None
    objects = theil_sen(case.times[own:], case.values[own:]).slope
    late = theil_sen(times[start:], blocks[start:], BLOCKS_CONFIDENCE)
    case.found |= {"late_objects_slope": objects, "late_blocks_slope": late.slope, "late_blocks_slope_high": late.high}
    still = BLOCKS_PER_OBJECT * objects
    if -still < late.low and late.high < still:
        return Decision("expected", "memory_behind", "no memory behind it: the allocated blocks stand still")
    return None


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


RULES: tuple[Rule, ...] = (
    gates,
    few_points,
    warm_up,
    floor,
    trend,
    jumps,
    shape,
    still_growing,
    stopped,
    paused,
    memory_behind,
    full_collection,
    season,
)


def decide(case: Case) -> Decision:
    """The first rule that settles it; a leak where none does."""
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    return Decision("leak", "all", "rises steadily and has not fallen back")
