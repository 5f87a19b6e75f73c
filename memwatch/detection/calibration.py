"""Weights of the probability of a leak. Written by ``python -m benchmarks.leaks.calibration --write``: do not edit."""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "few points": {"constant": 2.0, "size": 0.0},
    "given": {"constant": 0.0, "shape": 0.5, "size": 0.5},
    "lives": {"constant": 0.0, "shape": 0.5, "size": 0.5},
    "watch": {"constant": 0.0, "shape": 0.5, "size": 0.2},
}
