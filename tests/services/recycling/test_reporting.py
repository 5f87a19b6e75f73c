"""One notification for each worker that was recycled, when it is known what it gave back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from memwatch.models import Notification, Process, Recycle
from memwatch.services import notifications
from memwatch.services.recycling import checking
from memwatch.services.retention import prune
from tests.services.recycling.conftest import Deployment

MAIL = "mailto:ops@example.org"


@pytest.fixture(autouse=True)
def _two_channels(settings: Any, transport_url: str) -> None:
    settings.MEMWATCH = {
        **settings.MEMWATCH, "ALERT_CHANNELS": [MAIL, "memwatch.alerts.channels.log"],
        "SITE_URL": "https://ops.example.org",
    }  # fmt: skip


def recycled(web: Deployment) -> Process:
    """The largest worker has its order and has ended."""
    web.check()
    web.recorded()
    web.check()
    process = Recycle.objects.get(state="ordered").process
    assert process is not None
    web.end(process)
    web.check()
    return process


def sent() -> list[str]:
    return [row.payload["message"] for row in Notification.objects.filter(channel=MAIL).order_by("id")]


def test_each_recycled_worker_is_reported_once_to_each_channel_with_what_it_gave_back(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy(limit_mb=350.0)
    process = recycled(web)
    assert sent() == []  # nothing is known of its successor yet
    web.succeed(process, 122)
    for _ in range(6):
        web.check()
    row = Recycle.objects.get()
    (said,) = sent()
    assert said == (
        f"web: recycled {process}: 412 MB of private memory, the soft limit is 350 MB, for 1 check. "
        "It gave back 290.0 MB."
    )
    message = Notification.objects.filter(channel=MAIL).get().payload
    assert {name: message[name] for name in ("type", "event", "state", "severity", "value", "unit", "slot")} == {
        "type": "worker_recycled", "event": "info", "state": "cleared", "severity": "low", "value": 412.0,
        "unit": "MB of private memory", "slot": process.slot,
    }  # fmt: skip
    assert message["url"] == f"https://ops.example.org/admin/memwatch/recycle/{row.pk}/change/"
    assert Notification.objects.filter(recycle=row, alert=None, event="info").count() == 2


def test_it_is_delivered_as_a_mail_that_opens_no_episode(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy()
    web.succeed(recycled(web), 122)
    for _ in range(4):
        web.check()
    assert notifications.send(web.now).sent == 2
    (letter,) = mail.outbox
    assert letter.subject.startswith("[memwatch] info: web: recycled web-1")
    assert "It gave back 290.0 MB." in letter.body
    assert "why:      412 MB of private memory" in letter.body


def test_a_worker_whose_successor_is_not_seen_or_measured_is_reported_later(web: Deployment) -> None:
    for _ in range(3):
        web.worker(412)
    web.policy(minutes=10)
    recycled(web)
    web.check(minutes=29)
    assert sent() == []
    web.check(minutes=2)
    assert len(sent()) == 1
    assert sent()[0].endswith("What it gave back is not known: no successor was seen.")
    web.check(minutes=1)
    assert len(sent()) == 1


def test_where_snapshots_are_seldom_it_waits_longer(web: Deployment, settings: Any) -> None:
    settings.MEMWATCH = {**settings.MEMWATCH, "SNAPSHOT_INTERVAL": 300}
    for _ in range(3):
        web.worker(412)
    web.policy(minutes=200)
    recycled(web)
    web.check(minutes=59)
    assert sent() == []
    web.check(minutes=2)
    assert len(sent()) == 1


def test_a_worker_that_gave_nothing_back_says_so(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy()
    web.succeed(recycled(web), 500)
    for _ in range(4):
        web.check()
    assert sent()[0].endswith("It gave back nothing.")


def test_a_worker_that_did_not_end_as_it_was_meant_to_says_how_it_ended(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy()
    web.check()
    web.recorded()
    web.check()
    process = Recycle.objects.get(state="ordered").process
    assert process is not None
    web.end(process, Process.End.STOPPED)
    web.check()
    web.succeed(process, 122)
    for _ in range(4):
        web.check()
    assert sent()[0].endswith("It ended: stopped. It gave back 290.0 MB.")


def test_two_hubs_report_it_once(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy()
    web.succeed(recycled(web), 122)
    for _ in range(4):
        web.check()
    Recycle.objects.update(gained_kib=None)  # as the other hub has read it
    checking.check(web.now, hub=web.hub)  # type: ignore[arg-type]
    assert len(sent()) == 1


@pytest.mark.parametrize(("notify", "number"), [("never", 0), ("recycled", 0), ("all", 1)])
def test_a_rehearsal_is_reported_only_where_that_is_asked_for(notify: str, number: int, web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy(mode="rehearse", notify=notify)
    for _ in range(5):
        web.check()
    assert Recycle.objects.count() == 1  # no more often than the policy would act
    assert len(sent()) == number
    if number:
        assert "web: would have recycled web-1" in sent()[0]
        assert sent()[0].endswith("The policy rehearses, so the worker was left alone.")
        assert Notification.objects.filter(channel=MAIL).get().payload["type"] == "recycle_rehearsed"


def test_a_policy_that_does_not_want_it_is_not_reported_also_when_that_is_changed_later(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    policy = web.policy(notify="never")
    process = recycled(web)
    web.check(minutes=31)
    assert sent() == []
    policy.notify = "recycled"
    policy.save()
    web.succeed(process, 122)
    for _ in range(4):
        web.check()
    assert sent() == []


@pytest.mark.parametrize("state", ["refused", "left"])
def test_a_worker_that_was_not_recycled_is_not_reported(state: str, web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy(minutes=60)
    web.check()
    Recycle.objects.update(state=state, ended_at=web.now)
    web.check(minutes=40)
    assert sent() == []


def test_a_recycle_that_is_pruned_takes_its_notifications_with_it(web: Deployment) -> None:
    web.worker(412)
    web.worker(100)
    web.policy()
    web.succeed(recycled(web), 122)
    for _ in range(4):
        web.check()
    assert Notification.objects.count() == 2
    prune(web.now + timedelta(days=500))
    assert Notification.objects.count() == 0
