"""Memory that grows steadily is seen within ten minutes; what only looks like it is not."""

from __future__ import annotations

import math

from memwatch.detection.statistics.steady_growth import STRETCHES, steady_growth

STRETCH_S = 120.0
BASE = 300_000.0


def test_growth_is_seen_after_five_stretches_with_its_rate_and_beginning() -> None:
    floors = [None] * 5 + [BASE + 18_000 * number for number in range(5)]
    found = steady_growth(floors, STRETCH_S)
    assert found is not None
    assert round(found.kib_per_hour) == 18_000 * 30
    assert found.since_s == 600.0


def test_four_stretches_say_nothing() -> None:
    assert steady_growth([None] * 6 + [BASE + 18_000 * number for number in range(4)], STRETCH_S) is None


def test_memory_that_stands_still_or_wobbles_does_not_grow() -> None:
    assert steady_growth([BASE] * STRETCHES, STRETCH_S) is None
    assert steady_growth([BASE + (number * 7919 % 13) * 100 for number in range(STRETCHES)], STRETCH_S) is None


def test_one_jump_is_no_growth() -> None:
    assert steady_growth([BASE] * 6 + [BASE + 50_000] * 4, STRETCH_S) is None


def test_a_jump_at_the_start_of_a_process_does_not_hide_the_growth_that_follows() -> None:
    after_the_jump = [BASE + 1_000 * number for number in range(5)]
    found = steady_growth([None] * 4 + [BASE - 40_000, *after_the_jump], STRETCH_S)
    assert found is not None
    assert (round(found.kib_per_hour), found.since_s) == (1_000 * 30, 600.0)
    assert steady_growth([None] * 4 + [BASE - 40_000] + [BASE] * 5, STRETCH_S) is None
    assert steady_growth([BASE - 40_000] * 5 + after_the_jump, STRETCH_S) is None


def test_a_saw_tooth_is_no_growth() -> None:
    teeth = [BASE + 20_000 * (number % 3) for number in range(STRETCHES)]
    assert steady_growth(teeth, STRETCH_S) is None


def test_a_warm_up_that_is_over_is_no_growth() -> None:
    floors = [BASE + 40_000 * (1 - math.exp(-number / 1.2)) for number in range(STRETCHES)]
    assert steady_growth(floors, STRETCH_S) is None
    assert steady_growth(floors, STRETCH_S, growing=True) is None


def test_growth_that_was_seen_survives_a_fall_and_ends_when_it_ends() -> None:
    floors = [BASE + 6_000 * number for number in range(STRETCHES)]
    floors[4] -= 20_000
    floors[6] -= 14_000
    assert steady_growth(floors, STRETCH_S) is None
    assert steady_growth(floors, STRETCH_S, growing=True) is not None
    assert steady_growth([*floors[5:], *[floors[-1]] * 5], STRETCH_S, growing=True) is None
