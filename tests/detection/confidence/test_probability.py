"""The probability of a leak: a number that means what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.leaks.shapes import cases
from memwatch.detection import detect_leaks, judge
from memwatch.detection.confidence.probability import MOST, in_words, judged_as, of
from memwatch.detection.verdict import Verdict


def statistics(**values: Any) -> dict[str, Any]:
    return {"points": 30, "leak_probability": 0.9, **values}


@pytest.mark.parametrize("window", ["given", "hour"])
def test_a_surer_shape_and_more_points_are_more_probable(window: str) -> None:
    usual = of(statistics(), window)
    assert of(statistics(leak_probability=0.55), window) < usual < of(statistics(leak_probability=0.999), window)
    assert of(statistics(points=10), window) <= usual <= of(statistics(points=60), window)


def test_more_lives_are_more_probable() -> None:
    values = [of({"lives": lives, "leak_probability": 0.9}, "lives") for lives in (3, 6, 12, 24)]
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_nothing_is_certain() -> None:
    assert of(statistics(points=1_000, leak_probability=1.0), "given") <= MOST
    assert 0 < of({"points": 3}, "given") < MOST


def test_few_points_without_a_shape_have_a_row_of_their_own() -> None:
    assert judged_as({"points": 5}, "given") == "few points"
    assert judged_as(statistics(), "calls") == "given"
    assert judged_as(statistics(), "week") == "watch"
    assert judged_as({"lives": 4, "leak_probability": None}, "lives") == "lives"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.99, "99 %: 99 in 100 of the verdicts at this level are leaks"),
        (0.93, "93 %: nine in ten of the verdicts at this level are leaks"),
        (0.91, "91 %: nine in ten of the verdicts at this level are leaks"),
        (0.5, "50 %: six in ten or fewer of the verdicts at this level are leaks"),
    ],
)
def test_a_number_is_said_in_words(value: float, text: str) -> None:
    assert in_words(value) == text


def test_only_a_leak_has_a_probability() -> None:
    leak = Verdict(outcome="leak", kind="objects", object_type="A", rule="all", statistics=statistics())
    assert leak.probability == leak.to_leak().probability
    assert leak.to_leak().to_dict()["probability"] == leak.probability
    assert replace(leak, outcome="expected").probability is None


def test_verdicts_of_a_higher_level_are_leaks_more_often() -> None:
    told = [
        (verdict.probability, shape.leaking)
        for points in (10, 20, 60)
        for shape, history in cases("scoring", points, 0.12, 3)
        for verdict in judge(history)
        if verdict.probability is not None
    ]
    high = [is_leak for value, is_leak in told if value >= 0.9]
    low = [is_leak for value, is_leak in told if value < 0.9]
    assert min(len(high), len(low)) > 20
    assert sum(high) / len(high) > 0.95 > sum(low) / len(low)


def test_a_caller_gets_it_with_the_leak() -> None:
    rows = [
        {"timestamp": f"2026-03-02T12:{minute:02}:00+00:00", "top_objects": {"shop.Quote": 100 + 40 * minute}}
        for minute in range(30)
    ]
    (leak,) = detect_leaks(rows)
    assert leak.probability is not None
    assert 0.9 < leak.probability <= MOST
    assert leak.confidence in ("low", "medium", "high")
