"""The verdict on each figure of a release, and how often it is wrong."""

from __future__ import annotations

from random import Random

import pytest

from memwatch.detection.releases.comparison import (
    LESS,
    MORE,
    SAME,
    UNCLEAR,
    UNKNOWN,
    changes,
    enough,
    package_changes,
    peak,
    type_changes,
)
from memwatch.detection.releases.figures import BIRTH, GROWTH
from memwatch.records import histogram


def verdict(before: list[float], after: list[float], figure: str = BIRTH, span_h: float | None = None) -> str:
    found = changes([{figure: value} for value in before], [{figure: value} for value in after], span_h)
    return next(change.verdict for change in found if change.name == figure)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([100, 101, 102, 100.5], [250, 251, 249, 252], MORE),
        ([250, 251, 249, 252], [100, 101, 102, 100.5], LESS),
        ([100, 101, 102, 100.5], [101, 100, 102.5, 100.8], SAME),
        ([100, 140, 90, 160], [130, 150, 170, 120], UNCLEAR),
        ([100, 101, 102], [250, 251, 249], UNKNOWN),
        ([100, 101, 102], [250, 251, 249, 252, 250], MORE),
        ([100], [250] * 40, UNKNOWN),
        ([], [250] * 4, UNKNOWN),
    ],
)
def test_each_verdict(before: list[float], after: list[float], expected: str) -> None:
    assert verdict(before, after) == expected


def test_a_steep_slope_of_minutes_in_which_little_came_is_no_growth() -> None:
    flat, steep = [0.0, 0.1, 0.2, 0.1], [12.0, 12.5, 13.0, 12.2]
    assert verdict(flat, steep, GROWTH, span_h=1 / 45) == SAME, "a quarter of a megabyte in 80 seconds"
    assert verdict(flat, steep, GROWTH, span_h=0.25) == MORE
    assert verdict(flat, steep, GROWTH) == MORE


def test_a_figure_that_was_not_measured_is_not_known() -> None:
    found = {change.name: change for change in changes([{}] * 5, [{}] * 5)}
    assert {change.verdict for change in found.values()} == {UNKNOWN}
    assert found[BIRTH].before is found[BIRTH].shift is found[BIRTH].percent is None


def test_releases_that_are_equal_are_rarely_called_different() -> None:
    """Processes of 200 MB that differ by 4 % among themselves; releases of 4 to 20 processes."""
    random, wrong = Random(7), 0
    for _ in range(2_000):
        sizes = random.randint(4, 20), random.randint(4, 20)
        low, high = ([random.gauss(200, 8) for _ in range(size)] for size in sizes)
        wrong += verdict(low, high) in (MORE, LESS)
    assert wrong <= 0.045 * 2_000


def test_a_growth_of_a_tenth_is_mostly_found() -> None:
    random, right = Random(8), 0
    for _ in range(500):
        low, high = ([random.gauss(mean, 6) for _ in range(8)] for mean in (200, 220))
        right += verdict(low, high) == MORE
    assert right >= 0.95 * 500


def test_growth_has_a_floor_of_its_own() -> None:
    still, slow = [0.0, 0.1, -0.1, 0.05, 0.0], [0.9, 1.0, 0.8, 0.9, 1.1]
    assert verdict(still, slow, GROWTH) == SAME
    assert verdict(still, [12.0, 13.0, 11.0, 12.5, 12.0], GROWTH) == MORE


def test_enough_is_four_of_each_or_three_and_five() -> None:
    assert enough(4, 4)
    assert enough(3, 5)
    assert not enough(3, 4)
    assert not enough(2, 100)


def test_types_and_packages() -> None:
    before = [{"dict": 9_000.0 + n, "shop.models.Order": 10.0} for n in range(4)]
    after = [{"dict": 9_100.0 + n, "shop.models.Order": 4_010.0, "ddtrace.Span": 900.0} for n in range(4)]
    types = {change.name: change for change in type_changes(before, after, 10)}
    assert types["shop.models.Order"].verdict == MORE
    assert types["dict"].verdict == SAME
    assert "ddtrace.Span" not in types  # how many there were is not known
    packages = package_changes(before, after, 10)
    assert [(change.name, change.verdict) for change in packages] == [("shop", MORE), ("builtins", SAME)]


def test_peaks_of_jobs() -> None:
    def calls(mb: float, count: int) -> tuple[int, histogram.Counts, float]:
        return count, {str(histogram.bucket(mb * 1024)): count}, mb * 1024

    assert peak("view", "shop:cart", calls(20, 100), calls(60, 100)).verdict == MORE
    assert peak("view", "shop:cart", calls(60, 100), calls(20, 100)).verdict == LESS
    assert peak("view", "shop:cart", calls(20, 100), calls(22, 100)).verdict == SAME
    assert peak("view", "shop:cart", calls(20, 100), calls(60, 5)).verdict == UNKNOWN
