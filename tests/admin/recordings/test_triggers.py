"""Triggers in the admin: written in a form that knows what belongs together, and rehearsed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from memwatch.models import LeakEvent, Recording, Trigger
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]
FORM: dict[str, Any] = {
    "name": "big", "enabled": "on", "when": "leak", "severity": "high", "kind": "referrers", "duration_s": "30",
    "frames": "1", "mode": "leaks", "per_process_day": "1", "per_service_hour": "1", "per_hour": "2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"when": "rss", "kind": "heap_summary"}, "Enter the level"),
        ({"when": "heap", "level": "101", "kind": "heap_summary"}, "more than 100"),
        ({"when": "alert", "kind": "heap_summary"}, "Choose an alert"),
        ({"when": "growth", "level": "10", "kind": "referrers"}, "Referrers can be recorded"),
        (
            {"when": "growth", "level": "10", "kind": "allocations", "and_then": ["referrers"]},
            "Referrers can be recorded",
        ),
        ({"and_then": ["core_dump"]}, "core_dump is not one of the available choices"),
        ({"when": "rss", "level": "-1", "kind": "heap_summary"}, "0.01"),
        ({"duration_s": "301"}, "300"),
        ({"per_hour": "0"}, "greater than or equal to 1"),
        ({"when": "never"}, "Select a valid choice"),
    ],
)
def test_what_does_not_fit_together_is_named(fleet: Fleet, login: Login, values: dict[str, Any], says: str) -> None:
    assert fleet
    answer = login("operator").post(reverse("admin:memwatch_trigger_add"), {**FORM, **values})
    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert not Trigger.objects.exists()


def test_a_trigger_is_written_listed_and_rehearsed_before_it_is_in_use(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    first, _second = fleet.process(), fleet.process(slot=2)
    leak = fleet.leak(first, EVIL)
    LeakEvent.objects.create(leak=leak, kind="detected", at=fleet.now - timedelta(hours=2))
    client.post(reverse("admin:memwatch_trigger_add"), {**FORM, "enabled": "", "services": [first.service_id]})
    rule = Trigger.objects.get()
    assert rule.enabled is False
    listed = client.get(reverse("admin:memwatch_trigger_changelist")).content.decode()
    assert "a leak opens, high or worse" in listed
    page = client.get(reverse("admin:memwatch_trigger_change", args=(rule.pk,))).content.decode()
    rehearsal = reverse("admin:memwatch_trigger_rehearsal", args=(rule.pk,))
    assert rehearsal in page
    shown = client.get(rehearsal).content.decode()
    assert "1 recording within the last day" in shown
    assert "<script>alert" not in shown
    assert not Recording.objects.exists()


def test_a_trigger_may_record_several_kinds_and_each_once(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    assert fleet.process()
    several = {**FORM, "and_then": ["referrers", "allocations", "heap_summary"]}
    client.post(reverse("admin:memwatch_trigger_add"), several)
    rule = Trigger.objects.get()
    assert rule.kinds == ["referrers", "allocations", "heap_summary"]
    listed = client.get(reverse("admin:memwatch_trigger_changelist")).content.decode()
    assert "referrers, allocation sites, heap summary" in listed
    page = client.get(reverse("admin:memwatch_trigger_change", args=(rule.pk,))).content.decode()
    assert page.count("checked") >= 3
    client.post(reverse("admin:memwatch_trigger_change", args=(rule.pk,)), FORM)
    rule.refresh_from_db()
    assert rule.kinds == ["referrers"]


def test_the_rehearsal_says_what_held_it_back_or_that_nothing_happened(fleet: Fleet, login: Login) -> None:
    rule = Trigger.objects.create(name="quiet")
    client = login("viewer")
    url = reverse("admin:memwatch_trigger_rehearsal", args=(rule.pk,))
    assert "not met within the last day" in client.get(url).content.decode()
    leak = fleet.leak(fleet.process())
    LeakEvent.objects.create(leak=leak, kind="detected", at=fleet.now - timedelta(hours=2))
    assert "it was the last worker of its service" in client.get(url).content.decode()
    assert client.post(url).status_code == 405
    assert client.get(reverse("admin:memwatch_trigger_rehearsal", args=(999,))).status_code == 302
