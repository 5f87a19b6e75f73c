"""A leak of a whole service, as detection stores it, in every place that shows leaks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from memwatch.metrics.collector import FleetCollector
from memwatch.models import Alert, Leak
from memwatch.services import alerts
from memwatch.services.leaks import actions, judging
from tests.metrics.scraped import samples
from tests.services.stored import MINUTE, NOON, QUOTE, end_process, store_process, store_snapshots

pytestmark = pytest.mark.django_db


@pytest.fixture
def leak() -> Leak:
    """Of twelve workers, each of which lived for eight minutes; two live now."""
    begin = timezone.now() - timedelta(minutes=60)

    def figures(start: Any) -> Any:
        def of(minutes: float) -> dict[str, Any]:
            age = minutes * 60 - (start - NOON).total_seconds()
            return {"types": {QUOTE: 500 + round(age * 1.5)}, "requests_handled": round(age)}

        return of

    for number in range(6):
        for slot in (1, 2):
            start = begin + number * 9 * MINUTE + slot * MINUTE / 4
            process = store_process(slot=slot, started=start)
            store_snapshots(process, start, start + 7 * MINUTE, figures(start))
            end_process(process, start + 8 * MINUTE)
    for slot in (1, 2):
        process = store_process(slot=slot, started=timezone.now() - MINUTE)
        store_snapshots(process, timezone.now() - MINUTE, timezone.now())
    judging.detect()
    return Leak.objects.get()


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_the_admin_shows_a_leak_of_a_service(leak: Leak, admin: Client) -> None:
    pages = {
        "leak": reverse("admin:memwatch_leak_change", args=(leak.pk,)),
        "leaks": reverse("admin:memwatch_leak_changelist"),
        "overview": reverse("admin:memwatch_overview_changelist"),
        "service": reverse("admin:memwatch_service_change", args=(leak.service_id,)),
    }
    for name, url in pages.items():
        answer = admin.get(url)
        assert answer.status_code == 200, name
        assert QUOTE.rpartition(".")[2] in answer.content.decode(), name
    page = admin.get(pages["leak"]).content.decode()
    assert "all processes of web" in page
    assert "in every process of the service" in page


def test_the_api_returns_a_leak_of_a_service_without_a_process(leak: Leak, admin: Client) -> None:
    (row,) = admin.get("/api/v1/leaks/?service=web").json()["results"]
    assert (row["process"], row["slot"], row["object_type"]) == (None, None, QUOTE)
    assert row["evidence"]["trend"]["axis"] in ("age", "work")
    assert [entry["rule"] for entry in row["evidence"]["rules"]][-1] == "pooled"
    assert admin.get(f"/api/v1/leaks/{leak.pk}/").json()["events"][0]["kind"] == "detected"


def test_metrics_label_a_leak_of_a_service_with_the_service_alone(leak: Leak) -> None:
    registry = CollectorRegistry()
    registry.register(FleetCollector(max_age_s=0))
    found = samples(generate_latest(registry).decode())
    assert found["memwatch_leaks_open", "host=", "service=web", f"severity={leak.severity}", "slot="] == 1


def test_an_alert_is_raised_for_it_and_cleared_when_it_is_over(leak: Leak) -> None:
    alerts.check()
    alert = Alert.objects.get(type="leak")
    assert (alert.leak, alert.process, alert.is_raised) == (leak, None, True)
    assert "web" in alert.message
    actions.resolve(leak, by=None)
    alerts.check()
    alert.refresh_from_db()
    assert not alert.is_raised
