"""The account of a verdict: what every rule found against its bound, and the trend, for whoever asks why or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from memwatch.detection.case import Case, Decision
from memwatch.detection.rules import gates, growth, memory_backing, persistence, registry, sample_size
from memwatch.detection.rules.garbage import RISING_SHARE, SURVIVED_SHARE
from memwatch.detection.rules.look_back import GIVEN_BACK_SHARE
from memwatch.detection.verdict import Finding

OUTCOMES = {"leak": "passed", "expected": "failed", "quiet": "failed", "not enough data": "undecided"}
"""What a rule that settled a case says of the leak, by the outcome that it settled on."""

HOUR_S = 3600.0


def account(case: Case, decision: Decision) -> tuple[Finding, ...]:
    """One finding for every rule, in their order, after ``decision`` was made on the case."""
    found: list[Finding] = []
    settled = False
    for rule in registry.RULES:
        name = rule.__name__
        said = None if settled else _figures(name, case)
        if settled:
            found.append(Finding(name, "not reached", "an earlier rule settled it"))
        elif name == decision.rule:
            settled = True
            text = "; ".join(part for part in (decision.reason, said) if part)
            found.append(Finding(name, OUTCOMES[decision.outcome], text))
        elif said is None:
            found.append(Finding(name, "not applicable", _NOT_APPLICABLE.get(name, "it does not apply here")))
        else:
            found.append(Finding(name, "passed", said))
    return tuple(found)


def fitted_trend(case: Case) -> Mapping[str, Any] | None:
    """The floors and Theil-Sen's line through them, as :class:`memwatch.detection.verdict.Verdict` keeps it."""
    times, low = case.floors
    return line_of(times, low, case.slope.slope, case.slope.low, case.slope.high, axis="time", unit=case.series.unit)


def line_of(
    x: Sequence[float], y: Sequence[float], slope: float, low: float, high: float, *, axis: str, unit: str
) -> Mapping[str, Any] | None:
    """The trend through these points, slopes given a second (or a unit of work); ``None`` for fewer than three."""
    if len(y) < 3:
        return None
    scale = HOUR_S if axis != "work" else 1.0
    return {
        "axis": axis,
        "unit": unit,
        "start": [round(x[0], 3), round(median(y) + slope * (x[0] - median(x)), 3)],
        "end": round(x[-1], 3),
        "slope": round(slope * scale, 6),
        "low": round(low * scale, 6),
        "high": round(high * scale, 6),
        "floors": [[round(a, 3), round(b, 3)] for a, b in zip(x, y, strict=True)],
    }


def _figures(name: str, case: Case) -> str | None:
    """What the rule measured, with its bound; ``None`` where it did not apply."""
    write = _SENTENCES.get(name)
    return "" if write is None else write(case)


def _gates(case: Case) -> str:
    limits, unit = case.thresholds, case.series.unit
    text = f"grown by {_n(case.growth)} {unit} from {_n(case.values[0])}"
    if case.gate == "contract":
        return f"{text}: more than {limits.min_growth_percent:g} % and more than {limits.min_growth_count:,}"
    if case.gate == "steady":
        tau, less = case.found.get("tau_raw", 0.0), case.found.get("tau_without_daily")
        told = f"tau of all points is {tau:.2f}" if less is None else f"tau without its daily curve is {less:.2f}"
        return f"{text}, a small growth, but {told} (at least {gates.STEADY_TAU})"
    return f"{text}: more than an import or the allocators' reserve takes" if case.gate else text


def _few_points(case: Case) -> str:
    least = sample_size.WATCH_LOOKS if case.series.unit == "entries" else gates.WATCH_POINTS
    wanted = (
        f"at least {least} over {sample_size.WATCH_SPAN_S:.0f} s"
        if case.watching
        else f"at least {sample_size.MIN_POINTS}"
    )
    text = f"{len(case.values)} points over {case.span_s:,.0f} s ({wanted})"
    rising = case.found.get("rising_steps")
    if len(case.values) < gates.WATCH_POINTS and rising is not None:
        text += f", {rising * 100:.0f} % of the steps rise (at least {sample_size.FEW_RISING * 100:.0f} %)"
    return text


def _warm_up(case: Case) -> str | None:
    gained = case.found.get("growth_after_warm_up")
    if gained is None:
        return None
    least = growth.LEFT_OF_GATE * (case.thresholds.min_growth_count if case.gate == "contract" else case.least)
    return f"without its first quarter it grows by {_n(gained)} (more than {_n(least)})"


def _floor(case: Case) -> str | None:
    gain = case.found.get("floor_growth")
    if gain is None:
        return None
    text = f"the lowest points of {case.found['floors']} stretches rise by {_n(gain)}"
    if case.gate == "contract":
        limits, share = case.thresholds, growth.FLOOR_OF_CONTRACT
        return f"{text} (at least {_n(share * limits.min_growth_count)} and {share * limits.min_growth_percent:g} %)"
    least, fall = growth.FLOOR_SIGMAS * case.sigma, case.found.get("fall_back", 0.0)
    most = growth.MAX_FALL_BACK * gain
    return f"{text} (at least {_n(least)}, six times the noise), and fall back by {_n(fall)} (at most {_n(most)})"


def _trend(case: Case) -> str | None:
    if "tau" not in case.found:
        return None
    p, tau, low = case.found["p"], case.found["tau"], case.found["slope_low"] * HOUR_S
    return (
        f"Mann-Kendall p = {p:.2g} (below {growth.TREND_P}) and tau = {tau:.2f} (at least {growth.TREND_TAU}); "
        f"Theil-Sen's lower bound is {_n(low)} an hour (above 0)"
    )


def _jumps(case: Case) -> str | None:
    share = case.found.get("jumps_share")
    if share is None:
        return None
    return f"the {growth.JUMPS} largest steps are {share * 100:.0f} % of it (under {growth.JUMPS_SHARE * 100:.0f} %)"


def _shape(case: Case) -> str | None:
    found = case.found
    if "leak_probability" not in found:
        return None
    least = persistence.LEAKING_MEMORY if case.series.unit in ("blocks", "KiB") else persistence.LEAKING
    return (
        f"a {found['shape']} rather than a {found['harmless_shape']}: a leaking shape with probability "
        f"{found['leak_probability']:.3f} (at least {least})"
    )


def _still_growing(case: Case) -> str | None:
    if "late_share" not in case.found:
        return None
    share, most = case.found["late_share"] * 100, case.found["late_share_high"] * 100
    return f"the last part's slope is {share:.0f} % of the whole's, and may be {most:.0f} % (at least {_LATE:.0f} %)"


def _stopped(case: Case) -> str | None:
    if "stopped_p" in case.found:
        return f"Mann-Whitney p = {case.found['stopped_p']:.2g} (below {persistence.STOPPED_P})"
    sure = case.shapes is not None and case.shapes.probability >= persistence.SURE
    if case.sawtooth or sure or len(case.values) < 13:
        return None
    return f"the last steps are not under {persistence.STOPPED_SHARE * 100:.0f} % of those before"


def _paused(case: Case) -> str | None:
    share, least = case.found.get("last_gain_share"), persistence.STOPPED_SHARE * 100
    if share is None:
        return None
    return f"the last points gain {share * 100:.0f} % of what the trend says (at least {least:.0f} %)"


def _slowing(case: Case) -> str | None:
    share = case.found.get("rate_share")
    if share is None:
        return None
    least, chance = persistence.SLOWING_MEMORY if case.series.unit in ("blocks", "KiB") else persistence.SLOWING
    return (
        f"its rate ends at {share * 100:.0f} % of what it was after the first quarter, p = {case.found['rate_p']:.2g} "
        f"(at least {least * 100:.0f} %, or p from {chance} on)"
    )


def _memory_behind(case: Case) -> str | None:
    high = case.found.get("late_blocks_slope_high")
    if high is None:
        return None
    objects = case.found["late_objects_slope"] * HOUR_S
    return (
        f"allocated blocks grow by {_n(case.found['late_blocks_slope'] * HOUR_S)} an hour of late, at most by "
        f"{_n(high * HOUR_S)}; {_n(objects)} objects need {_n(memory_backing.BLOCKS_PER_OBJECT * objects)}"
    )


def _full_collection(case: Case) -> str | None:
    teeth = case.found.get("teeth")
    if teeth is not None:
        left = case.found["kept_share_of_teeth"] * 100
        return f"after {teeth} collections {left:.0f} % of the rate between them is left (at least {_SURVIVED:.0f} %)"
    kept = case.found.get("kept_by_full_collection")
    if kept is not None:
        return f"{_n(kept)} of what had grown were still there after a full collection"
    if case.series.kind != "objects" or case.window != "hour" or "rising_steps" not in case.found:
        return None
    rising = case.found["rising_steps"] * 100
    return f"no full collection yet; {rising:.0f} % of the steps rise (at least {_RISING:.0f} %)"


def _as_high_before(case: Case) -> str | None:
    highest = case.found.get("highest_before")
    if highest is None:
        return None
    told = f"before this hour it was {_n(highest)} at most, now it is {_n(case.found['reached'])}"
    back = case.found.get("given_back")
    return (
        told
        if back is None
        else f"{told}; {_n(back)} of it went again (of a leak under {_GIVEN_BACK:.0f} % of the gain)"
    )


def _season(case: Case) -> str | None:
    gain = case.found.get("day_on_day")
    if gain is None:
        return None
    return f"{gain * 100:.1f} % above the same hour of the day before (at least {persistence.SEASON_GAIN * 100:.0f} %)"


def _n(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"


_LATE = persistence.LATE_SHARE * 100
_RISING = RISING_SHARE * 100
_GIVEN_BACK = GIVEN_BACK_SHARE * 100
_SURVIVED = SURVIVED_SHARE * 100

_SENTENCES: Mapping[str, Callable[[Case], str | None]] = {
    "gates": _gates,
    "few_points": _few_points,
    "warm_up": _warm_up,
    "floor": _floor,
    "trend": _trend,
    "jumps": _jumps,
    "shape": _shape,
    "still_growing": _still_growing,
    "stopped": _stopped,
    "paused": _paused,
    "slowing": _slowing,
    "memory_behind": _memory_behind,
    "full_collection": _full_collection,
    "as_high_before": _as_high_before,
    "season": _season,
}

_NOT_APPLICABLE = {
    "warm_up": "too few points to leave the first quarter out",
    "jumps": "memory alone comes in jumps, and this is counted one by one, or comes and goes",
    "shape": "too few points to tell shapes apart",
    "still_growing": "growth along the work done, or on top of a daily curve, may rest",
    "stopped": "its shape tells already, or the points are few",
    "paused": "there are points enough to see the last part",
    "slowing": "too few steps, or ups and downs of a day or a saw-tooth",
    "memory_behind": "no objects, or the allocated blocks were not counted",
    "full_collection": "none was seen, and only the watch of the hour waits for one, of objects",
    "as_high_before": "nothing is known of the hours before; only the watch looks back, before it opens a leak",
    "season": "under two days were seen",
}
