"""The reference's 16 metrics and 12 alerts, by name, in one table each; and what promtool says of the names."""

from __future__ import annotations

import re
import subprocess

import pytest

from memwatch.exposition import families
from memwatch.metrics.rendered_page import Page
from memwatch.observation import FLEET, SELF, TRANSPORT, Observation
from tests.metrics.scraped import samples
from tests.monitoring.files import RUNBOOKS, alerts, whole_observation

METRICS = [
    ("heap_size_mb", "gauge", ()),
    ("heap_used_mb", "gauge", ()),
    ("heap_percent", "gauge", ()),
    ("total_objects", "gauge", ()),
    ("gc_collections_gen0", "gauge", ()),
    ("gc_collections_gen1", "gauge", ()),
    ("gc_collections_gen2", "gauge", ()),
    ("tracemalloc_current_mb", "gauge", ()),
    ("tracemalloc_peak_mb", "gauge", ()),
    ("rss_mb", "gauge", ()),
    ("vms_mb", "gauge", ()),
    ("active_leaks", "gauge", ()),
    ("baseline_drift_percent", "gauge", ()),
    ("object_count", "gauge", ("object_type",)),
    ("gc_collections_total", "counter", ("generation",)),
    ("leak_detections_total", "counter", ("severity",)),
]
"""Name after ``fogcompute_memory_``, type, labels of the reference."""

PROCESS = {"service", "host", "slot"}
"""The labels that the fleet adds to what is of one process."""

ALERTS = [
    ("MemoryHeapCritical", "memory_critical", "critical", "fogcompute_memory_heap_percent > 90", "5m"),
    ("MemoryLeakDetected", "memory_critical", "critical", "memwatch_leaks_open", "1m"),
    ("MemoryRSSCritical", "memory_critical", "critical", "fogcompute_memory_rss_mb > 8 * 1024", "5m"),
    ("MemoryGrowthRateHigh", "memory_growth", "warning", "* 3600 > 100", "30m"),
    ("MemoryGrowthRateCritical", "memory_growth", "critical", "* 3600 > 500", "20m"),
    ("MemoryObjectGrowthUnreleased", "memory_growth", "warning", "memwatch:total_objects", "30m"),
    ("MemoryGCSpike", "memory_gc", "warning", "> 2 * avg_over_time", "15m"),
    ("MemoryGCGen2High", "memory_gc", "warning", 'generation="2"', "5m"),
    ("MemoryBaselineDriftHigh", "memory_baseline", "warning", "drift_percent:min30m > 50", "5m"),
    ("MemoryBaselineDriftCritical", "memory_baseline", "critical", "drift_percent:min30m > 100", "5m"),
    ("MemoryCapacityWarning", "memory_capacity", "warning", "24 * 3600) > 8 * 1024", "90m"),
    ("MemoryExhaustionRisk", "memory_capacity", "critical", "3600) > 95", "15m"),
]
"""Name, group, severity of its worst form, a part of its expression, and how long that has to hold."""

NOT_BY_CONVENTION = {
    **dict.fromkeys(
        ("heap_size_mb", "heap_used_mb", "rss_mb", "tracemalloc_current_mb", "tracemalloc_peak_mb", "vms_mb"),
        "abbreviated units",
    ),
    "object_count": '"_count" suffix',
}
"""Names that Prometheus' conventions would not have, and promtool's reason. They are the reference's: its dashboards
and alerts read them. Beside them stand series in base units, and none of ours is on this list."""


@pytest.mark.parametrize(("name", "kind", "labels"), METRICS, ids=[row[0] for row in METRICS])
def test_the_references_metric_is_there_by_name_type_and_labels(name: str, kind: str, labels: tuple[str, ...]) -> None:
    text = Page(families(whole_observation())).body()[0].decode()
    full = f"fogcompute_memory_{name}"
    assert re.findall(rf"^# TYPE {full} (\w+)$", text, re.MULTILINE) == [kind]
    assert len(re.findall(rf"^# HELP {full} \S+", text, re.MULTILINE)) == 1
    shown = [key for key in samples(text) if key[0] == full]
    assert shown
    found = {part.partition("=")[0] for key in shown for part in key[1:]}
    assert found == {*labels, *(() if name == "leak_detections_total" else PROCESS)}


@pytest.mark.parametrize("source", [FLEET, SELF, TRANSPORT])
def test_every_exporter_names_all_sixteen_even_before_the_first_process(source: str) -> None:
    text = Page(families(Observation(source=source))).body()[0].decode()
    assert len(METRICS) == 16
    for name, kind, _labels in METRICS:
        assert f"# TYPE fogcompute_memory_{name} {kind}\n" in text


@pytest.mark.parametrize(("name", "group", "severity", "part", "held"), ALERTS, ids=[row[0] for row in ALERTS])
def test_the_references_alert_is_there_with_its_group_severity_threshold_and_page(
    name: str, group: str, severity: str, part: str, held: str
) -> None:
    found = [alert for alert in alerts() if alert.name == name]
    assert {alert.group for alert in found} == {group}
    assert severity in {alert.severity for alert in found}
    assert any(part in " ".join(alert.fields["expr"].split()) for alert in found)
    assert {alert.fields.get("for") for alert in found} == {held}
    assert (RUNBOOKS / f"{name}.md").is_file()


def test_the_tables_are_whole() -> None:
    assert (len({row[0] for row in METRICS}), len({row[0] for row in ALERTS})) == (16, 12)


@pytest.mark.prometheus
def test_promtool_has_nothing_to_say_but_of_the_references_own_names(promtool: str) -> None:
    body, _type = Page(families(whole_observation())).body()
    done = subprocess.run([promtool, "check", "metrics"], input=body, check=False, capture_output=True, timeout=60)
    said = dict(line.split(" ", 1) for line in (done.stdout + done.stderr).decode().splitlines() if line)
    assert {name.removeprefix("fogcompute_memory_") for name in said} == set(NOT_BY_CONVENTION)
    for name, reason in NOT_BY_CONVENTION.items():
        assert reason in said[f"fogcompute_memory_{name}"]
