"""Weights of the probability of a leak. Written by ``python -m benchmarks.leaks.calibration --write``."""

from __future__ import annotations

from collections.abc import Mapping

SOURCE = "tuning halves of benchmarks.leaks: 3,677 verdicts of leaks"
"""What the weights were fitted on."""

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "few points": {"constant": 1.124},
    "given": {"constant": -0.4176, "shape": 1.0305, "size": 0.2497},
    "lives": {"constant": -1.5732, "shape": 0.4603, "size": 1.1652},
    "watch": {"constant": -1.1263, "shape": 0.7434, "size": 0.243},
}
"""By kind of judgement, the weights of a logistic function of its features (``probability.features``)."""
