"""The rules for one series in many short lives of a service: each says whether all lives together support a leak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memwatch.detection.case import Question
from memwatch.detection.lives.pool import Pool
from memwatch.detection.rules.gates import GATES
from memwatch.detection.rules.growth import TREND
from memwatch.detection.rules.persistence import SHAPE, STILL_GROWING

MIN_LIVES = 3
"""Two lives may rise by chance."""

Z_LIMIT = 3.09
"""One in a thousand."""

HARMLESS, LATE_SHARE = 0.1, 0.3
"""Below this probability of a leaking shape the shape is harmless. Above it, the end of the curve must still rise: the
few ages of short lives do not distinguish a line from a plateau that begins with the last of them."""

FOLLOWS_LOAD = 0.5
"""Share of the slope in a life from which growth from life to life shows that it follows the load."""


@dataclass(frozen=True, slots=True)
class LeastGrowth:
    """The growth of a life that the gate requires."""

    count: float
    percent: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule found in the lives."""

    supports_leak: bool
    figures: str
    """What it measured, with its bound."""


@dataclass(frozen=True, slots=True)
class PoolRule:
    """A question about the lives of a service."""

    asks: Question
    answer: Callable[[Pool, LeastGrowth], Answer]
    reason: str = ""
    """Why it is no leak where the answer does not support one, for the operator."""


def _gates(pool: Pool, least: LeastGrowth) -> Answer:
    text = f"growth of {pool.gain:,.0f} ({pool.percent:.0f} %) in a life after its warm-up"
    bound = f"at least {least.count:,.0f}" + (f" and more than {least.percent:g} %" if least.percent else "")
    return Answer(pool.gain >= least.count and pool.percent > least.percent, f"{text} ({bound})")


def _trend(pool: Pool, _least: LeastGrowth) -> Answer:
    return Answer(pool.z > Z_LIMIT, f"Mann-Kendall over all lives z = {pool.z:.2f} (above {Z_LIMIT})")


def _shape(pool: Pool, _least: LeastGrowth) -> Answer:
    shapes = pool.shapes
    if shapes is None:
        return Answer(True, SHAPE.not_applicable)
    text = (
        f"by {'the work done' if pool.axis == 'work' else 'age'} a {shapes.leaking.name} rather than a "
        f"{shapes.harmless.name}: probability of a leaking shape {shapes.probability:.3f} (at least {HARMLESS})"
    )
    return Answer(shapes.probability >= HARMLESS, text)


def _still_growing(pool: Pool, _least: LeastGrowth) -> Answer:
    share = pool.late_share
    text = f"the end rises {share * 100:.0f} % as fast as the whole (at least {LATE_SHARE * 100:.0f} %)"
    return Answer(share >= LATE_SHARE, text)


def _load(pool: Pool, _least: LeastGrowth) -> Answer:
    share, most = pool.drift_share * 100, FOLLOWS_LOAD * 100
    text = f"from life to life the level rises {share:.0f} % as fast as in a life (less than {most:.0f} %)"
    return Answer(pool.drift_share < FOLLOWS_LOAD, text)


POOL_RULES: tuple[PoolRule, ...] = (
    PoolRule(GATES, _gates),
    PoolRule(TREND, _trend, "the lives do not rise steadily"),
    PoolRule(SHAPE, _shape, "it levels off in each life"),
    PoolRule(STILL_GROWING, _still_growing, "a warm-up of each life, which then stops growing"),
    PoolRule(
        Question(name="load", question="Is it more than the day's load?"),
        _load,
        "it follows the load, from life to life and within each life",
    ),
)
