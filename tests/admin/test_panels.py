"""The pieces of the pages, as values."""

from __future__ import annotations

from datetime import UTC, datetime

from memwatch.admin import panels
from memwatch.records import MemorySnapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_process_with_no_figures_at_all_still_has_lines() -> None:
    empty = MemorySnapshot(timestamp=NOW)
    lines = panels.memory_lines(empty) + panels.object_lines(empty) + panels.now_tiles(empty, None)
    assert {line.value for line in lines} == {"—"}


def test_the_last_seconds_before_a_limit_are_shown() -> None:
    seconds = ((30.0, 860.0), (20.0, 941.0), (10.0, 940.0))
    figures = MemorySnapshot(timestamp=datetime(2026, 11, 1, tzinfo=UTC), rss_seconds=seconds)
    (line,) = (line for line in panels.memory_lines(figures) if "near the limit" in line.label)
    assert "from 860.0 MB to 940.0 MB, at most 941.0 MB" in line.value
    assert line.value.count("<polyline") == 1
    assert "30 s" in line.hint
