"""From rows to metrics."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from memwatch.detection.deaths import REASONS
from memwatch.metrics.collector import FleetCollector
from memwatch.models import Leak, Process, WorkName
from memwatch.observation import Observation
from memwatch.records import MB, MemorySnapshot
from memwatch.records.surroundings import Surroundings
from memwatch.records.work import WorkFigures
from memwatch.services import counters
from memwatch.services.ingest import work_totals
from memwatch.services.leaks import judging
from memwatch.transport import open_uplink
from tests.api.conftest import Fleet
from tests.api.rows import store_leak
from tests.metrics.scraped import WEB_1, samples
from tests.reports import process as who
from tests.services.stored import MINUTE, NOON, end_process, growing, store_process, store_snapshots
from tests.services.stored_work import figures as ended
from tests.services.stored_work import store_work


def shown() -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(FleetCollector(max_age_s=0))
    return samples(generate_latest(registry).decode())


def test_each_process_shows_its_figures_by_slot(fleet: Fleet) -> None:
    found = shown()
    assert found["fogcompute_memory_rss_mb", *WEB_1] == pytest.approx((fleet.last.rss_kib or 0) / 1024)
    assert found["memwatch_process_resident_memory_bytes", *WEB_1] == (fleet.last.rss_kib or 0) * 1024
    quote = ("host=a", "object_type=shop.leaks.PriceQuote", "service=web", "slot=web-1")
    assert found["fogcompute_memory_object_count", *quote] > 500
    assert found["fogcompute_memory_baseline_drift_percent", *WEB_1] > 0
    assert found["memwatch_processes_alive", "service=web"] == 2
    assert found["memwatch_process_start_time_seconds", "host=b", "service=worker", "slot=worker-1"] > 0
    assert found["memwatch_up",] == 1


def test_the_last_known_counts_stay_with_the_time_they_were_counted(fleet: Fleet) -> None:
    quote = ("host=a", "object_type=shop.leaks.PriceQuote", "service=web", "slot=web-1")
    before = shown()
    counted_at = before["memwatch_object_counts_timestamp_seconds", *WEB_1]
    assert counted_at == fleet.last.timestamp.timestamp()
    store_snapshots(
        fleet.web, NOON + MINUTE, NOON + 3 * MINUTE, lambda _minutes: {"total_objects": None, "counts": None}
    )
    after = shown()
    assert after["fogcompute_memory_object_count", *quote] == before["fogcompute_memory_object_count", *quote]
    assert after["fogcompute_memory_total_objects", *WEB_1] == before["fogcompute_memory_total_objects", *WEB_1]
    assert after["memwatch_object_counts_timestamp_seconds", *WEB_1] == counted_at
    assert after["memwatch_last_snapshot_timestamp_seconds", *WEB_1] > counted_at


def test_a_process_is_observed_with_its_identity_and_what_it_says_of_its_resource(fleet: Fleet) -> None:
    Process.objects.filter(pk=fleet.web.pk).update(resource={"service.namespace": "acme"})
    collector = FleetCollector(max_age_s=0)
    collector.metrics()
    assert collector.observation is not None
    (web,) = [each for each in collector.observation.processes if each.labels["slot"] == "web-1"]
    assert (web.pid, web.instance, web.resource) == (fleet.web.pid, fleet.web.key, {"service.namespace": "acme"})


def test_steady_growth_and_whether_leaks_are_known_are_shown(fleet: Fleet) -> None:
    Process.objects.filter(pk=fleet.web.pk).update(growth_kib_per_hour=2048, leaks_known=True)
    found = shown()
    assert found["memwatch_process_growth_bytes_per_hour", *WEB_1] == 2048 * 1024
    assert found["memwatch_process_leaks_known", *WEB_1] == 1
    assert len([key for key in found if key[0] == "memwatch_process_growth_bytes_per_hour"]) == 1


def test_a_container_is_shown_by_part_while_its_figures_are_of_now(fleet: Fleet) -> None:
    now = timezone.now()
    figures = Surroundings(looked_at=now, anon_mb=900.0, file_mb=50.0, shmem_mb=8.0, unwatched_mb=600.0)
    stored = {**figures.to_dict(), "received_at": now.isoformat()}
    Process.objects.filter(pk=fleet.web.pk).update(surroundings=stored)
    found = {key[2]: value / MB for key, value in shown().items() if key[0] == "memwatch_container_memory_bytes"}
    assert found == {"part=anonymous": 900, "part=page_cache": 42, "part=shared": 8, "part=unwatched_processes": 600}
    stored["received_at"] = (now - timedelta(hours=1)).isoformat()
    Process.objects.filter(pk=fleet.web.pk).update(surroundings=stored)
    assert not [key for key in shown() if key[0] == "memwatch_container_memory_bytes"]


def test_last_snapshots_are_looked_for_among_the_newest(fleet: Fleet) -> None:
    with CaptureQueriesContext(connection) as asked:
        shown()
    (processes,) = [query["sql"] for query in asked if "LEFT OUTER JOIN" in query["sql"] and "rss_kib" in query["sql"]]
    assert "MIN(" in processes


def test_the_series_of_a_dead_process_vanish(fleet: Fleet) -> None:
    end_process(fleet.web, NOON)
    found = shown()
    assert not [key for key in found if "slot=web-1" in key]
    assert [key for key in found if "slot=web-2" in key]


def test_a_successor_in_the_slot_starts_its_own_counters(fleet: Fleet) -> None:
    before = shown()["memwatch_process_start_time_seconds", *WEB_1]
    end_process(fleet.web, NOON)
    successor = store_process("web", started=NOON)
    store_snapshots(successor, NOON + MINUTE, NOON + MINUTE)
    found = shown()
    assert found["memwatch_process_start_time_seconds", *WEB_1] > before
    assert found["fogcompute_memory_gc_collections_total", "generation=0", *WEB_1] == 0


def test_open_leaks_are_shown_by_severity_and_snoozed_ones_are_not(fleet: Fleet) -> None:
    store_leak(fleet.web, "a.Snoozed", state=Leak.State.SNOOZED)
    store_leak(fleet.web, "b.Seen", state=Leak.State.ACKNOWLEDGED, severity="low", time_to_exhaustion_s=None)
    store_leak(fleet.web, "c.Recycled", process=None, severity="medium")
    found = shown()
    assert found["fogcompute_memory_active_leaks", *WEB_1] == 2
    assert found["memwatch_leaks_open", "host=a", "service=web", "severity=high", "slot=web-1"] == 1
    assert found["memwatch_leaks_open", "host=a", "service=web", "severity=critical", "slot=web-1"] == 0
    assert found["memwatch_leaks_open", "host=", "service=web", "severity=medium", "slot="] == 1
    left = [key for key in found if key[0] == "memwatch_leak_time_to_exhaustion_seconds"]
    assert sorted(key[3] for key in left) == ["object_type=c.Recycled", "object_type=shop.leaks.PriceQuote"]


def test_detections_do_not_fall_when_leaks_are_pruned(fleet: Fleet) -> None:
    counters.add("leak_detections", 2, service="web", severity="high")
    counters.add("leak_detections", 1, service="worker", severity="high")
    Leak.objects.all().delete()
    found = shown()
    assert found["fogcompute_memory_leak_detections_total", "severity=high"] == 3
    assert found["fogcompute_memory_leak_detections_total", "severity=low"] == 0


def test_ends_of_processes_are_shown_by_service_and_reason_before_the_first(fleet: Fleet) -> None:
    counters.add("memwatch_process_deaths", 3, service="web", reason="oom_process")
    counters.add("memwatch_process_deaths", 1, service="gone", reason="crash")
    found = shown()
    assert found["memwatch_process_deaths_total", "reason=oom_process", "service=web"] == 3
    assert found["memwatch_process_deaths_total", "reason=crash", "service=gone"] == 1
    zeros = [key for key, value in found.items() if key[0] == "memwatch_process_deaths_total" and not value]
    assert len(zeros) == 2 * len(REASONS) - 1, "of web and worker"


@pytest.mark.usefixtures("transport_url")
def test_what_the_service_counts_is_what_is_shown(db: None) -> None:
    for slot in (1, 2):
        store_snapshots(store_process("shop", slot=slot), NOON - 120 * MINUTE, NOON, growing(-120, 100))
    judging.detect(NOON)
    assert Leak.objects.count() == 2
    found = shown()
    detections = [value for key, value in found.items() if key[0] == "fogcompute_memory_leak_detections_total"]
    assert sum(detections) == 2


def bring(process: Process, *work: WorkFigures, at: datetime | None = None) -> None:
    now = at or timezone.now()
    store_work(process, now, *work)
    names = {(each.kind, each.name): WorkName.objects.get(kind=each.kind, name=each.name).pk for each in work}
    work_totals.store([(process, MemorySnapshot(timestamp=now, work=work))], names, now)


def test_work_is_shown_by_service_kind_and_name(fleet: Fleet) -> None:
    bring(fleet.web, ended("orders:list", 40, kind="view", kept_kib=2, peak_kib=4_000), ended("sync", 7))
    bring(fleet.worker, ended("sync", 3, kept_kib=-5, peak_kib=50))
    found = shown()
    view, task = ("kind=view", "name=orders:list", "service=web"), ("kind=task", "name=sync", "service=web")
    assert found["memwatch_work_calls_total", *view] == 40
    assert found["memwatch_work_kept_bytes_total", *view] == 80 * 1024
    assert found["memwatch_work_peak_bytes", *view] == 4_000 * 1024
    assert found["memwatch_work_calls_total", *task] == 7
    assert ("memwatch_work_peak_bytes", *task) not in found
    freed = ("kind=task", "name=sync", "service=worker")
    assert (found["memwatch_work_kept_bytes_total", *freed], found["memwatch_work_calls_total", *freed]) == (0, 3)


def test_the_highest_peak_of_a_job_comes_with_its_span(fleet: Fleet) -> None:
    low, high = (f"{number:032x}-{number:016x}" for number in (9, 5))
    bring(fleet.web, ended("sync", 7, peak_kib=50, peak_trace=low))
    bring(fleet.worker, ended("sync", 7, peak_kib=50, peak_trace=low), ended("mail", 1))
    bring(fleet.worker, ended("sync", 7, peak_kib=60, peak_trace=high))
    collector = FleetCollector(max_age_s=0)
    collector.metrics()
    assert collector.observation is not None
    work = collector.observation.work
    found = {(each.labels["service"], each.labels["name"]): each.peak_span for each in work}
    assert found == {("web", "sync"): low, ("worker", "sync"): high, ("worker", "mail"): ""}


def test_a_peak_is_shown_for_an_hour_and_the_total_stays(fleet: Fleet) -> None:
    now = timezone.now()
    bring(fleet.worker, ended("sync", 3, peak_kib=50), at=now - timedelta(hours=2))
    key = ("kind=task", "name=sync", "service=worker")
    found = shown()
    assert ("memwatch_work_peak_bytes", *key) not in found
    assert found["memwatch_work_calls_total", *key] == 3


def test_names_beyond_the_limit_are_shown_as_others(fleet: Fleet, settings: Any) -> None:
    settings.MEMWATCH = {"METRICS_WORK_LIMIT": 1}
    bring(fleet.worker, ended("a", 9, peak_kib=5), ended("b", 2, peak_kib=70), ended("c", 1, peak_kib=60))
    found = {key[2:]: value for key, value in shown().items() if key[0].startswith("memwatch_work_")}
    assert set(found) == {("name=a", "service=worker"), ("name=(other)", "service=worker")}
    others = ("kind=task", "name=(other)", "service=worker")
    assert shown()["memwatch_work_calls_total", *others] == 3
    assert shown()["memwatch_work_peak_bytes", *others] == 70 * 1024


def test_rejected_reports_are_counted_by_reason(fleet: Fleet) -> None:
    counters.add("memwatch_reports_rejected", 4, reason="malformed")
    assert shown()["memwatch_reports_rejected_total", "reason=malformed"] == 4


def test_the_backlog_of_the_transport_is_shown(fleet: Fleet, transport_url: str) -> None:
    assert shown()["memwatch_transport_backlog",] == 0
    uplink = open_uplink(transport_url, who().key)
    uplink.send(b"{}")
    uplink.close()
    assert shown()["memwatch_transport_backlog",] == 1


def test_the_fleet_takes_twelve_queries_whatever_its_size(fleet: Fleet, django_assert_num_queries: Any) -> None:
    for slot in range(3, 23):
        process = store_process("web", slot=slot, host=f"host-{slot}")
        store_snapshots(process, NOON - MINUTE, NOON, growing(-5, 100))
        store_leak(process)
        bring(process, *(ended(f"task_{number}", peak_kib=100) for number in range(5)))
    with django_assert_num_queries(12):
        FleetCollector(max_age_s=0).metrics()


def test_registering_reads_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        CollectorRegistry().register(FleetCollector())


def test_scrapes_that_come_close_together_share_one_reading() -> None:
    readings: list[int] = []
    now = [100.0]

    def read() -> Observation:
        readings.append(1)
        return Observation(source="fleet")

    collector = FleetCollector(read, max_age_s=1, clock=lambda: now[0])
    collector.metrics()
    now[0] += 0.5
    collector.metrics()
    assert len(readings) == 1
    now[0] += 0.6
    collector.metrics()
    assert len(readings) == 2


def test_a_failure_is_up_zero_said_once_and_the_old_figures_are_gone(caplog: pytest.LogCaptureFixture) -> None:
    broken = [True]

    def read() -> Observation:
        if broken[0]:
            raise OSError("the disk\nis full")
        return Observation(source="fleet")

    collector = FleetCollector(read, max_age_s=0)
    for _attempt in range(3):
        assert [(family.name, family.samples[0].value) for family in collector.collect()] == [("memwatch_up", 0)]
    assert [record.message for record in caplog.records] == [
        "the fleet's figures cannot be read, memwatch_up is 0: OSError: the disk"
    ]
    broken[0] = False
    assert len(collector.metrics()) > 30
    assert not collector.failing


def test_while_one_reading_hangs_other_scrapes_get_up_zero_and_do_not_hang() -> None:
    reading, ending = threading.Event(), threading.Event()

    def read() -> Observation:
        reading.set()
        ending.wait(30)
        return Observation(source="fleet")

    collector = FleetCollector(read, max_age_s=0, wait_s=0.05)
    first = threading.Thread(target=collector.metrics)
    first.start()
    try:
        assert reading.wait(10)
        assert [(family.name, family.samples[0].value) for family in collector.collect()] == [("memwatch_up", 0)]
    finally:
        ending.set()
        first.join(10)
    assert len(collector.metrics()) > 30


def test_a_process_whose_last_snapshot_was_pruned_keeps_its_start(fleet: Fleet) -> None:
    fleet.web.snapshots.all().delete()
    found = shown()
    assert found["memwatch_process_start_time_seconds", *WEB_1] > 0
    assert ("fogcompute_memory_rss_mb", *WEB_1) not in found
    assert Process.objects.alive().count() == 3
