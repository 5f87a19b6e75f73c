"""A field that an action does not know is refused: a word misspelt must not be taken for one left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from memwatch.models import Baseline, Command, Leak, Recording
from tests.api.conftest import Fleet

BODIES: dict[str, dict[str, Any]] = {
    "leaks/{leak}/acknowledge/": {},
    "leaks/{leak}/snooze/": {"until": "2126-02-01T08:00:00Z"},
    "leaks/{leak}/resolve/": {},
    "leaks/{leak}/reopen/": {},
    "leaks/{leak}/suppress/": {"reason": "the cache is meant to fill"},
    "processes/{process}/reset-baseline/": {},
    "processes/{process}/snapshot/": {},
    "services/web/reset-baseline/": {},
    "recordings/": {"leak": 1},
    "recordings/1/cancel/": {},
    "notifications/1/send-again/": {},
    "token/": {"username": "superuser", "password": "a-password"},
}


@pytest.mark.parametrize("route", BODIES)
def test_every_post_refuses_an_unknown_field(route: str, api: Callable[..., APIClient], fleet: Fleet) -> None:
    client = api("superuser")
    before = Leak.objects.values().get(), Baseline.objects.count(), Command.objects.count(), Recording.objects.count()
    url = f"/api/v1/{route.format(leak=fleet.leak.pk, process=fleet.web.pk)}"
    answer = client.post(url, {**BODIES[route], "coment": "misspelt"}, format="json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["detail"].startswith("coment: is no field: "), answer.content
    after = Leak.objects.values().get(), Baseline.objects.count(), Command.objects.count(), Recording.objects.count()
    assert after == before


def test_the_refusal_names_the_fields_that_there_are(operator: APIClient, fleet: Fleet) -> None:
    answer = operator.post(f"/api/v1/leaks/{fleet.leak.pk}/snooze/", {"comment": "x", "untill": "x"}, format="json")
    assert answer.json()["errors"] == {"untill": ["is no field: give comment, until"]}


def test_the_refusal_names_no_field_that_is_only_answered(api: Callable[..., APIClient]) -> None:
    answer = api("superuser").post("/api/v1/token/", {**BODIES["token/"], "x": "x"}, format="json")
    assert answer.json()["errors"] == {"x": ["is no field: give username, password"]}
