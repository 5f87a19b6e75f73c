"""Each row of the parity page names a proof that is there."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from memwatch.profiler import MemoryProfiler
from memwatch.records import DriftReport, Leak, MemoryMetrics, MemorySnapshot
from tests.monitoring.test_reference import ALERTS, METRICS

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


ATTRIBUTES: dict[type, str] = {
    MemorySnapshot: (
        "timestamp heap_size_mb heap_used_mb heap_free_mb heap_percent total_objects top_objects gc_count gc_threshold "
        "tracemalloc_current_mb tracemalloc_peak_mb rss_mb vms_mb"
    ),
    Leak: "object_type initial_count current_count growth_count growth_percent detection_time severity",
    DriftReport: (
        "baseline_timestamp current_timestamp heap_drift_mb heap_drift_percent object_drift object_drift_percent "
        "gc_frequency_change significant_drifts"
    ),
    MemoryMetrics: (
        "heap_size_mb heap_used_mb heap_percent total_objects gc_collections_gen0 gc_collections_gen1 "
        "gc_collections_gen2 tracemalloc_current_mb tracemalloc_peak_mb rss_mb vms_mb active_leaks"
    ),
}
"""Of the reference's values."""
METHODS = [
    "start_memory_profiler",
    "stop_memory_profiler",
    "take_snapshot",
    "detect_leaks",
    "get_memory_metrics",
    "compare_to_baseline",
    "register_leak_callback",
    "register_alert_callback",
    "get_snapshots",
    "get_baseline_snapshot",
    "get_detected_leaks",
    "reset_baseline",
    "clear_detected_leaks",
    "get_stats",
]
THRESHOLDS = ["heap_warning_percent", "heap_critical_percent", "growth_rate_warning", "gc_spike_threshold"]


@pytest.mark.parametrize("cls", ATTRIBUTES)
def test_every_attribute_of_the_reference_is_there_and_on_this_page(cls: type) -> None:
    (row,) = [item for item, _here, _proof in ROWS if item.startswith(f"`{cls.__name__}`:")]
    names = ATTRIBUTES[cls].split()
    assert re.findall(r"`(\w+)`", row) == [cls.__name__, *names]
    assert set(names) <= {field.name for field in dataclasses.fields(cls)}
    assert callable(cls.to_dict)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*METHODS, *THRESHOLDS])
def test_every_method_and_threshold_of_the_reference_is_there_and_on_this_page(name: str) -> None:
    assert hasattr(MemoryProfiler(), name)
    assert f"`{name}" in PAGE


@pytest.mark.parametrize("name", [f"fogcompute_memory_{row[0]}" for row in METRICS] + [row[0] for row in ALERTS])
def test_every_metric_and_alert_of_the_reference_is_on_this_page(name: str) -> None:
    assert f"`{name}" in PAGE


def test_no_part_of_the_reference_is_left_out() -> None:
    assert [heading for heading in SECTIONS if f"## {heading}\n" not in PAGE] == []


def test_files_named_as_being_here_are_here() -> None:
    for _item, here, _proof in ROWS:
        for path in re.findall(r"`((?:memwatch|monitoring|tests|benchmarks)/[\w./]+)`", here):
            assert (ROOT / path).exists(), path
