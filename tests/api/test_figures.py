"""Snapshots, comparisons and baselines through the API."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from rest_framework.test import APIClient

from memwatch.api.serializers import figures
from memwatch.records import BigContainer, DriftReport, MemoryMetrics, MemorySnapshot
from tests.api.conftest import Fleet
from tests.services.stored import MINUTE, NOON, store_process, store_snapshots

SNAPSHOTS = "/api/v1/snapshots/"


@pytest.mark.parametrize(
    ("serializer", "value"),
    [
        (figures.FiguresSerializer, MemorySnapshot),
        (figures.DriftSerializer, DriftReport),
        (figures.MetricsSerializer, MemoryMetrics),
        (figures.BigContainerSerializer, BigContainer),
    ],
)
def test_every_attribute_is_shown_under_its_name(serializer: Any, value: Any) -> None:
    names = {field.name for field in dataclasses.fields(value)} - set(figures.NOT_SHOWN)
    assert set(serializer().fields) == names


def test_a_snapshot_carries_the_reference_s_names_and_ours(viewer: APIClient, fleet: Fleet) -> None:
    row = viewer.get(f"{SNAPSHOTS}{fleet.last.pk}/").json()
    assert (row["service"], row["host"], row["slot"], row["process"]) == ("web", "a", "web-1", fleet.web.pk)
    assert row["heap_free_mb"] == pytest.approx(row["heap_size_mb"] - row["heap_used_mb"])
    assert list(row["top_objects"].values()) == sorted(row["top_objects"].values(), reverse=True)
    assert row["gc_count"] is None
    assert row["tracemalloc_current_mb"] == 0


def test_snapshots_are_listed_newest_first_and_filtered(viewer: APIClient, fleet: Fleet) -> None:
    ids = [row["id"] for row in viewer.get(SNAPSHOTS).json()["results"]]
    assert len(ids) == 12
    assert ids == sorted(ids, reverse=True)

    def count(query: str) -> int:
        return len(viewer.get(f"{SNAPSHOTS}?{query}").json()["results"])

    assert count(f"process={fleet.web.pk}") == 6
    assert count("service=web") == 12
    assert count("service=worker") == 0
    assert count("host=a") == 12
    assert count("since=2026-03-02T11:58:00Z&until=2026-03-02T12:00:00Z") == 4
    assert count("since=2026-03-02T12:58:00%2B01:00") == 6


def test_rows_seen_from_outside_say_so_and_can_be_left_out(viewer: APIClient, fleet: Fleet) -> None:
    parent = store_process("web", slot=0, outside=True)
    store_snapshots(parent, NOON + MINUTE, NOON + MINUTE)
    newest = viewer.get(SNAPSHOTS).json()["results"][0]
    assert (newest["process"], newest["outside"]) == (parent.pk, True)
    within = viewer.get(f"{SNAPSHOTS}?outside=false").json()["results"]
    assert {row["outside"] for row in within} == {False}
    assert within[0]["heap_used_mb"] is not None
    assert [row["process"] for row in viewer.get(f"{SNAPSHOTS}?outside=true").json()["results"]] == [parent.pk]
    processes = viewer.get("/api/v1/processes/?outside=false").json()["results"]
    assert {row["id"] for row in processes} == {fleet.web.pk, fleet.web_2.pk, fleet.worker.pk}


def test_pages_follow_one_another_without_gap_or_repeat(viewer: APIClient, fleet: Fleet) -> None:
    seen: list[int] = []
    page = f"{SNAPSHOTS}?page_size=5"
    while page:
        answer = viewer.get(page).json()
        seen += [row["id"] for row in answer["results"]]
        page = answer["next"]
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "query", ["process=web", "process=-1", "since=yesterday", "process=999999999999999999999999", "service=%00"]
)
def test_a_filter_that_makes_no_sense_is_named(query: str, viewer: APIClient, fleet: Fleet) -> None:
    answer = viewer.get(f"{SNAPSHOTS}?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(query.partition("=")[0])


@pytest.mark.parametrize("cursor", ["nonsense", "cD1hYmM%3D", "cD0lMDA%3D", "cD0xZTk5", "cj0xJnA9LTE%3D"])
def test_a_cursor_that_was_made_up_is_not_found(cursor: str, viewer: APIClient, fleet: Fleet) -> None:
    for name in ("snapshots", "leaks"):
        answer = viewer.get(f"/api/v1/{name}/?cursor={cursor}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "Invalid cursor"
    assert viewer.get(f"/api/v1/services/?cursor={cursor}").status_code in (200, 404)


def test_two_snapshots_are_compared_type_by_type(viewer: APIClient, fleet: Fleet) -> None:
    first = fleet.web.snapshots.earliest("seq")
    answer = viewer.get(f"{SNAPSHOTS}compare/?from={first.pk}&to={fleet.last.pk}").json()
    assert answer["types"][0]["name"] == "shop.leaks.PriceQuote"
    assert answer["types"][0]["difference"] == answer["types"][0]["after"] - answer["types"][0]["before"] > 400
    assert {row["name"] for row in answer["figures"]} >= {"heap_used_mb", "total_objects"}
    assert answer["before"]["timestamp"] < answer["after"]["timestamp"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("", 400, "from: give the id of a snapshot"),
        ("?from=1", 400, "to: give the id"),
        ("?from=x&to=1", 400, "from: give the id"),
        ("?from=-1&to=1", 400, "from: give the id"),
        ("?from=99999999&to=1", 404, "from: there is no snapshot 99999999"),
    ],
)
def test_a_comparison_says_what_it_lacks(query: str, status: int, said: str, viewer: APIClient, fleet: Fleet) -> None:
    if "from=1" in query:
        query = f"?from={fleet.last.pk}"
    answer = viewer.get(f"{SNAPSHOTS}compare/{query}")
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(said)


def test_baselines_are_shown_with_their_figures(viewer: APIClient, fleet: Fleet) -> None:
    rows = viewer.get(f"/api/v1/baselines/?process={fleet.web.pk}&active=true").json()["results"]
    assert [row["id"] for row in rows] == [fleet.baseline.pk]
    assert (rows[0]["service"], rows[0]["slot"], rows[0]["automatic"]) == ("web", "web-1", True)
    assert rows[0]["top_objects"]["dict"] > 0
