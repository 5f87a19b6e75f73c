"""Services, processes and commands through the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient

from memwatch.models import Baseline, Command, Process, Snapshot
from memwatch.records.surroundings import Neighbour, Pressure, Surroundings
from tests.api.conftest import Fleet
from tests.services.stored import MINUTE, NOON, end_process, growing, store_process, store_snapshots

PROCESSES = "/api/v1/processes/"


def slots(client: APIClient, query: str) -> set[str]:
    answer = client.get(f"{PROCESSES}{query}")
    assert answer.status_code == 200, answer.json()
    return {row["slot"] for row in answer.json()["results"]}


def test_a_process_carries_the_figures_of_its_last_snapshot(viewer: APIClient, fleet: Fleet) -> None:
    row = viewer.get(f"{PROCESSES}{fleet.web.pk}/").json()
    assert (row["service"], row["host"], row["slot"], row["state"]) == ("web", "a", "web-1", "alive")
    assert row["open_leaks"] == 1
    last = row["last_snapshot"]
    assert last["id"] == fleet.last.pk
    assert last["timestamp"] == "2026-03-02T12:00:00Z"
    assert last["heap_size_mb"] == 2048
    assert last["heap_used_mb"] == pytest.approx((fleet.last.heap_used_kib or 0) / 1024)
    assert last["top_objects"]["shop.leaks.PriceQuote"] > 500
    assert last["total_objects"] > 10_000


def test_a_process_that_has_said_nothing_has_no_last_snapshot(viewer: APIClient, fleet: Fleet) -> None:
    assert viewer.get(f"{PROCESSES}{fleet.worker.pk}/").json()["last_snapshot"] is None


def test_a_last_snapshot_that_was_pruned_is_none(viewer: APIClient, fleet: Fleet) -> None:
    Snapshot.objects.all().delete()
    answer = viewer.get(PROCESSES)
    assert answer.status_code == 200
    assert {row["last_snapshot"] for row in answer.json()["results"]} == {None}


def test_processes_are_filtered_by_service_host_and_state(viewer: APIClient, fleet: Fleet) -> None:
    end_process(fleet.web_2, NOON, Process.End.STALE)
    end_process(store_process("web", slot=3), NOON)
    assert slots(viewer, "") == {"web-1", "web-2", "web-3", "worker-1"}
    assert slots(viewer, "?service=worker") == {"worker-1"}
    assert slots(viewer, "?host=a&state=alive") == {"web-1"}
    assert slots(viewer, "?state=stale") == {"web-2"}
    assert slots(viewer, "?state=ended") == {"web-3"}
    assert slots(viewer, "?service=none") == set()


def test_a_hundred_processes_fit_on_a_page_and_the_next_follows(viewer: APIClient, fleet: Fleet) -> None:
    for slot in range(3, 120):
        store_process("web", slot=slot)
    first = viewer.get(PROCESSES).json()
    assert len(first["results"]) == 100
    second = viewer.get(first["next"]).json()
    assert len(first["results"]) + len(second["results"]) == 120
    assert second["next"] is None
    assert len(viewer.get(f"{PROCESSES}?page_size=1000").json()["results"]) == 120


@pytest.mark.parametrize("path", ["services", "processes", "snapshots", "leaks", "baselines", "alerts"])
def test_a_longer_list_takes_no_more_queries(
    path: str, viewer: APIClient, fleet: Fleet, django_assert_max_num_queries: Any
) -> None:
    for slot in range(3, 23):
        process = store_process("web", slot=slot, host=f"host-{slot}")
        store_snapshots(process, NOON - MINUTE, NOON, growing(-5, 100))
        store_process(f"service-{slot}")
    viewer.get(f"/api/v1/{path}/")  # type names are cached from now on
    # Four of them: a token of before in its table and in that of today, permissions of the user and of the groups.
    with django_assert_max_num_queries(9):
        rows = viewer.get(f"/api/v1/{path}/").json()["results"]
    assert len(rows) > 10 or path in ("leaks", "alerts")


def test_a_service_is_found_by_name(viewer: APIClient, fleet: Fleet) -> None:
    row = viewer.get("/api/v1/services/web/").json()
    assert (row["name"], row["processes_alive"], row["open_leaks"], row["baseline"]) == ("web", 2, 1, None)
    assert viewer.get("/api/v1/services/nothing/").status_code == 404


def test_a_service_with_dots_and_spaces_in_its_name_is_found(viewer: APIClient, fleet: Fleet) -> None:
    store_process("my shop.v2")
    assert viewer.get("/api/v1/services/my shop.v2/").json()["processes_alive"] == 1


def test_drift_compares_with_the_baseline(viewer: APIClient, fleet: Fleet) -> None:
    report = viewer.get(f"{PROCESSES}{fleet.web.pk}/drift/").json()
    assert report["baseline_timestamp"] == "2026-03-02T11:55:00Z"
    assert report["object_drift"] > 400
    assert report["type_drifts"]["shop.leaks.PriceQuote"] > 400


def test_drift_without_a_snapshot_says_so(viewer: APIClient, fleet: Fleet) -> None:
    answer = viewer.get(f"{PROCESSES}{fleet.worker.pk}/drift/")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "worker-1 on b has no baseline or no snapshot yet"


def test_metrics_are_the_reference_s(viewer: APIClient, fleet: Fleet) -> None:
    metrics = viewer.get(f"{PROCESSES}{fleet.web.pk}/metrics/").json()
    assert metrics["active_leaks"] == 1
    assert metrics["heap_size_mb"] == 2048
    assert metrics["baseline_drift_percent"] > 0


def test_a_reset_sets_the_baseline_and_leaves_a_trace(operator: APIClient, fleet: Fleet) -> None:
    answer = operator.post(f"{PROCESSES}{fleet.web.pk}/reset-baseline/", {"reason": "release 2.4"}, format="json")
    assert answer.status_code == 200, answer.json()
    row = answer.json()
    assert (row["process"], row["active"], row["automatic"]) == (fleet.web.pk, True, False)
    assert (row["created_by"], row["reason"]) == ("operator", "release 2.4")
    assert row["timestamp"] == "2026-03-02T12:00:00Z"
    assert LogEntry.objects.filter(user__username="operator", object_id=str(fleet.web.pk)).exists()


@pytest.mark.parametrize("target", ["processes/{}", "services/web"])
def test_the_same_idempotency_key_gets_the_same_answer(target: str, operator: APIClient, fleet: Fleet) -> None:
    path = f"/api/v1/{target.format(fleet.web.pk)}/reset-baseline/"
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = operator.post(path, {}, format="json", headers=headers)
    count = Baseline.objects.count()
    again = operator.post(path, {}, format="json", headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert Baseline.objects.count() == count


def test_a_reset_without_any_snapshot_is_refused_with_the_reason(operator: APIClient, fleet: Fleet) -> None:
    answer = operator.post(f"{PROCESSES}{fleet.worker.pk}/reset-baseline/", {}, format="json")
    assert answer.status_code == 409
    assert "has reported no snapshot yet" in answer.json()["detail"]


def test_a_snapshot_on_demand_is_a_command_to_follow(operator: APIClient, fleet: Fleet) -> None:
    answer = operator.post(f"{PROCESSES}{fleet.web.pk}/snapshot/")
    assert answer.status_code == 202
    command = Command.objects.latest("pk")
    assert answer["Location"] == f"/api/v1/commands/{command.pk}/"
    followed = operator.get(answer["Location"]).json()
    assert (followed["name"], followed["process"], followed["slot"]) == ("snapshot", fleet.web.pk, "web-1")
    assert followed["created_by"] == "operator"


def test_an_ended_process_cannot_be_asked(operator: APIClient, fleet: Fleet) -> None:
    end_process(fleet.web, NOON)
    answer = operator.post(f"{PROCESSES}{fleet.web.pk}/snapshot/")
    assert answer.status_code == 409
    assert "has ended" in answer.json()["detail"]


def test_stats_say_how_memwatch_is_doing(viewer: APIClient, fleet: Fleet) -> None:
    stats = viewer.get("/api/v1/stats/").json()
    assert stats["processes_alive"] == 3
    assert stats["open_leaks"] == {"low": 0, "medium": 0, "high": 1, "critical": 0}
    assert stats["expected_growth"] == {
        "rules": 0, "rules_in_force": 0, "leaks_held_back": 0, "verdicts_suppressed": 0, "last_at": None,
    }  # fmt: skip
    assert stats["transport"]["kind"] == "local"


def test_the_process_that_reports_its_container_carries_it(viewer: APIClient, fleet: Fleet) -> None:
    figures = Surroundings(
        looked_at=NOON, used_mb=980.0, limit_mb=1024.0, anon_mb=900.0, pressure=Pressure(1.0, 2.0, None, None),
        watched=1, watched_mb=300.0, unwatched=1, unwatched_mb=600.0, largest=(Neighbour(9, "ffmpeg", 610.0),),
    )  # fmt: skip
    fleet.web.surroundings = {**figures.to_dict(), "received_at": NOON.isoformat()}
    fleet.web.start_method, fleet.web.frozen_objects = "fork", 7
    fleet.web.allocator_settings = {"MALLOC_ARENA_MAX": "2"}
    fleet.web.resource = {"service.name": "shop"}
    fleet.web.save()
    rows = {row["slot"]: row for row in viewer.get(PROCESSES).json()["results"]}
    assert (rows["web-1"]["start_method"], rows["web-1"]["frozen_objects"]) == ("fork", 7)
    settings = [rows[slot]["allocator_settings"] for slot in ("web-1", "web-2")]
    assert settings == [{"MALLOC_ARENA_MAX": "2"}, None]
    assert [rows[slot]["resource"] for slot in ("web-1", "web-2")] == [{"service.name": "shop"}, {}]
    found = rows["web-1"]["container"]
    assert (found["used_mb"], found["anon_mb"], found["file_mb"], found["received_at"]) == (
        980, 900, None, "2026-03-02T12:00:00Z",
    )  # fmt: skip
    assert found["largest"] == [{"pid": 9, "name": "ffmpeg", "rss_mb": 610, "pss_mb": None}]
    assert found["pressure"] == {"some_10": 1, "some_60": 2, "full_10": None, "full_60": None}
    assert found["sentences"][0].startswith("600 MB is in processes that memwatch does not watch: ffmpeg")
    assert rows["web-2"]["container"] is None
