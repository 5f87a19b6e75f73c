"""Who may read and who may act, route by route."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.api.access import ActionThrottle
from memwatch.models import Leak
from tests.api.conftest import Fleet

LISTS = (
    "services",
    "processes",
    "snapshots",
    "leaks",
    "baselines",
    "alerts",
    "notifications",
    "work",
    "deaths",
    "recommendations",
    "releases",
)
WHO = ("anonymous", "plain", "viewer", "operator", "superuser")
READS = {"anonymous": 401, "plain": 403, "viewer": 200, "operator": 200, "superuser": 200}
ACTS = {"anonymous": 401, "plain": 403, "viewer": 403, "operator": 200, "superuser": 200}


def details(fleet: Fleet) -> list[str]:
    return [
        "services/web/",
        f"processes/{fleet.web.pk}/",
        f"processes/{fleet.web.pk}/drift/",
        f"processes/{fleet.web.pk}/metrics/",
        f"processes/{fleet.web.pk}/distributions/",
        f"snapshots/{fleet.last.pk}/",
        f"snapshots/compare/?from={fleet.last.pk}&to={fleet.last.pk}",
        f"leaks/{fleet.leak.pk}/",
        f"baselines/{fleet.baseline.pk}/",
        f"alerts/{fleet.alert.pk}/",
        f"commands/{fleet.command.pk}/",
        "stats/",
    ]


@pytest.mark.parametrize("who", WHO)
def test_reading_takes_the_permission_to_view(who: str, api: Callable[..., APIClient], fleet: Fleet) -> None:
    client = api(who)
    paths = [f"{name}/" for name in LISTS] + details(fleet)
    found = {path: client.get(f"/api/v1/{path}").status_code for path in paths}
    assert found == dict.fromkeys(paths, READS[who])


def actions(fleet: Fleet) -> dict[str, dict[str, Any]]:
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    leak = f"leaks/{fleet.leak.pk}"
    return {
        f"{leak}/acknowledge/": {"comment": "mine"},
        f"{leak}/snooze/": {"until": soon},
        f"{leak}/resolve/": {},
        f"{leak}/reopen/": {},
        f"{leak}/suppress/": {"reason": "a cache"},
        f"processes/{fleet.web.pk}/reset-baseline/": {},
        "services/web/reset-baseline/": {"reason": "release"},
        f"processes/{fleet.web.pk}/snapshot/": {},
    }


@pytest.mark.parametrize("who", WHO)
def test_no_cache_keeps_an_answer(who: str, api: Callable[..., APIClient], fleet: Fleet) -> None:
    client = api(who)
    answers = [client.get(f"/api/v1/{path}") for path in ("leaks/", *details(fleet), "leaks/999/")]
    answers += [client.post(f"/api/v1/{path}", {"unknown": 1}, format="json") for path in actions(fleet)]
    answers.append(client.post("/api/v1/token/", {"username": "superuser", "password": "a-password"}, format="json"))
    assert {answer.headers.get("Cache-Control") for answer in answers} == {"no-store"}


@pytest.mark.parametrize("who", WHO)
def test_acting_takes_a_permission_of_its_own(who: str, api: Callable[..., APIClient], fleet: Fleet) -> None:
    client = api(who)
    found = {
        path: client.post(f"/api/v1/{path}", body, format="json").status_code for path, body in actions(fleet).items()
    }
    expected = dict.fromkeys(found, ACTS[who])
    if ACTS[who] == 200:
        expected[f"processes/{fleet.web.pk}/snapshot/"] = 202
    assert found == expected
    if ACTS[who] != 200:
        fleet.leak.refresh_from_db()
        assert fleet.leak.state == Leak.State.OPEN


def test_an_action_without_its_permission_does_not_say_what_exists(viewer: APIClient, fleet: Fleet) -> None:
    there = viewer.post(f"/api/v1/leaks/{fleet.leak.pk}/resolve/", {}, format="json")
    not_there = viewer.post("/api/v1/leaks/999999/resolve/", {}, format="json")
    assert there.status_code == not_there.status_code == 403
    assert there.json() == not_there.json()


def test_actions_are_post_only(operator: APIClient, fleet: Fleet) -> None:
    found = {path: operator.get(f"/api/v1/{path}").status_code for path in actions(fleet)}
    assert found == dict.fromkeys(found, 405)


def test_nothing_is_written_through_lists_and_details(api: Callable[..., APIClient], fleet: Fleet) -> None:
    client = api("superuser")
    for method in (client.post, client.put, client.patch, client.delete):
        assert {method(f"/api/v1/{name}/", {}, format="json").status_code for name in LISTS} == {405}
    assert client.delete(f"/api/v1/leaks/{fleet.leak.pk}/").status_code == 405


def test_a_session_reads_and_cannot_act_without_the_csrf_token(fleet: Fleet, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("root", password="a-password")
    client = APIClient(enforce_csrf_checks=True)
    assert client.login(username="root", password="a-password")
    assert client.get("/api/v1/processes/").status_code == 200
    refused = client.post(f"/api/v1/leaks/{fleet.leak.pk}/resolve/", {}, format="json")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]


def test_the_site_s_own_rest_settings_change_nothing(
    fleet: Fleet, api: Callable[..., APIClient], settings: Any
) -> None:
    settings.REST_FRAMEWORK = {
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PAGINATION_CLASS": None,
        "DATETIME_FORMAT": "%d.%m.%Y",
    }
    assert api("anonymous").get("/api/v1/processes/").status_code == 401
    answer = api("viewer").get("/api/v1/processes/").json()
    assert answer["results"][-1]["started_at"].endswith("Z")


def test_a_user_who_acts_without_end_is_slowed_down_and_may_still_read(
    operator: APIClient, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ActionThrottle, "rate", "3/min")
    url = f"/api/v1/processes/{fleet.web.pk}/reset-baseline/"
    codes = [operator.post(url).status_code for _ in range(5)]
    assert codes[3:] == [429, 429]
    assert 429 not in codes[:3]
    assert operator.get("/api/v1/processes/").status_code == 200
