"""The outbox: what is told, to whom, once, and until it arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from memwatch.alerts.webhook import verify
from memwatch.models import Alert, Leak, LeakEvent, Notification, Process
from memwatch.queries.deployment import counters
from memwatch.services import alerts, notifications
from memwatch.services.notifications import SendResult
from tests.alerts.receiver import Receiver
from tests.services.stored import MINUTE, NOON, QUOTE, end_process, store_process, store_snapshots

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECRET = "a-secret-nobody-guesses"
heard: list[dict[str, Any]] = []

pytestmark = pytest.mark.django_db(transaction=True)


def listen(message: dict[str, Any]) -> None:
    heard.append(message)


@pytest.fixture
def told(settings: Any) -> Callable[..., None]:
    """Set who is told."""
    heard.clear()

    def put(*channels: Any, **values: Any) -> None:
        settings.MEMWATCH = {
            "ALERT_CHANNELS": list(channels),
            "SITE_URL": "https://ops.example.org/",
            "WEBHOOK_SECRET": SECRET,
            "CHANNEL_TIMEOUT": 30,
            **values,
        }

    put(listen)
    return put


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def heap(percent: float) -> Callable[[float], dict[str, Any]]:
    return lambda _minutes: {"heap_used_kib": int(percent / 100 * 2_097_152), "heap_limit_kib": 2_097_152}


def heap_at(process: Process, minute: int, percent: float) -> None:
    """A reading, a judgement, and a round of messages, as beat would have it."""
    now = NOON + minute * MINUTE
    store_snapshots(process, now, now, heap(percent))
    alerts.check(now)
    notifications.send(now)


def raised_heap() -> Notification:
    """An alert that waits in the outbox."""
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON, NOON, heap(93))
    alerts.check(NOON)
    return Notification.objects.get()


def states() -> list[tuple[str, str, int]]:
    rows = Notification.objects.order_by("id")
    return [(row.event, row.state, row.attempts) for row in rows]


def store_leak(process: Process, **values: Any) -> Leak:
    return Leak.objects.create(
        service=process.service, process=process, object_type=QUOTE, severity="medium", initial_count=500,
        current_count=2_000, growth_count=1_500, growth_percent=300.0, verdict="leak: grows.", **values,
    )  # fmt: skip


def test_an_episode_is_told_once_and_its_end_with_a_summary(told: Any) -> None:
    process = store_process(started=NOON - 9 * HOUR)
    for minute, percent in ((0, 93), (1, 97), (2, 92), (3, 50), (4, 40)):
        heap_at(process, minute, percent)
    assert [(message["event"], message["state"]) for message in heard] == [("raised", "raised"), ("cleared", "cleared")]
    first, last = heard
    assert first["message"].startswith("web-1 on a: heap at 93.0 % of 2048 MB")
    assert (first["value"], first["threshold"], first["unit"], first["slot"]) == (
        pytest.approx(93, 0.01),
        90,
        "%",
        "web-1",
    )
    assert first["url"] == f"https://ops.example.org/admin/memwatch/alert/{Alert.objects.get().pk}/change/"
    assert last["summary"] == (
        "web-1 on a: heap over the critical threshold is over after 3 min. At its worst it was 97 %, threshold 90."
    )
    assert (last["duration_s"], last["began_at"]) == (180, first["timestamp"])
    assert first["id"] != last["id"]


def test_a_warning_that_becomes_critical_is_the_same_episode_told_as_worse(told: Any) -> None:
    process = store_process(started=NOON - 9 * HOUR)
    for minute, percent in ((0, 85), (1, 95), (2, 84), (3, 83), (4, 50)):
        heap_at(process, minute, percent)
    assert [(message["event"], message["type"]) for message in heard] == [
        ("raised", "heap_warning"), ("worse", "heap_critical"), ("cleared", "heap_warning"),
    ]  # fmt: skip
    assert heard[-1]["duration_s"] == 240
    assert heard[-1]["worst_value"] == pytest.approx(95, 0.01)


def test_a_leak_is_told_when_it_opens_when_it_gets_worse_and_when_it_is_resolved(told: Any) -> None:
    leak = store_leak(store_process())
    for minute, severity in enumerate(("medium", "critical", "low")):
        Leak.objects.update(severity=severity)
        alerts.check(NOON + minute * MINUTE)
        notifications.send(NOON + minute * MINUTE)
    Leak.objects.update(state="resolved")
    LeakEvent.objects.create(leak=leak, kind="resolved", comment="stopped growing: it is flat", at=NOON + HOUR)
    alerts.check(NOON + HOUR)
    notifications.send(NOON + HOUR)
    assert [(message["event"], message["severity"]) for message in heard] == [
        ("raised", "medium"), ("worse", "critical"), ("cleared", "low"),
    ]  # fmt: skip
    assert {message["object_type"] for message in heard} == {QUOTE}
    assert heard[0]["url"] == f"https://ops.example.org/admin/memwatch/leak/{leak.pk}/change/"
    assert heard[-1]["summary"] == (
        f"web-1 on a: the leak of {QUOTE} is over after 1 h: resolved, stopped growing: it is flat."
    )


def test_the_summary_says_who_snoozed_it(told: Any, django_user_model: Any) -> None:
    leak = store_leak(store_process())
    alerts.check(NOON)
    Leak.objects.update(state="snoozed")
    anna = django_user_model.objects.create_user("anna")
    LeakEvent.objects.create(leak=leak, kind="snoozed", by=anna, comment="until Monday", at=NOON)
    alerts.check(NOON + MINUTE)
    assert Notification.objects.get(event="cleared").payload["summary"].endswith(": snoozed by anna, until Monday.")


def test_a_process_that_ended_is_the_reason(told: Any) -> None:
    process = store_process(started=NOON - 9 * HOUR)
    heap_at(process, 0, 95)
    end_process(process, NOON + MINUTE)
    alerts.check(NOON + MINUTE)
    assert "because the process ended (said goodbye)" in Notification.objects.get(event="cleared").payload["summary"]


def test_what_is_rolled_back_is_not_told(told: Any) -> None:
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON, NOON, heap(95))
    with transaction.atomic():
        assert alerts.check(NOON).raised == 1
        transaction.set_rollback(True)
    assert notifications.send(NOON) == SendResult()
    assert heard == []


def test_a_mail_and_a_signed_webhook_arrive(told: Any, receiver: Receiver) -> None:
    told("mailto:ops@example.org", f"{receiver.url}/T0KEN")
    heap_at(store_process(started=NOON - 9 * HOUR), 0, 93)
    assert mail.outbox[0].subject.startswith("[memwatch] critical: web-1 on a: heap at 93.0 %")
    (got,) = receiver.got
    assert verify(SECRET, got.headers, got.body)
    assert got.message["type"] == "heap_critical"
    assert {row.state for row in Notification.objects.all()} == {"sent"}
    assert not Notification.objects.filter(channel__contains="T0KEN").exists()


def test_a_channel_that_is_away_is_tried_again_ever_more_rarely_and_the_message_stays_the_same(
    told: Any, receiver: Receiver
) -> None:
    told(f"{receiver.url}/hook")
    receiver.answers = [500, 503]
    heap_at(store_process(started=NOON - 9 * HOUR), 0, 93)
    assert states() == [("raised", "waiting", 1)]
    assert Notification.objects.get().error == f"DeliveryError: {receiver.url} answered 500"
    assert notifications.send(NOON + timedelta(seconds=10)) == SendResult()
    assert notifications.send(NOON + timedelta(seconds=20)) == SendResult(failed=1)
    assert notifications.send(NOON + timedelta(seconds=40)) == SendResult()
    assert notifications.send(NOON + timedelta(seconds=60)) == SendResult(sent=1)
    assert notifications.send(NOON + HOUR) == SendResult()
    assert states() == [("raised", "sent", 3)]
    assert len(receiver.got) == 3
    assert len({got.headers["Memwatch-Delivery"] for got in receiver.got}) == 1
    assert counters.totals(counters.NOTIFICATIONS_SENT) == [({"channel": Notification.objects.get().channel}, 1)]


def test_the_end_of_an_episode_never_overtakes_its_beginning(told: Any, receiver: Receiver) -> None:
    told(f"{receiver.url}/hook")
    receiver.answers = [500]
    process = store_process(started=NOON - 9 * HOUR)
    heap_at(process, 0, 93)
    store_snapshots(process, NOON + MINUTE, NOON + MINUTE, heap(50))
    alerts.check(NOON + timedelta(seconds=5))
    assert notifications.send(NOON + timedelta(seconds=5)) == SendResult()
    for seconds in (60, 75):
        notifications.send(NOON + timedelta(seconds=seconds))
    assert [got.message["event"] for got in receiver.got] == ["raised", "raised", "cleared"]


def test_a_channel_that_hangs_or_fails_costs_the_others_nothing(told: Any) -> None:
    ending = threading.Event()

    def hangs(_message: dict[str, Any]) -> None:
        ending.wait(60)

    def fails(_message: dict[str, Any]) -> None:
        raise RuntimeError("no line")

    told(hangs, fails, "nowhere.to.be.found", listen, CHANNEL_TIMEOUT=3)
    heap_at(store_process(started=NOON - 9 * HOUR), 0, 93)
    ending.set()
    assert [message["type"] for message in heard] == ["heap_critical"]
    errors = {row.channel.rpartition(".")[2]: row.error for row in Notification.objects.all()}
    assert errors["hangs"] == "no answer within 3 s"
    assert errors["fails"] == "RuntimeError: no line"
    assert errors["found"].startswith("ImportError") or errors["found"].startswith("ModuleNotFoundError")
    assert errors["listen"] == ""


def test_a_notification_is_given_up_after_a_day(
    told: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    told(f"{receiver.url}/hook")
    receiver.answers = [500] * 200
    heap_at(store_process(started=NOON - 9 * HOUR), 0, 93)
    now = NOON
    while Notification.objects.filter(state="waiting").exists():
        now += timedelta(minutes=10)
        assert now < NOON + 2 * DAY
        notifications.send(now)
    assert now - NOON >= DAY
    row = Notification.objects.get()
    assert (row.state, row.error) == ("failed", f"DeliveryError: {receiver.url} answered 500")
    assert row.attempts < 60
    assert counters.total(counters.NOTIFICATIONS_FAILED) == 1
    assert [record for record in caplog.records if "is not retried" in record.message]


def test_what_waits_for_a_channel_that_was_taken_out_is_given_up_and_says_so(told: Any) -> None:
    store_snapshots(store_process(started=NOON - 9 * HOUR), NOON, NOON, heap(93))
    alerts.check(NOON)
    told("memwatch.alerts.channels.log")
    assert notifications.send(NOON) == SendResult(given_up=1)
    assert Notification.objects.get().error == "the channel is no longer in ALERT_CHANNELS"


def test_a_worker_that_is_killed_before_it_noted_the_delivery_delivers_again(
    told: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(f"{receiver.url}/hook")
    real = notifications._arrived
    monkeypatch.setattr(notifications, "_arrived", lambda row: exec("raise SystemExit"))
    store_snapshots(store_process(started=NOON - 9 * HOUR), NOON, NOON, heap(93))
    alerts.check(NOON)
    with pytest.raises(SystemExit):
        notifications.send(NOON)
    monkeypatch.setattr(notifications, "_arrived", real)
    assert notifications.send(NOON) == SendResult(sent=1)
    assert len({got.message["id"] for got in receiver.got}) == 1


def test_a_thousand_messages_are_told_in_mails_of_many_and_in_rounds(told: Any) -> None:
    told("mailto:ops@example.org")
    process = store_process(started=NOON - 9 * HOUR)
    for number in range(notifications.AT_ONCE + 5):
        alert = Alert.objects.create(
            type="leak", subject=f"leak:{number}", severity="high", service=process.service, message=f"m{number}"
        )
        notifications.write(alert, "raised", NOON)
    assert notifications.send(NOON).sent == notifications.AT_ONCE
    assert notifications.send(NOON).sent == 5
    assert len(mail.outbox) == notifications.AT_ONCE // 20 + 1


def test_every_channel_can_be_tried_out_and_nothing_is_kept(told: Any, receiver: Receiver, capsys: Any) -> None:
    receiver.answers = [403]
    told("mailto:ops@example.org", listen, f"{receiver.url}/hook")
    with pytest.raises(SystemExit):
        call_command("memwatch_notify")
    said = capsys.readouterr().out.splitlines()
    assert sorted(said)[:2] == ["✓ mailto:ops@example.org", f"✓ {__name__}.listen"]
    assert f"{receiver.url} answered 403" in sorted(said)[2]
    assert (mail.outbox[0].subject, heard[0]["type"]) == ("[memwatch] low: memwatch can reach you", "test")
    call_command("memwatch_notify", "mailto:ops@example.org")
    with pytest.raises(CommandError, match=r"no channel x: ALERT_CHANNELS has mailto:ops@example.org"):
        call_command("memwatch_notify", "x")
    told()
    with pytest.raises(CommandError, match="no channel is set"):
        call_command("memwatch_notify")
    assert not Notification.objects.exists()


def test_without_a_site_url_the_link_is_a_path(told: Any) -> None:
    told(listen, SITE_URL="")
    heap_at(store_process(started=NOON - 9 * HOUR), 0, 93)
    assert heard[0]["url"].startswith("/admin/memwatch/alert/")


def test_what_was_given_up_is_sent_again_on_request_and_tried_for_another_day(told: Callable[..., None]) -> None:
    row = raised_heap()
    assert notifications.send(NOON + 2 * DAY).given_up == 1
    later = NOON + 3 * DAY
    notifications.send_again(row, by=None, now=later)
    assert notifications.send(later) == SendResult(sent=1)
    assert [message["id"] for message in heard] == [str(row.key)]
    assert notifications.send(later + MINUTE) == SendResult()


def test_what_does_not_arrive_the_second_time_either_is_given_up_a_day_later(told: Callable[..., None]) -> None:
    def fail(_message: dict[str, Any]) -> None:
        raise OSError("no line")

    told(fail)
    row = raised_heap()
    later = NOON + 3 * DAY
    notifications.send_again(row, by=None, now=later)
    assert notifications.send(later).failed == 1
    assert notifications.send(later + 23 * HOUR).given_up == 0
    assert notifications.send(later + DAY + MINUTE).given_up == 1
    row.refresh_from_db()
    assert (row.state, "no line" in row.error) == ("failed", True)


def test_attempts_that_fail_are_counted_by_channel(told: Callable[..., None]) -> None:
    def fail(_message: dict[str, Any]) -> None:
        raise OSError("no line")

    told(fail)
    row = raised_heap()
    notifications.send(NOON)
    notifications.send(NOON + MINUTE)
    assert counters.totals(counters.ATTEMPTS_FAILED) == [({"channel": row.channel}, 2)]
