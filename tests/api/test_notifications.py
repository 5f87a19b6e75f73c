"""The outbox through the API: who was told, what did not arrive, and sending it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient

from memwatch.models import Notification, Recycle
from tests.api.conftest import Fleet
from tests.api.rows import store_notification
from tests.services.stored import NOON, store_process

URL = "/api/v1/notifications/"


@pytest.fixture
def outbox(fleet: Fleet) -> list[Notification]:
    hour = timedelta(hours=1)
    return [
        store_notification(fleet.alert, state="sent", attempts=1, sent_at=NOON),
        store_notification(fleet.alert, channel="mailto:ops@example.org", attempts=3, error="refused"),
        store_notification(
            fleet.alert, channel="site.gone", event="cleared", state="failed", attempts=50, created_at=NOON + hour
        ),
    ]


def test_a_notification_has_its_channel_message_and_outcome(viewer: APIClient, outbox: list[Notification]) -> None:
    answer = viewer.get(f"{URL}{outbox[1].pk}/").json()
    assert answer == {
        "id": outbox[1].pk, "key": str(outbox[1].key), "alert": outbox[1].alert_id, "recycle": None, "recording": None,
        "event": "raised", "channel": "mailto:ops@example.org", "state": "waiting", "attempts": 3, "error": "refused",
        "created_at": "2026-03-02T12:00:00Z", "next_attempt_at": "2026-03-02T12:00:00Z", "sent_at": None,
        "again_at": None, "message": outbox[1].payload,
    }  # fmt: skip
    assert viewer.get(f"{URL}{outbox[2].pk}/").json()["next_attempt_at"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [2, 1, 0]),
        ({"state": "failed,waiting"}, [2, 1]),
        ({"event": "cleared"}, [2]),
        ({"channel": "mailto:ops@example.org"}, [1]),
        ({"service": "web"}, [2, 1, 0]),
        ({"service": "worker"}, []),
        ({"alert": "999999"}, []),
        ({"since": "2026-03-02T12:30:00Z"}, [2]),
        ({"until": "2026-03-02T12:30:00Z"}, [1, 0]),
    ],
)
def test_they_are_listed_newest_first_and_narrowed_down(
    query: dict[str, str], expected: list[int], viewer: APIClient, outbox: list[Notification]
) -> None:
    found = viewer.get(URL, query).json()["results"]
    assert [each["id"] for each in found] == [outbox[number].pk for number in expected]


def test_one_of_a_recycled_worker_has_no_alert_and_is_found_by_its_service(
    viewer: APIClient, outbox: list[Notification]
) -> None:
    process = store_process("worker")
    recycle = Recycle.objects.create(
        service=process.service, process=process, name="worker-1", state="recycled", because="limit", why="large"
    )
    row = Notification.objects.create(recycle=recycle, event="info", channel="site.tell", episode="r", payload={"a": 1})
    for query in ({"service": "worker"}, {"recycle": recycle.pk}, {"event": "info"}):
        (found,) = viewer.get(URL, query).json()["results"]
        assert (found["id"], found["alert"], found["recycle"], found["event"]) == (row.pk, None, recycle.pk, "info")
    assert len(viewer.get(URL, {"service": "web"}).json()["results"]) == 3


@pytest.mark.parametrize("query", [{"state": "lost"}, {"event": "x"}, {"alert": "x"}, {"since": "yesterday"}])
def test_what_makes_no_sense_is_named(query: dict[str, str], viewer: APIClient, outbox: list[Notification]) -> None:
    answer = viewer.get(URL, query)
    assert answer.status_code == 400
    assert next(iter(query)) in str(answer.json())


@pytest.mark.parametrize("number", [0, 1])
def test_one_that_arrived_or_waits_is_sent_again_at_once(
    number: int, operator: APIClient, outbox: list[Notification], settings: Any
) -> None:
    settings.MEMWATCH = {"ALERT_CHANNELS": ["memwatch.alerts.channels.log", "mailto:ops@example.org"]}
    answer = operator.post(f"{URL}{outbox[number].pk}/send-again/")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["state"], told["attempts"], told["error"], told["sent_at"]) == ("waiting", 0, "", None)
    assert told["key"] == str(outbox[number].key)
    assert told["again_at"] == told["next_attempt_at"] > "2026-03-02"
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id) == ("operator", str(outbox[number].pk))
    assert entry.change_message.startswith("Sent again, was ")


def test_a_removed_channel_refuses_to_send_again_and_names_the_remedy(
    operator: APIClient, outbox: list[Notification]
) -> None:
    answer = operator.post(f"{URL}{outbox[2].pk}/send-again/")
    assert answer.status_code == 409
    assert "site.gone is no longer in ALERT_CHANNELS: set it" in answer.json()["detail"]
    assert Notification.objects.get(pk=outbox[2].pk).state == "failed"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("who", "code"), [("anonymous", 401), ("plain", 403), ("viewer", 403), ("operator", 200), ("superuser", 200)]
)
def test_sending_again_takes_a_permission_of_its_own(
    who: str, code: int, api: Callable[..., APIClient], outbox: list[Notification]
) -> None:
    client = api(who)
    assert client.post(f"{URL}{outbox[0].pk}/send-again/").status_code == code
    assert Notification.objects.get(pk=outbox[0].pk).state == ("waiting" if code == 200 else "sent")
    assert client.get(f"{URL}{outbox[0].pk}/send-again/").status_code in {401, 403, 405}
