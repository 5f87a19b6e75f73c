"""The benchmark of recommended numbers: its world does what its truth says, and a bad number is noticed."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.recommendations import scoring, scoring_half, tuning_half
from benchmarks.recommendations.world import Limits, Truth, history, run

TRUTH = Truth(
    name="t", server="celery", workers=2, limit_mb=1000, base_mb=100, base_spread=0, leak_kib_per_job=100,
    leak_spread=0, peak_mb=1, history_jobs=600,
)  # fmt: skip


def test_the_halves_have_as_many_services_and_share_none() -> None:
    names = [{truth.name for truth in half.SERVICES} for half in (tuning_half, scoring_half)]
    assert [len(each) for each in names] == [6, 6]
    assert not names[0] & names[1]


def test_history_shows_the_leak_that_the_truth_declares() -> None:
    life = history(TRUTH, 1).lives[0]
    assert life.jobs == pytest.approx(600)
    assert life.points[-1].rss_mb - life.points[0].rss_mb == pytest.approx(57, abs=5)


def test_longer_lives_take_more_and_are_replaced_less_often() -> None:
    short, long = (run(TRUTH, Limits(jobs=jobs, workers=2), 1, lives=40) for jobs in (100, 1000))
    assert max(life.peak_mb for life in short) < 240
    assert max(life.peak_mb for life in long) > 380
    assert sum(life.hours for life in short) < 0.2 * sum(life.hours for life in long)


def test_a_memory_limit_below_the_need_of_a_fresh_worker_is_a_loop() -> None:
    lives = run(TRUTH, Limits(jobs=1000, memory_mb=99, workers=2), 1, lives=40)
    assert all(life.by_memory for life in lives)


def test_good_numbers_score_well(monkeypatch: pytest.MonkeyPatch) -> None:
    good = scoring.score(TRUTH, 1)
    assert (good.right, good.kill_loop) == (True, False)
    assert good.under_target >= 0.95
    monkeypatch.setattr(scoring, "limits_of", lambda _advice, workers: Limits(jobs=8000, workers=workers))
    assert scoring.score(TRUTH, 1).under_target < 0.5


def test_a_leak_that_is_none_is_noticed() -> None:
    quiet = dataclasses.replace(TRUTH, leak_kib_per_job=0.0, leaks=True)
    assert not scoring.score(quiet, 1).right
