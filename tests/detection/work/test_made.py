"""Objects that were seen being made decide between names that calls alone cannot distinguish."""

from __future__ import annotations

from random import Random

import pytest

from memwatch.detection.work.attribution import (
    EVERY_JOB,
    EXPLAINED,
    FILLING,
    NONE,
    TIME,
    TOGETHER,
    Attribution,
    Culprit,
    Step,
)
from memwatch.detection.work.made import decided

ORDER, LIST = 1, 2
STEPS = [[Step(60.0, 20.0, {ORDER: 10, LIST: 100}) for _ in range(30)]]
TWO = Attribution((Culprit((LIST, ORDER), 0.2, 0.1, 0.3, 1.0, "regression"),), TOGETHER)


@pytest.mark.parametrize("found", [TWO, Attribution((), TIME), Attribution((), NONE)])
def test_names_the_work_whose_calls_made_the_objects(found: Attribution) -> None:
    (culprit,) = decided(found, {ORDER: (40, 20)}, STEPS).culprits
    assert culprit.works == (ORDER,)
    assert (culprit.per_call, culprit.share, culprit.source) == (2.0, 1.0, "direct")
    assert culprit.low < 2 < culprit.high


def test_leaves_an_explanation_alone() -> None:
    found = Attribution((Culprit((LIST,), 0.2, 0.1, 0.3, 1.0, "regression"),), EXPLAINED)
    assert decided(found, {ORDER: (40, 20)}, STEPS) is found


def test_leaves_a_pool_that_fills_alone() -> None:
    found = Attribution((), FILLING)
    assert decided(found, {ORDER: (40, 20)}, STEPS) is found


def test_objects_that_each_call_makes_and_lets_go_prove_nothing() -> None:
    assert decided(TWO, {ORDER: (40, 20), LIST: (500, 20)}, STEPS) is TWO


def test_a_growth_that_calls_do_not_explain_stays_with_the_timer() -> None:
    found = Attribution((), TIME)
    assert decided(found, {ORDER: (6, 60)}, STEPS) is found


def test_objects_that_are_made_after_the_growth_has_ended_prove_nothing() -> None:
    over = [[*STEPS[0], *(Step(60.0, 0.0, {ORDER: 10, LIST: 100}) for _ in range(12))]]
    assert decided(TWO, {ORDER: (40, 20)}, over) is TWO
    assert decided(TWO, {ORDER: (40, 20)}, STEPS).remark == EXPLAINED


def test_few_objects_are_no_evidence() -> None:
    assert decided(TWO, {ORDER: (4, 2)}, STEPS) is TWO
    assert decided(TWO, {}, STEPS) is TWO


def test_objects_of_a_single_call_are_no_evidence() -> None:
    """A thread that makes forty at once may have done so while it ran."""
    steps = [[Step(60.0, 400.0, {ORDER: 10, LIST: 100}) for _ in range(30)]]
    found = Attribution((), TIME)
    assert decided(found, {ORDER: (40, 1)}, steps) is found
    (culprit,) = decided(found, {ORDER: (160, 4)}, steps).culprits
    assert culprit.works == (ORDER,)


CHANCE = Random(30)
UNEVEN = [{ORDER: CHANCE.randint(0, 4), LIST: CHANCE.randint(5, 12)} for _ in range(240)]


def test_what_threads_make_while_calls_run_is_not_the_calls() -> None:
    at_once = {3: 15.0, 7: 40.0, 11: 70.0}
    growth = [sum(count for every, count in at_once.items() if place % every == 0) for place in range(240)]
    threads = [[Step(1.0, more, calls) for calls, more in zip(UNEVEN, growth, strict=True)]]
    each = sum(growth) / sum(calls[ORDER] for calls in UNEVEN)
    seen = {ORDER: (round(4 * each), 4)}
    found = Attribution((), TIME)
    assert decided(found, seen, threads) is found
    calls = [[Step(1.0, each * calls[ORDER], calls) for calls in UNEVEN]]
    (culprit,) = decided(found, seen, calls).culprits
    assert culprit.works == (ORDER,)


def test_two_names_share_the_growth() -> None:
    first, second = decided(TWO, {ORDER: (20, 20), LIST: (10, 100)}, STEPS).culprits
    assert {first.works, second.works} == {(ORDER,), (LIST,)}
    assert first.share == second.share == 0.5


SIX = range(1, 7)
EVEN = [[Step(60.0, 60.0, dict.fromkeys(SIX, 10)) for _ in range(30)]]
UNKNOWN = Attribution((), TOGETHER)


def test_where_all_calls_make_as_many_no_name_is_blamed() -> None:
    made = {1: (21, 20), 2: (18, 20), 3: (40, 41), 4: (6, 5), 5: (19, 20), 6: (11, 10)}
    found = decided(UNKNOWN, made, EVEN, dict.fromkeys(SIX, "task"))
    (culprit,) = found.culprits
    assert (culprit.works, culprit.every, culprit.source, found.remark) == ((), ("task",), "direct", EVERY_JOB)
    assert culprit.low < 1 < culprit.high
    assert decided(found, made, EVEN) is found


@pytest.mark.parametrize(
    "made",
    [
        {1: (21, 20), 2: (18, 20), 3: (40, 41)},
        {1: (60, 20), 2: (5, 20), 3: (20, 20), 4: (40, 20), 5: (6, 20), 6: (10, 20)},
    ],
)
def test_where_some_calls_make_more_or_were_not_seen_names_are_named(made: dict[int, tuple[int, int]]) -> None:
    assert not any(culprit.every for culprit in decided(UNKNOWN, made, EVEN).culprits)
