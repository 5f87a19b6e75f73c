"""A site's own OpenAPI schema holds the site's routes, and memwatch's holds memwatch's."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.foreign.conftest import Site

pytestmark = pytest.mark.deployment

ASK = """
import json, yaml
from django.test import Client, RequestFactory
client = Client(headers={"host": "depot.example.org"})
asked = {name: client.get(url) for name, url in {"site": "/api/depot/schema/", "memwatch": "/api/schema/"}.items()}
print(json.dumps({name: yaml.safe_load(answer.content) for name, answer in asked.items()}))
"""
PLAIN = """
from django.test import RequestFactory
from tests.foreign.depot.urls import plain
answer = plain(RequestFactory().get("/", headers={"host": "depot.example.org"}))
print(sorted(answer.data["paths"]))
"""


def test_the_sites_schema_has_the_sites_routes_and_names_alone(site: Callable[..., Site]) -> None:
    found = json.loads(site("depot", migrated=False).shell(ASK))
    assert list(found["site"]["paths"]) == ["/api/depot/notifications/", "/api/depot/schema/"]
    assert list(found["site"]["components"]["schemas"]) == ["Notification"]
    assert list(found["site"]["components"]["schemas"]["Notification"]["properties"]) == ["letter"]
    assert found["site"]["info"]["title"] == "Depot"


def test_memwatchs_schema_is_whole_there_and_its_names_are_unmistakable(site: Callable[..., Site]) -> None:
    own = json.loads(site("depot", migrated=False).shell(ASK))["memwatch"]
    assert own["info"]["title"] == "memwatch"
    assert {"/api/v1/notifications/", "/api/v1/leaks/{id}/snooze/", "/api/v1/token/"} <= set(own["paths"])
    named = [name for name in own["components"]["schemas"] if not name.endswith("Enum")]
    assert len(named) > 30
    assert [name for name in named if "Memwatch" not in name] == []


def test_a_site_that_wants_both_in_one_schema_gets_them_without_a_collision(site: Callable[..., Site]) -> None:
    wanted = ("--generator-class", "memwatch.api.schema.Generator", "--validate", "--fail-on-warn")
    both = site("depot", migrated=False).manage("spectacular", *wanted)
    assert "/api/v1/notifications/" in both
    assert "/api/depot/notifications/" in both
    assert "    Notification:\n" in both
    assert "    MemwatchNotification:\n" in both


def test_the_rest_frameworks_own_schema_of_a_site_does_not_fail_on_memwatch(site: Callable[..., Site]) -> None:
    assert "['/plain/']" in site("depot", migrated=False).shell(PLAIN)
