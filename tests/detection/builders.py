"""Snapshots and histories for the tests of detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.detection import History, Verdict, judge
from memwatch.records import MemorySnapshot

START = datetime(2026, 1, 1, tzinfo=UTC)


def snapshot(index: float, counts: Mapping[str, int] | None = None, *, every_s: float = 60.0, **figures: Any) -> Any:
    """One snapshot at ``index`` intervals after the start."""
    return MemorySnapshot(timestamp=START + timedelta(seconds=index * every_s), top_objects=counts, **figures)


def series(level: Callable[[int], float], points: int, *, name: str = "app.Thing", **options: Any) -> list[Any]:
    """Snapshots of one type whose count is ``level(i)``."""
    return [snapshot(i, {name: round(level(i))}, **options) for i in range(points)]


def verdict_of(level: Callable[[int], float], points: int, *, window: str = "given", **options: Any) -> Verdict:
    """The verdict on one type."""
    (found,) = judge(History.from_snapshots(series(level, points, **options)), window=window)
    return found
