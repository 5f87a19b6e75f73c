"""The exposition's promises, without Django."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from memwatch.exposition import down, families
from memwatch.exposition.processes import shown_types
from memwatch.metrics.rendered_page import MAX_FORMATS, Page, accepts_gzip
from memwatch.observation import FLEET, SELF, Backlog, Observation, Observed, OpenLeak
from memwatch.records import MemorySnapshot

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
WEB_1 = {"service": "web", "host": "a", "slot": "web-1"}
WEB_2 = {"service": "web", "host": "a", "slot": "web-2"}


def figures(**changes: object) -> MemorySnapshot:
    values: dict[str, object] = {
        "timestamp": NOW,
        "heap_size_mb": 2048.0,
        "heap_used_mb": 512.0,
        "heap_percent": 25.0,
        "rss_mb": 600.0,
        "vms_mb": 1200.0,
        "total_objects": 60_000,
        "top_objects": {"dict": 9000, "function": 7000, "shop.leaks.PriceQuote": 40},
        "gc_collections_gen0": 500,
        "gc_collections_gen1": 40,
        "gc_collections_gen2": 3,
        "census_pause_ms": 12.5,
        "page_faults": 21,
        "cpu_user_s": 4.25,
        "cpu_system_s": 0.5,
        "open_files": 17,
        "voluntary_switches": 900,
        "involuntary_switches": 35,
    }
    return MemorySnapshot(**{**values, **changes})  # type: ignore[arg-type]


def text(observation: Observation, **options: object) -> str:
    return Page(families(observation, **options)).body()[0].decode()  # type: ignore[arg-type]


def values(exposition: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(exposition)
        for sample in family.samples
    }


def value(exposition: str, name: str, **labels: str) -> float | None:
    return values(exposition).get((name, tuple(sorted(labels.items()))))


def test_no_name_comes_twice() -> None:
    backlog = Backlog(reports=1, oldest_s=2, used_bytes=3, limit_bytes=4)
    observed = Observed(labels=WEB_1, figures=figures())
    observation = Observation(source=FLEET, processes=[observed], backlog=backlog)
    names = [family.name for family in families(observation)]
    assert len(names) == len(set(names))


def test_the_figures_of_a_process_carry_service_host_and_slot() -> None:
    observed = Observed(
        labels=WEB_1, started_at=NOW, figures=figures(), drift_percent=12.5, leaks={"high": 2, "low": 1}
    )
    shown = text(Observation(source=FLEET, processes=[observed]))
    assert value(shown, "fogcompute_memory_heap_used_mb", **WEB_1) == 512
    assert value(shown, "fogcompute_memory_active_leaks", **WEB_1) == 3
    assert value(shown, "fogcompute_memory_baseline_drift_percent", **WEB_1) == 12.5
    assert value(shown, "fogcompute_memory_object_count", **WEB_1, object_type="dict") == 9000
    assert value(shown, "fogcompute_memory_gc_collections_total", **WEB_1, generation="2") == 3
    assert value(shown, "memwatch_process_resident_memory_bytes", **WEB_1) == 600 * 1024 * 1024
    assert value(shown, "memwatch_heap_used_bytes", **WEB_1) == 512 * 1024 * 1024
    assert value(shown, "memwatch_process_major_page_faults_total", **WEB_1) == 21
    assert value(shown, "memwatch_process_cpu_user_seconds_total", **WEB_1) == 4.25
    assert value(shown, "memwatch_process_cpu_system_seconds_total", **WEB_1) == 0.5
    assert value(shown, "memwatch_process_open_file_descriptors", **WEB_1) == 17
    assert value(shown, "memwatch_process_voluntary_context_switches_total", **WEB_1) == 900
    assert value(shown, "memwatch_process_involuntary_context_switches_total", **WEB_1) == 35
    assert value(shown, "memwatch_census_pause_seconds", **WEB_1) == 0.0125
    assert value(shown, "memwatch_process_start_time_seconds", **WEB_1) == NOW.timestamp()
    assert value(shown, "memwatch_last_snapshot_timestamp_seconds", **WEB_1) == NOW.timestamp()
    assert value(shown, "memwatch_leaks_open", **WEB_1, severity="high") == 2
    assert value(shown, "memwatch_leaks_open", **WEB_1, severity="critical") == 0
    assert value(shown, "memwatch_processes_alive", service="web") == 1


def test_what_was_not_measured_has_no_sample_and_zero_is_zero() -> None:
    bare = MemorySnapshot(timestamp=NOW, rss_mb=0.0)
    shown = text(Observation(source=FLEET, processes=[Observed(labels=WEB_1, figures=bare)]))
    assert value(shown, "fogcompute_memory_heap_used_mb", **WEB_1) is None
    assert value(shown, "fogcompute_memory_baseline_drift_percent", **WEB_1) is None
    assert value(shown, "fogcompute_memory_rss_mb", **WEB_1) == 0
    assert value(shown, "fogcompute_memory_tracemalloc_current_mb", **WEB_1) == 0


def test_a_process_without_a_snapshot_shows_its_start_and_no_figures() -> None:
    shown = text(Observation(source=FLEET, processes=[Observed(labels=WEB_1, started_at=NOW)]))
    assert value(shown, "memwatch_process_start_time_seconds", **WEB_1) == NOW.timestamp()
    assert value(shown, "fogcompute_memory_rss_mb", **WEB_1) is None


def test_alone_the_series_carry_no_fleet_labels() -> None:
    shown = text(Observation(source=SELF, processes=[Observed(labels={}, figures=figures())]))
    assert value(shown, "fogcompute_memory_rss_mb") == 600
    assert value(shown, "memwatch_exporter_source", source="self") == 1
    assert "memwatch_processes_alive" not in shown


def test_leak_detections_are_there_before_the_first_leak() -> None:
    shown = text(Observation(source=FLEET, leak_detections={"high": 4}))
    assert value(shown, "fogcompute_memory_leak_detections_total", severity="low") == 0
    assert value(shown, "fogcompute_memory_leak_detections_total", severity="high") == 4


def test_types_beyond_the_limit_are_summed_as_other() -> None:
    observed = [
        Observed(labels=WEB_1, figures=figures(top_objects={"a": 10, "b": 5, "c": 2})),
        Observed(labels=WEB_2, figures=figures(top_objects={"a": 1, "b": 7})),
    ]
    shown = text(Observation(source=FLEET, processes=observed), type_limit=1)
    assert value(shown, "fogcompute_memory_object_count", **WEB_1, object_type="b") == 5
    assert value(shown, "fogcompute_memory_object_count", **WEB_1, object_type="a") is None
    assert value(shown, "fogcompute_memory_object_count", **WEB_1, object_type="other") == 12
    assert value(shown, "fogcompute_memory_object_count", **WEB_2, object_type="other") == 1
    per_process = [v for (name, labels), v in values(shown).items() if name.endswith("object_count")]
    assert sum(per_process) == 25


def test_a_leaking_type_keeps_its_label_though_others_are_larger() -> None:
    assert shown_types([{"dict": 9000, "list": 8000, "leak": 3}], 2, {"leak"}) == {"leak", "dict"}


def test_the_choice_of_types_does_not_depend_on_the_order_of_processes() -> None:
    counts = [{"x": 1, "y": 1}, {"z": 1, "w": 1}]
    assert shown_types(counts, 2) == shown_types(counts[::-1], 2) == {"w", "x"}


def test_odd_type_names_come_back_as_they_were() -> None:
    odd = 'shop."quoted"\\path\nline.' + "x" * 10_000
    shown = text(Observation(source=FLEET, processes=[Observed(labels=WEB_1, figures=figures(top_objects={odd: 3}))]))
    assert value(shown, "fogcompute_memory_object_count", **WEB_1, object_type=odd) == 3


def test_a_type_that_is_named_like_the_rest_is_counted_with_the_rest() -> None:
    observed = Observed(labels=WEB_1, figures=figures(top_objects={"other": 50, "a": 10, "b": 5}))
    shown = text(Observation(source=FLEET, processes=[observed]), type_limit=2)
    lines = [line for line in shown.splitlines() if line.startswith("fogcompute_memory_object_count{")]
    assert len(lines) == len({line.rpartition(" ")[0] for line in lines})
    assert value(shown, "fogcompute_memory_object_count", **WEB_1, object_type="other") == 55


def test_an_open_leak_says_how_long_is_left() -> None:
    leak = OpenLeak(labels=WEB_1, kind="objects", object_type="shop.leaks.PriceQuote", seconds=7200)
    shown = text(Observation(source=FLEET, open_leaks=[leak]))
    labels = {**WEB_1, "kind": "objects", "object_type": "shop.leaks.PriceQuote"}
    assert value(shown, "memwatch_leak_time_to_exhaustion_seconds", **labels) == 7200


def test_a_leak_of_a_whole_service_has_neither_host_nor_slot() -> None:
    labels = {"service": "web", "host": "", "slot": ""}
    shown = text(Observation(source=FLEET, service_leaks=[(labels, {"medium": 1})]))
    assert value(shown, "memwatch_leaks_open", **labels, severity="medium") == 1


def test_another_namespace_renames_the_reference_names_only() -> None:
    shown = text(Observation(source=FLEET), namespace="acme")
    assert "# TYPE acme_memory_heap_used_mb gauge" in shown
    assert "# TYPE memwatch_heap_used_bytes gauge" in shown
    assert "fogcompute" not in shown


def test_without_figures_only_up_is_left_and_it_is_zero() -> None:
    shown = Page(down()).body()[0].decode()
    assert values(shown) == {("memwatch_up", ()): 0}


def test_openmetrics_where_it_is_asked_for() -> None:
    page = Page(families(Observation(source=FLEET, processes=[Observed(labels=WEB_1, figures=figures())])))
    body, content_type = page.body("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(body.decode())}
    assert {"fogcompute_memory_gc_collections", "memwatch_up"} <= names


def test_an_accept_header_that_makes_no_sense_gets_plain_text_and_no_room() -> None:
    page = Page(down())
    assert page.body("application/openmetrics-text;version=one")[1].startswith("text/plain")
    for number in range(50):
        page.body(f"application/openmetrics-text;version=1.0.{number}")
    assert len(page.asked_for()) <= MAX_FORMATS


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("gzip", True), ("deflate, gzip;q=1.0", True), ("*", True), ("", False), ("gzip;q=0", False), ("br", False)],
)
def test_gzip_only_where_it_is_accepted(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_neither_django_nor_celery_nor_redis_is_needed() -> None:
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('django', 'celery', 'redis', 'rest_framework')));"
        "import memwatch.exposition, memwatch.metrics.server"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
