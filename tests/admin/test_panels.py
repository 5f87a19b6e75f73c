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
