"""Alerts of processes that were killed, from rows."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.detection.deaths import KILLED
from memwatch.models import Alert, Notification, Process
from memwatch.services import alerts
from memwatch.services.alert_deaths import process_deaths
from tests.services.stored import MINUTE, NOON
from tests.services.stored_deaths import store_death

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _channel(settings: Any) -> None:
    settings.MEMWATCH = {"ALERT_CHANNELS": ["memwatch.alerts.channels.log"]}


def raised() -> list[tuple[str, str]]:
    return [(alert.type, alert.severity) for alert in Alert.objects.raised()]


def sent() -> list[tuple[str, str]]:
    rows = Notification.objects.order_by("pk")
    return [(row.event, row.alert.severity) for row in rows.select_related("alert")]


def test_nothing_is_raised_for_ends_that_were_meant_or_only_silent(django_assert_num_queries: Any) -> None:
    for reason in set(Process.End) - set(KILLED):
        store_death(reason=reason, at=NOON)
    with django_assert_num_queries(1):
        assert process_deaths(NOON) == ()


@pytest.mark.parametrize("reason", KILLED)
def test_one_death_raises_it_for_a_quarter_of_an_hour(reason: str) -> None:
    dead = store_death(reason=reason)
    assert alerts.check(NOON + MINUTE) == alerts.AlertResult(raised=1)
    alert = Alert.objects.get()
    assert (alert.type, alert.process, alert.value) == ("process_killed", dead, 1)
    assert alert.message.startswith(f"{dead}: ")
    assert alerts.check(NOON + 14 * MINUTE) == alerts.AlertResult()
    assert alerts.check(NOON + 15 * MINUTE) == alerts.AlertResult(cleared=1)
    assert (
        "no process was killed and none crashed for 15 min"
        in Notification.objects.get(event="cleared").payload["summary"]
    )


def test_it_is_one_episode_of_the_service_however_many_workers_end(django_assert_num_queries: Any) -> None:
    store_death()
    alerts.check(NOON + MINUTE)
    second = store_death(at=NOON + 2 * MINUTE)
    assert alerts.check(NOON + 3 * MINUTE) == alerts.AlertResult()
    assert Alert.objects.get().process == second, "it follows the last one"
    for _ in range(40):
        store_death(at=NOON + 4 * MINUTE)
    with django_assert_num_queries(2):
        process_deaths(NOON + 5 * MINUTE)
    alerts.check(NOON + 5 * MINUTE)
    assert raised() == [("process_killed", "critical")]
    alerts.check(NOON + 20 * MINUTE)
    assert sent() == [("raised", "high"), ("worse", "critical"), ("cleared", "critical")]


def test_services_have_alerts_of_their_own() -> None:
    store_death("web")
    store_death("worker", reason=Process.End.OOM_CONTAINER)
    alerts.check(NOON + MINUTE)
    assert sorted(raised()) == [("process_killed", "critical"), ("process_killed", "high")]


def test_a_death_of_long_ago_that_is_explained_now_raises_nothing() -> None:
    store_death(at=NOON - 20 * MINUTE)
    assert alerts.check(NOON) == alerts.AlertResult()
