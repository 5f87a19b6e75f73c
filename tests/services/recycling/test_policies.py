"""What users change: what makes no sense is refused, and everything is audited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from memwatch.models import Recycle, RecyclingPolicy, Service
from memwatch.queries.deployment import counters
from memwatch.services import ActionRefused
from memwatch.services.recycling import policies
from tests.services.recycling.conftest import Deployment

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    return Service.objects.create(name="web")


def messages() -> list[str]:
    return [entry.change_message for entry in LogEntry.objects.order_by("pk")]


def test_a_policy_is_off_until_somebody_switches_it_on() -> None:
    assert RecyclingPolicy().mode == "off"


def test_a_policy_must_have_rehearsed_before_it_acts(service: Service, admin_user: Any) -> None:
    with pytest.raises(ActionRefused, match="Choose “rehearse” first"):
        policies.save(RecyclingPolicy(service=service, mode="act", limit_mb=300), by=admin_user)
    policy = policies.save(RecyclingPolicy(service=service, mode="rehearse", limit_mb=300), by=admin_user)
    policy.mode = "act"
    policy.rehearsed_at = policy.changed_at  # whatever the caller says
    with pytest.raises(ActionRefused, match="Choose “rehearse” first"):
        policies.save(policy, by=admin_user)
    RecyclingPolicy.objects.update(rehearsed_at=policy.changed_at)
    assert policies.save(policy, by=admin_user).mode == "act"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"limit_mb": 300.0, "limit_percent": 50.0}, "limit_percent"),
        ({"when": "limit"}, "limit_mb"),
        ({"when": "either"}, "limit_mb"),
        ({"when": "both"}, "limit_mb"),
        ({"when": "leak"}, None),
    ],
)
def test_limits_that_contradict_each_other_are_refused(values: dict[str, Any], field: str | None) -> None:
    found = policies.problems({"when": "limit", "mode": "rehearse", **values}, rehearsed=False)
    assert list(found) == ([field] if field else [])


@pytest.mark.parametrize("field", ["limit_mb", "limit_percent", "minutes", "drain_minutes"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_limit_has_to_be_a_number(field: str, value: float) -> None:
    assert field in policies.problems({"when": "leak", "mode": "rehearse", field: value}, rehearsed=False)


def test_every_change_is_audited(service: Service, admin_user: Any) -> None:
    policy = policies.save(RecyclingPolicy(service=service, mode="rehearse", limit_mb=300.0), by=admin_user)
    policy.limit_mb, policy.minutes = 250.0, 30.0
    policies.save(policy, by=admin_user)
    created, changed = messages()
    assert created.startswith("Created: mode rehearse, when limit, limit_mb 300,")
    assert changed == "Changed: limit_mb from 300 to 250, minutes from 15 to 30."
    policy.refresh_from_db()
    assert policy.changed_by == admin_user


def test_a_second_policy_of_a_service_is_refused(service: Service, admin_user: Any) -> None:
    policies.save(RecyclingPolicy(service=service, limit_mb=300.0), by=admin_user)
    with pytest.raises(ActionRefused, match="has a recycling policy already"):
        policies.save(RecyclingPolicy(service=service, limit_mb=200.0), by=admin_user)


def test_any_change_starts_a_policy_again_that_has_stopped_itself(service: Service, admin_user: Any) -> None:
    policy = policies.save(RecyclingPolicy(service=service, mode="rehearse", limit_mb=300.0), by=admin_user)
    RecyclingPolicy.objects.update(stopped_at=policy.changed_at, stopped_reason="no_gain", stopped_why="It gained 0.")
    policies.save(policy, by=admin_user)
    policy.refresh_from_db()
    assert (policy.stopped_at, policy.rules.stopped) == (None, "")
    assert messages()[-1] == "Changed: started again."


def test_stopping_all_switches_every_policy_off_and_calls_off_what_has_no_order(
    web: Deployment, admin_user: Any
) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    Service.objects.create(name="idle")
    web.check()
    assert policies.stop_all(by=admin_user, now=web.now) == 1
    assert RecyclingPolicy.objects.get().mode == "off"
    assert Recycle.objects.get().state == "called_off"
    labels = {"service": "web", "reason": "limit", "result": "called_off"}
    assert counters.totals(counters.RECYCLES) == [(labels, 1)]
    assert messages() == ["Stopped all recycling: the policy is off."]
    assert policies.stop_all(by=admin_user, now=web.now + timedelta(minutes=1)) == 0
    assert web.check() == 0
