"""Does the growth continue? A plateau, a step and a pause end it; a leak goes on."""

from __future__ import annotations

from memwatch.detection.case import FLOOR_POINTS, Case, Decision, Rule
from memwatch.detection.statistics.curve_models import DAY_S, JUST_BEGUN

HARMLESS, LEAKING = 0.25, 0.5
"""Probabilities of a leaking shape: below the first it is harmless, from the second a leak."""
LEAKING_MEMORY = 0.8
"""Least probability for memory that no type and no container accounts for: it contains every cache that fills."""
NOT_LEVEL = 0.1
"""A harmless curve whose slope at the end is a larger share of its mean slope is no plateau yet."""
LATE_SHARE = 0.6
"""Share of the whole slope that the last part must reach at its upper bound: a slowing leak does, a plateau not."""
EVEN_WHEN_FLAT = frozenset({"daily curve on a line", "line along the work done"})
"""Leaking shapes whose last part may be flat: an evening, a pause."""

PAUSE_PART, PAUSE_SHARE, PAUSE_SIGMAS = 5, 0.3, 4.5
"""The last fifth of the steps; their gain as a share of the trend's; a gap that noise of two points exceeds once in two
hundred times."""


def may_rest(case: Case) -> bool:
    """Whether its leaking shape may be flat at the end."""
    return case.shapes is not None and case.shapes.leaking.name in EVEN_WHEN_FLAT


def _least_probability(case: Case) -> float:
    return LEAKING_MEMORY if case.is_unnamed_memory else LEAKING


def _shape(case: Case) -> Decision | None:
    """Settle a curve that a harmless shape explains at least as well as a leaking one."""
    shapes = case.shapes
    if shapes is None:
        return None
    harmless, probability = shapes.harmless, shapes.probability
    case.statistics |= {"shape": shapes.leaking.name, "harmless_shape": harmless.name, "leak_probability": probability}
    if probability >= _least_probability(case):
        return None
    if probability >= HARMLESS:
        return Decision("not enough data", f"a leak or a {harmless.name}: more points are needed")
    if harmless.name == "daily curve" and case.span_s < 2 * DAY_S:
        return Decision("not enough data", "a daily curve fits as well: two days are needed")
    if harmless.late > NOT_LEVEL:
        so_far = "has only just begun to rise" if harmless.late > JUST_BEGUN else "slows down but is not level yet"
        return Decision("not enough data", f"it {so_far}: more points are needed")
    return Decision("expected", f"a {harmless.name} fits better than any leak")


def _explain_shape(case: Case) -> str | None:
    statistics = case.statistics
    if "leak_probability" not in statistics:
        return None
    return (
        f"a {statistics['shape']} rather than a {statistics['harmless_shape']}: probability of a leaking shape "
        f"{statistics['leak_probability']:.3f} (at least {_least_probability(case)})"
    )


SHAPE = Rule(
    name="shape",
    question="Is its curve the shape of a leak?",
    decide=_shape,
    explain=_explain_shape,
    not_applicable="too few points to distinguish shapes",
)


def _still_growing(case: Case) -> Decision | None:
    """Settle a series whose last part rises clearly slower than the whole."""
    if may_rest(case):
        return None
    share, most = case.late_share
    case.statistics |= {"late_share": share, "late_share_high": most}
    if most >= LATE_SHARE:
        return None
    return Decision("expected", f"it stopped growing: its late slope is {percent(share)} of the overall slope")


def percent(share: float) -> str:
    return f"{max(0.0, share) * 100:.0f} %"


def _explain_still_growing(case: Case) -> str | None:
    if "late_share" not in case.statistics:
        return None
    share, most = case.statistics["late_share"] * 100, case.statistics["late_share_high"] * 100
    return (
        f"the slope of the last part is {share:.0f} % of the overall slope, at most {most:.0f} % "
        f"(at least {LATE_SHARE * 100:.0f} %)"
    )


STILL_GROWING = Rule(
    name="still_growing",
    question="Does it grow to the end?",
    decide=_still_growing,
    explain=_explain_still_growing,
    not_applicable="growth with the work done, or on top of a daily curve, may pause",
)


def _paused(case: Case) -> Decision | None:
    """Wait where the last of few points hardly rise, by more than noise: it may be full, or pausing."""
    n = len(case.values)
    if n >= FLOOR_POINTS or case.sawtooth or may_rest(case):
        return None
    tail = max(2, n // PAUSE_PART)
    expected = case.raw_slope.slope * (case.times[-1] - case.times[-1 - tail])
    gained = case.values[-1] - case.values[-1 - tail]
    case.statistics["last_gain_share"] = gained / expected if expected > 0 else 0.0
    if gained < PAUSE_SHARE * expected and expected - gained > PAUSE_SIGMAS * case.sigma:
        return Decision("not enough data", f"the last {tail} steps hardly rose: it is full or pauses")
    return None


def _explain_paused(case: Case) -> str | None:
    share = case.statistics.get("last_gain_share")
    if share is None:
        return None
    return f"the last points gain {share * 100:.0f} % of the growth by trend (at least {PAUSE_SHARE * 100:.0f} %)"


PAUSED = Rule(
    name="paused",
    question="Do its very last points still rise?",
    decide=_paused,
    explain=_explain_paused,
    not_applicable="there are enough points to see the last part, or it is a saw-tooth",
)
