"""Settings that fit, through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.models import Process
from tests.services.stored import store_process
from tests.services.stored_lives import store_lives, store_peaks

pytestmark = pytest.mark.django_db
PATH = "/api/v1/recommendations/"


def found(client: APIClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def test_each_setting_has_a_row(viewer: APIClient) -> None:
    now = timezone.now()
    store_peaks(store_lives(now)[-1], now)
    Process.objects.update(server_settings={"server": "gunicorn", "max_requests": 500, "workers": 2})
    rows = {row["setting"]: row for row in found(viewer, "service=web")}
    assert list(rows) == [
        "max_requests", "max_requests_jitter", "workers", "container_request_mb", "container_limit_mb",
    ]  # fmt: skip
    row = rows["max_requests"]
    assert set(row) == {
        "service", "setting", "current", "recommended", "low", "high", "reason", "expected_peak_mb",
        "recycles_per_day", "based_on",
    }  # fmt: skip
    assert (row["service"], row["current"], row["based_on"]) == ("web", 500, "6 lives, 1,000 measured jobs")
    assert row["low"] <= row["recommended"] < row["high"]
    assert row["expected_peak_mb"] <= 0.8 * 1024
    assert rows["max_requests_jitter"]["recommended"] == row["recommended"] // 10


def test_where_too_little_is_known_it_says_what_is_missing(viewer: APIClient) -> None:
    store_process(program="gunicorn worker")
    row = found(viewer)[0]
    assert row["setting"] == "max_requests"
    assert row["recommended"] is None
    assert row["expected_peak_mb"] is None
    assert row["reason"].startswith("not known yet: 0 of 3 lives")


def test_services_come_by_name_and_in_pages(viewer: APIClient) -> None:
    for name in ("worker", "web", "beat"):
        store_process(name, program="gunicorn worker")
    first = viewer.get(f"{PATH}?page_size=2").json()
    names = [row["service"] for page in (first, viewer.get(first["next"]).json()) for row in page["results"]]
    assert list(dict.fromkeys(names)) == ["beat", "web", "worker"]


def test_a_service_that_is_not_there_has_no_rows(viewer: APIClient) -> None:
    assert found(viewer, "service=nobody") == []
