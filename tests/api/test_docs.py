"""The OpenAPI schema, its page, and answers on bad days."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework.test import APIClient

from memwatch.models import Process
from tests.api.conftest import Fleet

ROUTES = """
GET recycling/policies/ POST recycling/policies/ GET recycling/policies/{id}/ PATCH recycling/policies/{id}/
POST recycling/policies/stop-all/ GET recycles/ GET recycles/{id}/
GET anomalies/ GET anomalies/{id}/ POST anomalies/{id}/dismiss/ GET forecasts/ GET forecasts/{id}/
GET services/ GET services/{name}/ POST services/{name}/reset-baseline/
GET processes/ GET processes/{id}/ POST processes/{id}/reset-baseline/ POST processes/{id}/snapshot/
GET processes/{id}/drift/ GET processes/{id}/metrics/ GET processes/{id}/distributions/
GET releases/ GET releases/{id}/ GET releases/compare/
GET snapshots/ GET snapshots/{id}/ GET snapshots/compare/
GET leaks/ GET leaks/{id}/ POST leaks/{id}/acknowledge/ POST leaks/{id}/snooze/ POST leaks/{id}/resolve/
POST leaks/{id}/reopen/ POST leaks/{id}/suppress/
GET baselines/ GET baselines/{id}/ GET alerts/ GET alerts/{id}/ GET stats/ GET commands/{id}/ POST token/
"""

urlpatterns = [path("ops/", include("memwatch.urls"))]
"""A site that mounts memwatch below a path of its own."""


def schema(client: Client, where: str = "/api/schema/") -> dict[str, Any]:
    answer = client.get(where)
    assert answer.status_code == 200
    return dict(yaml.safe_load(answer.content))


def test_the_schema_is_valid_and_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_the_schema_has_every_route(client: Client) -> None:
    words = ROUTES.split()
    expected = {(method, f"/api/v1/{route}") for method, route in zip(words[::2], words[1::2], strict=True)}
    paths = schema(client)["paths"]
    found = {(method.upper(), route) for route, operations in paths.items() for method in operations}
    assert expected <= found


def test_every_action_with_a_body_has_an_example(client: Client) -> None:
    for route, operations in schema(client)["paths"].items():
        if "requestBody" in operations.get("post", {}):
            assert operations["post"]["requestBody"]["content"]["application/json"].get("examples"), route


def test_answers_have_exactly_the_fields_of_the_schema(viewer: APIClient, fleet: Fleet) -> None:
    components = schema(viewer)["components"]["schemas"]
    for route, name in (
        ("services", "MemwatchService"),
        ("processes", "MemwatchProcess"),
        ("snapshots", "MemwatchSnapshot"),
        ("leaks", "MemwatchLeak"),
        ("baselines", "MemwatchBaseline"),
        ("alerts", "MemwatchAlert"),
    ):
        row = viewer.get(f"/api/v1/{route}/").json()["results"][0]
        assert set(row) == set(components[name]["properties"]), route
    stats = viewer.get("/api/v1/stats/").json()
    assert set(stats) == set(components["MemwatchStats"]["properties"])
    assert set(stats["cost"]) == set(components["MemwatchCost"]["properties"])


@override_settings(ROOT_URLCONF="tests.api.test_docs")
def test_a_site_may_mount_memwatch_where_it_likes(client: Client, fleet: Fleet, operator: APIClient) -> None:
    assert "/ops/api/v1/processes/" in schema(client, "/ops/api/schema/")["paths"]
    assert b"/ops/api/schema/" in client.get("/ops/api/docs/?script=").content
    assert operator.post(f"/ops/api/v1/processes/{fleet.web.pk}/snapshot/")["Location"].startswith("/ops/api/v1/comm")


def test_the_docs_load_nothing_from_the_network(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 3
    assert not [source for source in sources if "//" in source]
    own = [source for source in sources if source.startswith("/api/docs/")]
    assert b"SwaggerUI" in client.get(own[0]).content
    for source in set(sources) - set(own):
        assert finders.find(source.removeprefix("/static/")), source


def test_the_docs_have_no_script_of_their_own_in_the_page(client: Client) -> None:
    answer = client.get("/api/docs/")
    assert re.findall(r"<script(?![^>]*src=)", answer.content.decode()) == []
    assert "script-src 'self'" in answer["Content-Security-Policy"]


def test_the_schema_names_no_host_and_no_process(client: Client, fleet: Fleet) -> None:
    Process.objects.update(host="a-secret-host", command_line="a-secret-command")
    assert "a-secret" not in client.get("/api/schema/").content.decode()


def test_a_database_that_is_away_is_said_in_json(viewer: APIClient, fleet: Fleet) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE memwatch_process RENAME TO memwatch_gone")
    answer = viewer.get("/api/v1/processes/")
    assert answer.status_code == 503
    assert answer.json() == {"detail": "the database cannot be used now: try again in a moment"}
    assert answer["Retry-After"] == "5"


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "application/json", "*/*"])
def test_the_answer_is_json_whatever_a_browser_prefers(accept: str, viewer: APIClient, fleet: Fleet) -> None:
    assert viewer.get("/api/v1/services/", headers={"Accept": accept})["Content-Type"] == "application/json"


def test_the_schema_says_that_what_to_follow_is_a_path(client: Client) -> None:
    of_commands, of_recordings = "/api/v1/processes/{id}/snapshot/", "/api/v1/recordings/"
    paths = schema(client)["paths"]
    for where in (of_commands, of_recordings):
        header = paths[where]["post"]["responses"]["202"]["headers"]["Location"]
        assert header["schema"] == {"type": "string", "format": "uri-reference"}
