"""The noise of steps, made independent and recognised."""

from __future__ import annotations

import numpy as np
import pytest

from memwatch.detection.statistics.step_noise import KINDS, Kind, Noise, likely_kind


def covariance(runs: list[list[float]], kind: Kind) -> np.ndarray:
    blocks = []
    for run in runs:
        size = len(run)
        inner = np.diag(run) + kind.ratio * (2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1))
        lasts = np.linalg.inv(np.eye(size) - kind.lasting * np.eye(size, k=-1))
        blocks.append(lasts @ inner @ lasts.T)
    total = np.zeros((sum(map(len, runs)),) * 2)
    place = 0
    for block in blocks:
        total[place : place + len(block), place : place + len(block)] = block
        place += len(block)
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_whitened_noise_is_independent_and_of_equal_size(kind):
    runs = [[5.0, 2.0, 1.0, 1.0], [1.0] * 3, [7.0]]
    noise = Noise.of(runs, kind)
    size = sum(map(len, runs))
    white = np.array([noise.whitened(column) for column in np.eye(size)]).T
    assert white @ covariance(runs, kind) @ white.T == pytest.approx(np.eye(size), abs=1e-9)


def test_the_likely_kind_is_that_of_the_noise():
    rng = np.random.default_rng(8)
    runs = [[1.0] * 300]
    stays = rng.normal(0, 1, 300)
    comes_and_goes = np.diff(rng.normal(0, 10, 301))
    assert likely_kind(runs, stays.tolist()) == Kind(0)
    assert likely_kind(runs, (stays + comes_and_goes).tolist()) in (Kind(30), Kind(100), Kind(1000))


def test_noise_that_waits_for_the_collector_is_recognised():
    rng = np.random.default_rng(9)
    level = [0.0]
    for shock in rng.normal(0, 10, 400):
        level.append(0.7 * level[-1] + shock)
    found = likely_kind([[1.0] * 400], (np.diff(level) + rng.normal(0, 1, 400)).tolist())
    assert (found.lasting, found.ratio > 1) == (0.7, True)
