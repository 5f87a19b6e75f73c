"""The pieces of the pages, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from memwatch.admin import charts, panels
from memwatch.figures import MemorySnapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _series(count: int) -> list[MemorySnapshot]:
    return [MemorySnapshot(timestamp=NOW + timedelta(minutes=each), rss_mb=float(each)) for each in range(count)]


def test_a_process_with_no_figures_at_all_still_has_lines() -> None:
    empty = MemorySnapshot(timestamp=NOW)
    lines = panels.memory_lines(empty) + panels.object_lines(empty) + panels.now_tiles(empty, None)
    assert {line.value for line in lines} == {"—"}


def test_a_chart_keeps_its_first_and_last_point_when_it_is_thinned() -> None:
    history = _series(5_000)
    thinned = charts.thinned(history, 100)
    assert len(thinned) == 100
    assert thinned[0] == history[0]
    assert thinned[-1] == history[-1]


def test_a_chart_draws_longer_pauses_as_gaps() -> None:
    data = charts.process_charts(_series(50))["data"]
    assert data["gap_ms"] == 4 * 60_000
    assert data["charts"][0]["series"][0]["values"][:2] == [0.0, 1.0]


def test_a_chart_of_nothing_or_of_one_point_is_no_error() -> None:
    assert charts.process_charts([])["points"] == 0
    assert charts.process_charts(_series(1))["data"]["span_s"] == 0


def test_an_unknown_range_is_the_usual_one() -> None:
    assert charts.hours_asked("24") == 24
    assert charts.hours_asked("-3") == charts.hours_asked("drop table") == charts.hours_asked(None) == 6
