"""The container of a process on its way from the report to the row, to those who read it, and to the alert."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwatch.models import Alert, Process
from memwatch.queries.processes.surroundings import CURRENT, container_of, containers, of_alert, reported_by
from memwatch.records.surroundings import Neighbour, Surroundings
from memwatch.services import alerts
from memwatch.services.ingest import reader
from tests.reports import START, at, process, report, snapshot

pytestmark = pytest.mark.django_db(transaction=True)

FIGURES: dict[str, Any] = {
    "looked_at": START, "used_mb": 980.0, "limit_mb": 1024.0, "anon_mb": 900.0, "file_mb": 50.0, "kernel_mb": 20.0,
    "watched": 2, "watched_mb": 300.0, "unwatched": 1, "unwatched_mb": 600.0,
    "largest": (Neighbour(9, "ffmpeg", 610.0, 600.0),),
}  # fmt: skip


def container(*pids: int, **figures: Any) -> Surroundings:
    return Surroundings(**{**FIGURES, "watched_pids": pids, **figures})


def full(**more: Any) -> Any:
    return snapshot(cgroup_used_mb=980.0, cgroup_limit_mb=1024.0, heap_used_mb=100.0, **more)


def store(*reports: Any, now: Any = START) -> None:
    assert reader.take([each.encode() for each in reports], now=now).rejected == 0


def test_the_latest_figures_are_kept_with_the_time_they_came() -> None:
    store(report(process(1), {0: full()}, surroundings=container(1, 2)))
    store(report(process(1), {1: full()}, surroundings=container(1, 2, used_mb=700.0)), now=at(60))
    store(report(process(1), {2: full()}), now=at(90))
    found = reported_by(Process.objects.get())
    assert found is not None
    assert found.figures == container(1, 2, used_mb=700.0)
    assert found.received_at == at(60)


def test_every_process_of_the_container_finds_it_and_no_other() -> None:
    store(
        report(process(1), {0: full()}, surroundings=container(1, 2)),
        report(process(2, service="worker"), {0: full()}),
        report(process(3), {0: full()}),
        report(process(2, host="h2"), {0: full()}),
    )
    found = {(row.host, row.pid): container_of(row, now=START) for row in Process.objects.all()}
    reporters = {key: None if each is None else each.reporter.pid for key, each in found.items()}
    assert reporters == {("h1", 1): 1, ("h1", 2): 1, ("h1", 3): None, ("h2", 2): None}


def test_two_pods_with_one_host_name_keep_their_own_figures() -> None:
    first, second = process(7, nonce="a"), process(7, nonce="b")
    store(report(first, {0: full()}, surroundings=container(7, used_mb=500.0)))
    store(report(second, {0: full()}, surroundings=container(7, used_mb=900.0)), now=at(20))
    used = {row.key[-1]: container_of(row, now=at(30)) for row in Process.objects.all()}
    assert {key: each and each.figures.used_mb for key, each in used.items()} == {"a": 500, "b": 900}


def test_old_figures_say_nothing_of_now_but_the_ended_process_keeps_its_last_word() -> None:
    store(report(process(1), {0: full()}, surroundings=container(1)))
    row = Process.objects.get()
    later = START + CURRENT + timedelta(seconds=1)
    assert containers(now=START) != []
    assert containers(now=later) == []
    assert container_of(row, now=later) is None
    row.ended_at = later
    assert container_of(row, now=later) is not None


@pytest.mark.parametrize("stored", [7, "x", [], {}, {"received_at": "soon"}, {"received_at": START.isoformat()}])
def test_what_this_version_cannot_read_is_none(stored: Any) -> None:
    store(report(process(1), {0: full()}))
    Process.objects.update(surroundings=stored)
    assert reported_by(Process.objects.get()) is None
    assert containers(now=START) == []


def test_the_alert_of_a_container_says_what_fills_it() -> None:
    store(
        report(process(1), {0: full(rss_mb=200.0)}, surroundings=container(1, 2)),
        report(process(2), {0: full(rss_mb=100.0)}),
    )
    alerts.check(START)
    alert = Alert.objects.get(type="container_critical")
    assert alert.message.endswith(
        "before the kernel kills one. 600 MB is in processes that memwatch does not watch: ffmpeg 600 MB."
    )
    found = of_alert(alert, now=START)
    assert found is not None
    assert found.reporter.pid == 1
    assert of_alert(alert, now=START + timedelta(hours=1)) is None


def test_without_figures_the_alert_says_what_it_always_said() -> None:
    store(report(process(1), {0: full()}))
    alerts.check(START)
    assert Alert.objects.get(type="container_critical").message.endswith("before the kernel kills one.")


def test_the_settings_of_its_allocators_are_kept() -> None:
    store(report(process(1, allocator_settings={"MALLOC_ARENA_MAX": "2"}), {0: full()}))
    store(report(process(2, allocator_settings={}, resource={"service.name": "shop"}), {0: full()}))
    store(report(process(3), {0: full()}))
    resources = Process.objects.order_by("pid").values_list("resource", flat=True)
    assert list(resources) == [{}, {"service.name": "shop"}, {}]
    rows = Process.objects.order_by("pid").values_list("allocator_settings", flat=True)
    assert list(rows) == [{"MALLOC_ARENA_MAX": "2"}, {}, None]


def test_how_a_process_was_started_and_what_it_froze_is_kept() -> None:
    store(report(process(1, start_method="fork", frozen_objects=312_000), {0: full()}))
    store(report(process(2), {0: full()}))
    rows = Process.objects.order_by("pid").values_list("start_method", "frozen_objects")
    assert list(rows) == [("fork", 312_000), ("", None)]
