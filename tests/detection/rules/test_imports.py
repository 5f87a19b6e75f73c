"""Functions and classes that come with modules which are imported late are no leak."""

from __future__ import annotations

import random
from typing import Any

import pytest

from memwatch.detection.engine import detect_leaks, judge
from memwatch.detection.history import History
from memwatch.detection.rules.imports import MODULES
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
