"""Recycling through the API: who may see it, who may change it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.models import Recycle, RecyclingPolicy, Service
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db
POLICIES, RECYCLES = "/api/v1/recycling/policies/", "/api/v1/recycles/"
WANTED = {"service": "web", "mode": "rehearse", "limit_mb": 300.0}


@pytest.fixture
def web() -> Service:
    return store_process("web").service


@pytest.fixture
def recycler(viewer: APIClient) -> APIClient:
    """A viewer who may have workers recycled."""
    User.objects.get(username="viewer").user_permissions.add(Permission.objects.get(codename="recycle_workers"))
    return viewer


def test_a_policy_is_made_changed_and_read(recycler: APIClient, web: Service) -> None:
    made = recycler.post(POLICIES, WANTED, format="json")
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["service"], row["mode"], row["checks"], row["minutes"], row["changed_by"]) == (
        "web", "rehearse", 3, 15.0, "viewer",
    )  # fmt: skip
    changed = recycler.patch(f"{POLICIES}{row['id']}/", {"limit_mb": None, "limit_percent": 60}, format="json")
    assert (changed.status_code, changed.json()["limit_percent"]) == (200, 60.0)
    (listed,) = recycler.get(POLICIES, {"service": "web", "mode": "rehearse"}).json()["results"]
    assert listed == changed.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**WANTED, "mode": "act"}, "mode"),
        ({**WANTED, "limit_percent": 50}, "limit_percent"),
        ({"service": "web", "mode": "rehearse"}, "limit_mb"),
        ({**WANTED, "service": "nobody"}, "service"),
        ({**WANTED, "checks": 0}, "checks"),
        ({**WANTED, "limit_mb": -1}, "limit_mb"),
        ({**WANTED, "minutes": 0}, "minutes"),
        ({**WANTED, "rehearsed_at": "2026-01-01T00:00:00Z"}, "rehearsed_at"),
        ({**WANTED, "stopped_at": None}, "stopped_at"),
    ],
)
def test_what_makes_no_sense_is_refused(body: dict[str, Any], field: str, recycler: APIClient, web: Service) -> None:
    answer = recycler.post(POLICIES, body, format="json")
    assert (answer.status_code, field in str(answer.json())) == (400, True)
    assert not RecyclingPolicy.objects.exists()


def test_a_service_has_one_policy_and_keeps_it(recycler: APIClient, web: Service) -> None:
    store_process("worker")
    first = recycler.post(POLICIES, WANTED, format="json").json()
    assert recycler.post(POLICIES, WANTED, format="json").status_code == 409
    moved = recycler.patch(f"{POLICIES}{first['id']}/", {"service": "worker"}, format="json")
    assert moved.status_code == 400


def test_a_policy_acts_once_it_has_rehearsed(recycler: APIClient, web: Service) -> None:
    row = recycler.post(POLICIES, WANTED, format="json").json()
    path = f"{POLICIES}{row['id']}/"
    assert recycler.patch(path, {"mode": "act"}, format="json").status_code == 400
    RecyclingPolicy.objects.update(rehearsed_at=timezone.now())
    assert recycler.patch(path, {"mode": "act"}, format="json").json()["mode"] == "act"
    assert recycler.post(f"{POLICIES}stop-all/").json() == {"stopped": 1}
    assert recycler.get(path).json()["mode"] == "off"


@pytest.mark.parametrize(
    ("who", "reads", "acts"),
    [
        ("anonymous", 401, 401),
        ("plain", 403, 403),
        ("viewer", 200, 403),
        ("operator", 200, 403),
        ("superuser", 200, 200),
    ],
)
def test_recycling_takes_a_permission_of_its_own_that_operators_do_not_have_by_themselves(
    who: str, reads: int, acts: int, api: Callable[..., APIClient], web: Service
) -> None:
    policy = RecyclingPolicy.objects.create(service=web, mode="rehearse", limit_mb=300)
    client = api(who)
    assert {client.get(path).status_code for path in (POLICIES, RECYCLES, f"{POLICIES}{policy.pk}/")} == {reads}
    changed = client.patch(f"{POLICIES}{policy.pk}/", {"checks": 5}, format="json")
    assert (changed.status_code, client.post(f"{POLICIES}stop-all/").status_code) == (acts, acts)
    policy.refresh_from_db()
    assert (policy.checks == 5) is (acts == 200)


def test_a_recycle_says_why_and_what_it_gained(viewer: APIClient) -> None:
    process = store_process("web")
    Recycle.objects.create(
        service=process.service, process=process, name=str(process), state="recycled", because="limit",
        why="web-1 on a: 400 MB of private memory", result="It finished its job and ended.",
        private_before_kib=400 * 1024, gained_kib=340 * 1024,
    )  # fmt: skip
    (row,) = viewer.get(RECYCLES, {"service": "web", "state": "recycled", "because": "limit"}).json()["results"]
    assert (row["process"], row["private_before_mb"], row["gained_mb"]) == (process.pk, 400.0, 340.0)
    assert row["result"] == "It finished its job and ended."
    assert viewer.get(RECYCLES, {"state": "rehearsed"}).json()["results"] == []
    assert viewer.post(RECYCLES, {}, format="json").status_code == 405
