"""Alerts as rows: raised once, cleared once, told to those who listen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from memwatch.models import Alert, Leak, Notification
from memwatch.services import alerts, notifications
from memwatch.signals import alert_cleared, alert_raised
from tests.services.stored import MINUTE, NOON, QUOTE, end_process, store_process, store_snapshots

HOUR = timedelta(hours=1)
heard = []


def listen(alert):
    heard.append((alert["type"], alert["state"], alert["slot"]))


@pytest.fixture(autouse=True)
def channels(settings):
    heard.clear()
    settings.MEMWATCH = {"ALERT_CHANNELS": [listen]}


@pytest.fixture
def signalled():
    told = []

    def on_raised(*, alert, **_kwargs):
        told.append(("raised", alert.type))

    def on_cleared(*, alert, **_kwargs):
        told.append(("cleared", alert.type))

    alert_raised.connect(on_raised)
    alert_cleared.connect(on_cleared)
    yield told
    alert_raised.disconnect(on_raised)
    alert_cleared.disconnect(on_cleared)


def heap(percent):
    return lambda _minutes: {"heap_used_kib": int(percent / 100 * 2_097_152), "heap_limit_kib": 2_097_152}


pytestmark = pytest.mark.django_db(transaction=True)


def raised():
    return [(alert.type, alert.severity) for alert in Alert.objects.raised().order_by("id")]


def test_an_alert_is_raised_once_and_cleared_once(signalled):
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON, NOON, heap(93))
    assert alerts.check(NOON) == alerts.AlertResult(raised=1)
    assert alerts.check(NOON + MINUTE) == alerts.AlertResult()
    alert = Alert.objects.get()
    assert alert.message.startswith("web-1 on a: heap at 93.0 % of 2048 MB (container limit), critical threshold 90 %")
    store_snapshots(process, NOON + 2 * MINUTE, NOON + 2 * MINUTE, heap(50))
    assert alerts.check(NOON + 2 * MINUTE) == alerts.AlertResult(cleared=1)
    assert alerts.check(NOON + 3 * MINUTE) == alerts.AlertResult()
    alert.refresh_from_db()
    assert alert.cleared_at == NOON + 2 * MINUTE
    assert signalled == [("raised", "heap_critical"), ("cleared", "heap_critical")]
    for minute in (3, 4):
        notifications.send(NOON + minute * MINUTE)
    assert heard == [("heap_critical", "raised", "web-1"), ("heap_critical", "cleared", "web-1")]


def test_a_value_that_dances_on_the_threshold_raises_one_alert():
    process = store_process(started=NOON - 9 * HOUR)
    for minute, percent in enumerate((91, 89, 91, 88, 90)):
        store_snapshots(process, NOON + minute * MINUTE, NOON + minute * MINUTE, heap(percent))
        alerts.check(NOON + minute * MINUTE)
    assert Alert.objects.count() == 1


def test_critical_takes_the_place_of_the_warning():
    process = store_process(started=NOON - 9 * HOUR)
    for minute, percent in enumerate((85, 95)):
        store_snapshots(process, NOON + minute * MINUTE, NOON + minute * MINUTE, heap(percent))
        alerts.check(NOON + minute * MINUTE)
    assert raised() == [("heap_critical", "critical")]


def store_leak(process, **values):
    return Leak.objects.create(
        service=process.service, process=process, object_type=QUOTE, severity="medium", initial_count=500,
        current_count=2_000, growth_count=1_500, growth_percent=300.0, verdict="leak: grows.", **values,
    )  # fmt: skip


def test_each_active_leak_has_one_alert_until_somebody_deals_with_it():
    leak = store_leak(store_process())
    alerts.check(NOON)
    Leak.objects.update(state="acknowledged")
    alerts.check(NOON)
    assert raised() == [("leak", "medium")]
    Leak.objects.update(state="snoozed")
    assert alerts.check(NOON) == alerts.AlertResult(cleared=1)
    assert Alert.objects.get().leak == leak


def store_leaks(count=40):
    return [store_leak(store_process(slot=slot)) for slot in range(1, count + 1)]


def check_and_tell(minute):
    result = alerts.check(NOON + minute * MINUTE)
    notifications.send(NOON + minute * MINUTE)
    return result


def test_a_leak_in_forty_processes_is_one_alert_and_one_message_until_none_has_it():
    first, *others = store_leaks()
    assert check_and_tell(0) == alerts.AlertResult(raised=1)
    alert = Alert.objects.get()
    assert (alert.processes, alert.process, alert.leak) == (40, None, first)
    assert alert.message.startswith(f"service web: {QUOTE} leaks in 40 processes, medium severity")

    end_process(first.process, NOON + MINUTE)
    Leak.objects.filter(pk=first.pk).update(state="resolved")
    assert check_and_tell(1) == alerts.AlertResult()
    alert.refresh_from_db()
    assert (alert.is_raised, alert.processes, alert.leak) == (True, 39, others[0])
    assert "leaks in 39 processes" in alert.message

    Leak.objects.exclude(pk=others[-1].pk).update(state="resolved")
    assert check_and_tell(2) == alerts.AlertResult()
    alert.refresh_from_db()
    assert (alert.is_raised, alert.processes, alert.process) == (True, 1, others[-1].process)
    assert alert.message.startswith(f"web-40 on a: {QUOTE} leaks, medium")

    Leak.objects.update(state="resolved")
    assert check_and_tell(3) == alerts.AlertResult(cleared=1)
    assert heard == [("leak", "raised", None), ("leak", "cleared", "web-40")]
    assert [row.payload["processes"] for row in Notification.objects.order_by("id")] == [40, 1]
    assert Notification.objects.first().payload["service"] == "web"


def test_the_same_type_in_another_service_and_another_kind_of_leak_have_alerts_of_their_own():
    process = store_process()
    store_leak(process)
    store_leak(process, kind="untracked")
    store_leak(store_process("worker"))
    assert alerts.check(NOON) == alerts.AlertResult(raised=3)


def test_a_cause_is_as_severe_as_its_worst_leak_and_a_rise_is_told_once():
    leaks = store_leaks(3)
    check_and_tell(0)
    Leak.objects.filter(pk__in=[leaks[0].pk, leaks[2].pk]).update(severity="critical")
    check_and_tell(1)
    assert Alert.objects.raised().get().severity == "critical"
    Leak.objects.filter(pk=leaks[0].pk).update(severity="low")
    check_and_tell(2)
    assert (Alert.objects.raised().get().severity, Alert.objects.raised().get().leak) == ("critical", leaks[0])
    Leak.objects.update(severity="medium")
    check_and_tell(3)
    assert Alert.objects.raised().get().severity == "medium"
    events = [(row.event, row.payload["severity"]) for row in Notification.objects.order_by("id")]
    assert events == [("raised", "medium"), ("worse", "critical")]


def store_alerts_of_before(leaks):
    """As they were raised while each process's leak had one of its own."""
    for leak in leaks:
        Alert.objects.create(
            type="leak", subject=f"leak:{leak.pk}", severity="medium", service=leak.service, process=leak.process,
            leak=leak, message=f"{leak.process.slot} on a: {QUOTE} leaks", raised_at=NOON - HOUR, began_at=NOON - HOUR,
        )  # fmt: skip


def test_alerts_of_single_processes_become_one_without_a_word():
    leaks = store_leaks()
    store_alerts_of_before(leaks)
    assert check_and_tell(0) == alerts.AlertResult(cleared=39)
    alert = Alert.objects.raised().get()
    assert (alert.processes, alert.process, alert.began_at) == (40, None, NOON - HOUR)
    assert check_and_tell(1) == alerts.AlertResult()
    assert not Notification.objects.exists()


def test_alerts_of_single_processes_that_ended_with_the_upgrade_are_told_as_over_once():
    leaks = store_leaks()
    store_alerts_of_before(leaks)
    Leak.objects.update(state="resolved")
    assert check_and_tell(0) == alerts.AlertResult(cleared=40)
    assert [row.event for row in Notification.objects.all()] == ["cleared"]


def test_a_cause_whose_leaks_get_another_name_keeps_its_alert():
    leaks = store_leaks(3)
    check_and_tell(0)
    alert = Alert.objects.get()
    Leak.objects.update(object_type="shop.leaks.Cart")
    assert check_and_tell(1) == alerts.AlertResult()
    alert.refresh_from_db()
    assert (alert.is_raised, alert.leak) == (True, leaks[0])
    assert "shop.leaks.Cart leaks in 3 processes" in alert.message
    assert Notification.objects.count() == 1


def test_a_leak_that_gets_worse_is_heard_again_and_one_that_gets_milder_is_not():
    store_leak(store_process())
    alerts.check(NOON)
    Leak.objects.update(severity="critical")
    assert alerts.check(NOON) == alerts.AlertResult(raised=1, cleared=1)
    Leak.objects.update(severity="low")
    assert alerts.check(NOON) == alerts.AlertResult()
    assert raised() == [("leak", "low")]


def test_a_process_that_ends_takes_its_alerts_along():
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON, NOON, heap(95))
    alerts.check(NOON)
    end_process(process, NOON + MINUTE)
    assert alerts.check(NOON + MINUTE) == alerts.AlertResult(cleared=1)


def test_a_floor_that_rises_over_an_hour_raises_a_growth_rate():
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON - HOUR, NOON, lambda minutes: {"heap_used_kib": 100_000 + int((minutes + 60) * 1000)})
    process.baselines.all().delete()
    alerts.check(NOON)
    assert raised() == [("growth_rate", "medium")]


def test_a_process_of_a_few_minutes_raises_nothing_however_it_grows():
    process = store_process(started=NOON - 4 * MINUTE)
    store_snapshots(
        process, NOON - 4 * MINUTE, NOON, lambda minutes: {"heap_used_kib": 50_000 + int((minutes + 4) * 50_000)},
        every=timedelta(seconds=2),
    )  # fmt: skip
    alerts.check(NOON)
    assert raised() == []


def test_a_gc_spike_is_told_from_the_process_own_hours_before():
    process = store_process(started=NOON - 9 * HOUR)

    def collections(minutes):
        return {"gc_collections_gen1": int(6 * minutes + 3600 + max(0, minutes + 10) * 60), "gc_collections_gen2": 9}

    store_snapshots(process, NOON - 7 * HOUR, NOON, collections)
    alerts.check(NOON)
    assert raised() == [("gc_spike", "medium")]


def test_a_heap_twice_its_baseline_for_half_an_hour_is_a_drift():
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON - 2 * HOUR, NOON, lambda _minutes: {"heap_used_kib": 210_000})
    process.baselines.update(heap_used_kib=100_000)
    alerts.check(NOON)
    assert raised() == [("baseline_drift", "critical")]


def test_an_alert_that_somebody_else_raised_meanwhile_is_not_raised_twice(monkeypatch):
    process = store_process(started=NOON - 9 * HOUR)
    store_snapshots(process, NOON, NOON, heap(95))
    real = alerts.decide

    def decide_while_another_run_raises(fleet, limits):
        findings = real(fleet, limits)
        if not Alert.objects.exists():
            alerts._raise(findings[0], NOON)
        return findings

    before = alerts.Alert.objects
    monkeypatch.setattr(alerts, "decide", decide_while_another_run_raises)
    alerts.check(NOON)
    assert before.count() == 1
