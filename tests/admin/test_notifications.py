"""The admin says who was told of an alert, and what did not arrive."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from memwatch.models import Alert, Notification
from tests.services.stored import NOON, store_process

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert() -> Alert:
    process = store_process()
    alert = Alert.objects.create(
        type="heap_critical", subject="process:1", severity="critical", service=process.service, process=process,
        message="web-1 on a: heap at 93 %.", value=93, threshold=90,
    )  # fmt: skip
    for channel, values in {
        "mailto:ops@example.org": {"state": "sent", "attempts": 1, "sent_at": NOON},
        "https://example.org #1": {"attempts": 3, "error": "https://example.org answered 500 <b>"},
        "site.alerts.tell": {"state": "failed", "attempts": 50, "error": "RuntimeError: no line"},
    }.items():
        Notification.objects.create(
            alert=alert, event="raised", channel=channel, episode="heap process:1", payload={"a": 1}, **values
        )
    return alert


def test_the_page_of_an_alert_says_who_was_told_and_why_others_were_not(admin_client: Client, alert: Alert) -> None:
    page = admin_client.get(reverse("admin:memwatch_alert_change", args=(alert.pk,))).content.decode()
    for text in ("mailto:ops@example.org", "answered 500 &lt;b&gt; (attempt 3); again", "given up", "no line"):
        assert text in page


def test_the_outbox_can_be_searched_for_what_failed(admin_client: Client, alert: Alert) -> None:
    url = reverse("admin:memwatch_notification_changelist")
    page = admin_client.get(url, {"state__exact": "failed"}).content.decode()
    assert "site.alerts.tell" in page
    assert admin_client.get(url, {"q": "answered 500"}).status_code == 200
    row = Notification.objects.first()
    assert row is not None
    page = admin_client.get(reverse("admin:memwatch_notification_change", args=(row.pk,))).content.decode()
    assert "heap at 93 %" in page


def test_an_alert_nobody_was_told_of_says_so(admin_client: Client, alert: Alert, settings: Any) -> None:
    Notification.objects.all().delete()
    page = admin_client.get(reverse("admin:memwatch_alert_change", args=(alert.pk,))).content.decode()
    assert "Nobody: it went on from an alert" in page
