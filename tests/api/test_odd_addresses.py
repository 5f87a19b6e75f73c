"""Addresses of lists that somebody has typed: a bad request, no error of the server."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.api.conftest import Fleet

LISTS = ("services", "processes", "snapshots", "leaks", "baselines", "alerts", "notifications", "recordings")
TIMES = (
    "99999-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00", "0001-01-01T00:00:00Z", "x",
    "9999-12-31T23:59:59.999999Z",
)  # fmt: skip
TEXTS = ("%00", "9" * 400, "-1", "%F0%9F%92%A9", "%ED%A0%80")


@pytest.mark.parametrize("name", LISTS)
def test_no_value_of_a_filter_is_an_error_of_the_server(viewer: APIClient, fleet: Fleet, name: str) -> None:
    viewer.raise_request_exception = False
    queries = [f"{key}={value}" for key in ("since", "until") for value in TIMES]
    queries += [
        f"{key}={value}"
        for key in ("service", "host", "process", "leak", "alert", "state", "type", "cursor", "page_size")
        for value in TEXTS
    ]
    queries.append("started_at__year=99999")
    for query in queries:
        answer = viewer.get(f"/api/v1/{name}/?{query}")
        assert answer.status_code in (200, 400, 404), (query, answer.status_code)
