"""Why processes ended, through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.models import Process
from tests.services.stored import MINUTE, NOON, end_process, store_process
from tests.services.stored_deaths import store_death

pytestmark = pytest.mark.django_db
DEATHS = "/api/v1/deaths/"


def found(client: APIClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{DEATHS}?{query}")
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def reasons(client: APIClient, query: str = "") -> list[str]:
    return [row["reason"] for row in found(client, query)]


def test_a_death_says_what_killed_the_worker(viewer: APIClient) -> None:
    now = timezone.now()
    store_death(at=now - MINUTE)
    dead = store_death(at=now, span=f"{'ab' * 16}-{'cd' * 8}")
    row = found(viewer)[0]
    evidence = row.pop("evidence")
    assert row == {
        "process": dead.pk, "service": "web", "at": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}", "reason": "oom_process",
        "signal": "SIGKILL", "job": "shop.sync", "job_seconds": 34.0,
        "job_trace_id": "ab" * 16, "job_span_id": "cd" * 8, "rss_mb": 498.0, "limit_mb": 512.0,
        "earlier": "`shop.sync` was running in 2 of 2 deaths of the last week",
    }  # fmt: skip
    assert evidence["job"] == {
        "kind": "task", "name": "shop.sync", "seconds": 34.0, "limit_s": None, "span": f"{'ab' * 16}-{'cd' * 8}",
    }  # fmt: skip


def test_of_a_silent_end_little_is_known(viewer: APIClient) -> None:
    gone = store_process()
    end_process(gone, NOON, Process.End.STALE)
    (row,) = found(viewer)
    assert (row["reason"], row["job"], row["signal"], row["rss_mb"], row["evidence"], row["earlier"]) == (
        "stale", None, None, None, {}, "",
    )  # fmt: skip


def test_ends_that_were_meant_are_shown_if_asked_for(viewer: APIClient) -> None:
    store_process()
    for minutes, reason in enumerate(("goodbye", "recycled", "stopped", "replaced", "crash", "unknown")):
        store_death(reason=reason, at=NOON + minutes * MINUTE)
    assert reasons(viewer) == ["unknown", "crash"]
    assert reasons(viewer, "reason=recycled,crash") == ["crash", "recycled"]


def test_they_are_filtered_by_service_and_time(viewer: APIClient) -> None:
    store_death("web", at=NOON)
    store_death("worker", at=NOON + MINUTE)
    assert [row["service"] for row in found(viewer, "service=worker")] == ["worker"]
    assert [row["service"] for row in found(viewer, "since=2026-03-02T12:01:00Z")] == ["worker"]
    assert [row["service"] for row in found(viewer, "until=2026-03-02T12:01:00Z")] == ["web"]


def test_pages_go_from_the_last_end_to_the_first(viewer: APIClient) -> None:
    late = store_death(at=NOON + MINUTE)
    rows = [store_death(at=NOON) for _ in range(4)]
    wanted = [late.pk, *sorted((row.pk for row in rows), reverse=True)]
    pages, address = [], f"{DEATHS}?page_size=2"
    while address:
        answer = viewer.get(address).json()
        pages += [row["process"] for row in answer["results"]]
        address = answer["next"]
    assert pages == wanted


@pytest.mark.parametrize("query", ["reason=tired", "since=yesterday", "cursor=cD1ub3RoaW5n", "cursor=cD0y"])
def test_what_makes_no_sense_is_refused(viewer: APIClient, query: str) -> None:
    assert viewer.get(f"{DEATHS}?{query}").status_code in (400, 404)


def test_a_page_takes_as_many_queries_whatever_is_on_it(viewer: APIClient, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        store_death(job=f"job{number}", at=timezone.now())
    with django_assert_max_num_queries(6):
        assert len(found(viewer)) == 30
