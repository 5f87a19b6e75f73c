"""Each row of the parity page names a proof that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "parity.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| item |")
]
SECTIONS = (
    "Features", "Components and files", "The profiler", "Values", "Leak detection", "Metrics", "Alerts",
    "Usage examples", "Troubleshooting", "Performance", "Best practices",
)  # fmt: skip


def functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_every_item_has_a_place_and_a_proof(row: tuple[str, ...]) -> None:
    item, here, proof = row
    assert item
    assert here
    path, _, name = proof.strip("`").partition("::")
    assert (ROOT / path).is_file(), path
    if name:
        assert name in functions(ROOT / path)
    else:
        assert path.startswith("benchmarks/") or any(f.startswith("test_") for f in functions(ROOT / path))


def test_no_part_of_the_reference_is_left_out() -> None:
    assert [heading for heading in SECTIONS if f"## {heading}\n" not in PAGE] == []
    for name in (
        "MemorySnapshot", "Leak", "DriftReport", "MemoryMetrics", "start_memory_profiler", "stop_memory_profiler",
        "take_snapshot", "detect_leaks", "get_memory_metrics", "compare_to_baseline", "register_leak_callback",
        "register_alert_callback", "get_snapshots", "get_baseline_snapshot", "get_detected_leaks", "reset_baseline",
        "clear_detected_leaks", "get_stats", "heap_warning_percent", "heap_critical_percent", "growth_rate_warning",
        "gc_spike_threshold",
    ):  # fmt: skip
        assert f"`{name}" in PAGE, name


def test_files_named_as_being_here_are_here() -> None:
    for _item, here, _proof in ROWS:
        for path in re.findall(r"`((?:memwatch|monitoring|tests|benchmarks)/[\w./]+)`", here):
            assert (ROOT / path).exists(), path
