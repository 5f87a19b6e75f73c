"""How probable it is that what was found is a leak: calibrated on series and programs whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from memwatch.detection.confidence.calibration import WEIGHTS

MOST = 0.99
"""No benchmark has enough cases to say more."""
SURE = 0.97
"""Least probability where a look into the heap has shown what holds the objects, and that it grows: of the programs of
the benchmark, 59 of 61 verdicts after a look are leaks."""

ODDS_LIMIT = 7.0
"""Log odds beyond which the curve says nothing more."""

WORDS = (
    (0.985, "99 in 100"),
    (0.965, "97 in 100"),
    (0.945, "19 in 20"),
    (0.85, "nine in ten"),
    (0.75, "eight in ten"),
    (0.65, "seven in ten"),
    (0.0, "six in ten or fewer"),
)
"""From each probability on, how many of the verdicts at this level are leaks."""


def of(statistics: Mapping[str, Any], window: str) -> float:
    """That a verdict ``leak`` with these statistics is one, where half of what is judged leaks."""
    kind = judged_as(statistics, window)
    return weighed(features(statistics, kind), WEIGHTS[kind])


def weighed(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The logistic function of these features."""
    odds = weights["constant"] + sum(weights[name] * value for name, value in values.items())
    return min(MOST, 1 / (1 + math.exp(-odds)))


def judged_as(statistics: Mapping[str, Any], window: str) -> str:
    """The row of the calibration: ``lives``, ``few points`` (no shape was fitted), ``given`` or ``watch``."""
    if window == "lives":
        return "lives"
    if statistics.get("leak_probability") is None:
        return "few points"
    return "given" if window in ("given", "calls") else "watch"


def features(statistics: Mapping[str, Any], kind: str) -> dict[str, float]:
    """What the calibration weighs: each is a number of a few units."""
    if kind == "few points":
        return {}
    size = math.log2(statistics.get("lives" if kind == "lives" else "points") or 1)
    shape = statistics.get("leak_probability")
    return {"shape": _log_odds(0.5 if shape is None else shape), "size": size}


def in_words(value: float) -> str:
    """``91 %: nine in ten of the verdicts at this level are leaks``."""
    words = next(words for least, words in WORDS if value >= least)
    return f"{value * 100:.0f} %: {words} of the verdicts at this level are leaks"


def _log_odds(value: float) -> float:
    most = 1 / (1 + math.exp(-ODDS_LIMIT))
    held = min(most, max(1 - most, value))
    return math.log(held / (1 - held))
