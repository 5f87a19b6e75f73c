"""Lives with a setting and without it, at the same age."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from memwatch.detection.allocator_change import HOUR, Life, in_words, kinds_of

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TWO = {"MALLOC_ARENA_MAX": "2"}


def life(pk: int, hour: float, hours: float, settings: Mapping[str, str]) -> Life:
    return Life(pk=pk, started_at=MONDAY + timedelta(hours=hour), seconds=hours * HOUR, settings=settings)


def test_they_are_compared_at_the_highest_age_that_two_of_each_have_reached() -> None:
    lives = [life(1, 0, 80, {}), life(2, 0, 7, {}), life(3, 90, 30, TWO), life(4, 90, 6.5, TWO), life(5, 91, 1, TWO)]
    found = kinds_of(lives, TWO)
    assert found is not None
    assert found.age_s == 6 * HOUR
    assert ([each.pk for each in found.with_it], [each.pk for each in found.without]) == ([3, 4], [1, 2])
    assert (found.before, found.since) == ({}, MONDAY + timedelta(hours=90))


def test_one_life_of_a_kind_is_enough_where_there_are_no_more() -> None:
    found = kinds_of([life(1, 0, 5, {}), life(2, 6, 2, TWO)], TWO)
    assert found is not None
    assert found.age_s == HOUR


def test_the_settings_just_before_are_those_compared_with() -> None:
    lives = [life(1, 0, 5, {}), life(2, 6, 5, {"MALLOC_ARENA_MAX": "4"}), life(3, 12, 5, TWO)]
    found = kinds_of(lives, TWO)
    assert found is not None
    assert found.before == {"MALLOC_ARENA_MAX": "4"}


def test_without_two_kinds_or_time_to_compare_there_is_nothing() -> None:
    assert kinds_of([life(1, 0, 5, TWO), life(2, 6, 2, TWO)], TWO) is None
    assert kinds_of([life(1, 0, 5, {}), life(2, 6, 0.1, TWO)], TWO) is None
    assert kinds_of([life(1, 0, 5, {})], TWO) is None
    assert kinds_of([life(1, 0, 5, TWO), life(2, 6, 5, {})], TWO) is None, "the others came later: no before"


def test_settings_in_words() -> None:
    assert in_words({"PYTHONMALLOC": "malloc", **TWO}) == "MALLOC_ARENA_MAX=2, PYTHONMALLOC=malloc"
