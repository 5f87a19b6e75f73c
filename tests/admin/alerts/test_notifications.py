"""The admin says who was told of an alert, and what did not arrive."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from memwatch.models import Alert, Notification
from memwatch.permissions import VIEWERS
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
    for text in ("mailto:ops@example.org", "answered 500 &lt;b&gt; (attempt 3); next attempt", "given up", "no line"):
        assert text in page
    for row in Notification.objects.all():
        assert reverse("admin:memwatch_notification_change", args=(row.pk,)) in page, "where it can be sent again"


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
    assert "this alert continues an earlier one" in page


def test_what_failed_is_sent_again_by_a_button_after_a_question(
    admin_client: Client, alert: Alert, settings: Any
) -> None:
    settings.MEMWATCH = {"ALERT_CHANNELS": ["mailto:ops@example.org"]}
    row = Notification.objects.get(channel="mailto:ops@example.org")
    url = reverse("admin:memwatch_notification_act", args=(row.pk, "send-again"))
    page = admin_client.get(reverse("admin:memwatch_notification_change", args=(row.pk,))).content.decode()
    assert url in page
    asked = admin_client.post(url).content.decode()
    assert "with the same id" in asked
    row.refresh_from_db()
    assert row.state == "sent"
    answer = admin_client.post(url, {"confirmed": "1"}, follow=True).content.decode()
    assert "Sending 1 notification again." in answer
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)
    assert LogEntry.objects.get().change_message == "Sent again, was sent."


def test_several_are_sent_again_from_the_list_and_who_cannot_be_told_is_named(
    admin_client: Client, alert: Alert, settings: Any
) -> None:
    settings.MEMWATCH = {"ALERT_CHANNELS": ["mailto:ops@example.org"]}
    keys = list(Notification.objects.values_list("pk", flat=True))
    asked = {"action": "send_again", "_selected_action": keys, "rows": ",".join(map(str, keys)), "confirmed": "1"}
    answer = admin_client.post(reverse("admin:memwatch_notification_changelist"), asked, follow=True).content.decode()
    assert "Sending 1 notification again." in answer
    assert "2 were not changed" in answer
    assert "site.alerts.tell is no longer in ALERT_CHANNELS" in answer


def test_who_may_only_look_has_no_button(client: Client, alert: Alert) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name=VIEWERS))
    client.force_login(viewer)
    row = Notification.objects.get(state="failed")
    page = client.get(reverse("admin:memwatch_notification_change", args=(row.pk,)))
    assert page.status_code == 200
    assert "send-again" not in page.content.decode()
    url = reverse("admin:memwatch_notification_act", args=(row.pk, "send-again"))
    assert client.post(url, {"confirmed": "1"}).status_code == 403
    row.refresh_from_db()
    assert row.state == "failed"
