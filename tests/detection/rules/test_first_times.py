"""What comes with modules that are imported late, or with first calls of jobs, is no leak."""

from __future__ import annotations

import random
from typing import Any

import pytest

from memwatch.detection.engine import detect_leaks, judge
from memwatch.detection.history import History
from memwatch.detection.rules.first_times import MODULES
from tests.detection.builders import snapshot

STAIRS = {4: 45, 12: 110, 20: 41, 26: 130, 31: 147, 38: 157, 46: 192, 52: 184, 59: 160, 66: 235, 72: 263}
"""Functions of modules that are imported late, by step."""


def snapshots(*, leak: float = 0.0, modules_each: int = 1, late: int = 0, points: int = 74) -> list[Any]:
    """``leak``: functions more in each step. ``late``: steps by which functions come after their module."""
    chance, functions, modules, found = random.Random(3), 1_000.0, 400, []
    for point in range(points):
        functions += leak + STAIRS.get(point - late, 0)
        modules += modules_each * (point in STAIRS)
        noise = chance.randint(0, 2)
        found.append(snapshot(point, {"function": round(functions) + noise, MODULES: modules}))
    return found


def outcome(rows: list[Any], name: str = "function", window: str = "hour") -> tuple[str, str]:
    (found,) = [v for v in judge(History.from_snapshots(rows), window=window) if v.object_type == name]
    return found.outcome, found.rule


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("window", ["hour", "given"])
def test_what_grows_only_with_imports_is_expected(window: str, late: int) -> None:
    assert outcome(snapshots(late=late), window=window) == ("expected", "imports")


def test_without_known_modules_the_same_stairs_are_a_leak() -> None:
    rows = [snapshot(point, {"function": row.top_objects["function"]}) for point, row in enumerate(snapshots())]
    assert outcome(rows)[0] == "leak"


def test_a_leak_beside_imports_is_one() -> None:
    assert outcome(snapshots(leak=20.0))[0] == "leak"
    assert outcome(snapshots(leak=20.0, modules_each=0))[0] == "leak"


def test_modules_that_are_made_again_and_again_leak() -> None:
    rows = [snapshot(point, {"function": 1_000 + 30 * point, MODULES: 400 + 3 * point}) for point in range(60)]
    assert [leak.object_type for leak in detect_leaks(rows)] == ["function"]
    assert outcome(rows, MODULES)[1] != "imports"


VISITS = (57, 62, 66, 70, 75, 78, 82, 87, 90, 93, 96, 99, 103, 107, 108, 111, 112)
"""Requests so far while somebody opened all pages of an admin, one after the other; a step is two seconds."""
COUNTED = (70, 74, 78, 83, 87, 91, 93, 100, 103, 105, 109, 114, 117, 123, 126, 129, 131)
"""Counters with the view and the method as labels."""


def counters(names: str = "new", *, calls_each: int = 1) -> list[Any]:
    """``names`` of the views: new, known before, or not counted. A type is reported once it is among the largest."""
    counter, found = "prometheus_client.Counter", []
    for step in range(-116, len(VISITS)):
        figures: dict[str, Any] = {"requests_handled": 0, "allocated_blocks": 647_000 + 900 * max(step, 0)}
        counts = {"dict": 9_000}
        if step >= 0:
            figures["requests_handled"] = VISITS[step] * calls_each
            counts[counter] = COUNTED[step]
        if names != "not counted":
            figures["job_names"] = 20 + 2 * step if step >= 0 and names == "new" else 1
        if step == 0:
            figures["backfill"] = {counter: 23}
        found.append(snapshot(116 + step, counts, every_s=2.0, **figures))
    return found


def test_while_nearly_all_calls_are_first_ones_the_watch_waits() -> None:
    assert outcome(counters(), "prometheus_client.Counter") == ("not enough data", "first_calls")


@pytest.mark.parametrize("names", ["known", "not counted"])
def test_the_same_growth_without_new_names_is_a_leak(names: str) -> None:
    assert outcome(counters(names), "prometheus_client.Counter")[0] == "leak"


def test_with_many_calls_of_each_name_it_does_not_wait() -> None:
    assert outcome(counters(calls_each=20), "prometheus_client.Counter")[0] == "leak"


def test_a_leak_in_a_process_that_meets_new_names_all_the_time_is_one() -> None:
    rows = [snapshot(point, {"shop.Kept": 100 + 30 * point}, job_names=3 + point) for point in range(60)]
    assert outcome(rows, "shop.Kept") == ("leak", "all")
