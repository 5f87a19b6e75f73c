"""Leaks and alerts through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.models import Leak
from tests.api.conftest import Fleet
from tests.api.rows import store_alert, store_leak
from tests.services.stored import MINUTE, NOON

LEAKS = "/api/v1/leaks/"


def act(client: APIClient, leak: Leak, name: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"{LEAKS}{leak.pk}/{name}/", body or {}, format="json")


def test_a_leak_carries_the_reference_s_names_and_ours(viewer: APIClient, fleet: Fleet) -> None:
    row = viewer.get(LEAKS).json()["results"][0]
    assert row["object_type"] == "shop.leaks.PriceQuote"
    assert (row["initial_count"], row["current_count"], row["growth_count"]) == (500, 4_500, 4_000)
    assert (row["growth_percent"], row["severity"]) == (800, "high")
    assert row["detection_time"] == "2026-03-02T12:00:00Z"
    assert (row["service"], row["host"], row["slot"], row["process"]) == ("web", "a", "web-1", fleet.web.pk)
    assert (row["state"], row["kind"], row["evidence"]) == ("open", "objects", {"rule": "trend"})
    assert row["verdict"] == "shop.leaks.PriceQuote grows steadily."


def test_a_leak_of_a_whole_service_has_no_process(viewer: APIClient, fleet: Fleet) -> None:
    leak = store_leak(fleet.web, process=None)
    row = viewer.get(f"{LEAKS}{leak.pk}/").json()
    assert (row["service"], row["process"], row["host"], row["slot"]) == ("web", None, None, None)


def test_leaks_are_filtered(viewer: APIClient, fleet: Fleet) -> None:
    store_leak(fleet.web_2, "untracked", kind="untracked", severity="low", state="resolved")
    store_leak(fleet.worker, "celery.Task", severity="medium", detected_at=NOON + 60 * MINUTE)

    def types(query: str) -> set[str]:
        answer = viewer.get(f"{LEAKS}?{query}")
        assert answer.status_code == 200, answer.json()
        return {row["object_type"] for row in answer.json()["results"]}

    quote, untracked, task = "shop.leaks.PriceQuote", "untracked", "celery.Task"
    assert types("") == {quote, untracked, task}
    assert types("service=web") == {quote, untracked}
    assert types("host=b") == {task}
    assert types(f"process={fleet.web.pk}") == {quote}
    assert types("state=open") == {quote, task}
    assert types("state=open,resolved&severity=low,high") == {quote, untracked}
    assert types("kind=untracked") == {untracked}
    assert types(f"type={quote}") == {quote}
    assert types("type=shop.*") == {quote}
    assert types("type=*.Task") == {task}
    assert types("type=*leaks*") == {quote}
    assert types("since=2026-03-02T12:30:00Z") == {task}


def test_a_state_there_is_not_is_named(viewer: APIClient, fleet: Fleet) -> None:
    answer = viewer.get(f"{LEAKS}?state=open,gone")
    assert answer.status_code == 400
    assert "gone" in answer.json()["detail"]


def test_actions_change_the_leak_and_leave_its_history(operator: APIClient, fleet: Fleet) -> None:
    until = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)
    for name, body, state in (
        ("acknowledge", {"comment": "looking"}, "acknowledged"),
        ("snooze", {"until": until.isoformat(), "comment": "after lunch"}, "snoozed"),
        ("resolve", {"comment": "fixed"}, "resolved"),
        ("reopen", {}, "open"),
        ("suppress", {"reason": "a cache"}, "suppressed"),
    ):
        answer = act(operator, fleet.leak, name, body)
        assert answer.status_code == 200, answer.json()
        assert answer.json()["state"] == state
        if name == "snooze":
            assert datetime.fromisoformat(answer.json()["snoozed_until"]) == until.astimezone(UTC)
    events = operator.get(f"{LEAKS}{fleet.leak.pk}/").json()["events"]
    assert [event["kind"] for event in events] == ["acknowledged", "snoozed", "resolved", "reopened", "suppressed"]
    assert {event["by"] for event in events} == {"operator"}
    assert events[0]["comment"] == "looking"
    assert answer.json()["expected_growth"] is not None


def test_what_the_state_does_not_allow_is_a_conflict(operator: APIClient, fleet: Fleet) -> None:
    assert act(operator, fleet.leak, "resolve").status_code == 200
    answer = act(operator, fleet.leak, "resolve")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "shop.leaks.PriceQuote in web-1 on a is resolved already"}


@pytest.mark.parametrize(
    ("name", "body", "status", "said"),
    [
        ("snooze", {}, 400, "until: This field is required."),
        ("snooze", {"until": "soon"}, 400, "until: Datetime has wrong format"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, 409, "until is 2020-01-01"),
        ("suppress", {}, 400, "reason: This field is required."),
        ("suppress", {"reason": " "}, 400, "reason: This field may not be blank."),
        ("suppress", {"reason": "x" * 301}, 400, "reason: Ensure this field has no more than 300"),
        ("acknowledge", {"comment": "\x00"}, 400, "comment: Null characters are not allowed."),
        ("acknowledge", ["comment"], 400, "Invalid data."),
    ],
)
def test_an_action_says_what_is_wrong_with_it(
    name: str, body: Any, status: int, said: str, *, operator: APIClient, fleet: Fleet
) -> None:
    answer = act(operator, fleet.leak, name, body)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(said)
    fleet.leak.refresh_from_db()
    assert fleet.leak.state == Leak.State.OPEN


@pytest.mark.parametrize("pk", ["999999", "0", "x", "1.5", "99999999999999999999"])
def test_what_is_not_there_is_not_found(pk: str, operator: APIClient, fleet: Fleet) -> None:
    for path in (f"{LEAKS}{pk}/", f"/api/v1/processes/{pk}/", f"/api/v1/snapshots/{pk}/", f"/api/v1/commands/{pk}/"):
        assert operator.get(path).status_code == 404


def test_alerts_are_shown_and_filtered(viewer: APIClient, fleet: Fleet) -> None:
    store_alert(fleet.worker, type="heap_warning", severity="medium", cleared_at=NOON + MINUTE)
    rows = viewer.get("/api/v1/alerts/?state=raised").json()["results"]
    assert [row["id"] for row in rows] == [fleet.alert.pk]
    row = rows[0]
    assert (row["type"], row["severity"], row["message"]) == ("leak", "high", "PriceQuote leaks")
    assert (row["timestamp"], row["value"], row["threshold"]) == ("2026-03-02T12:00:00Z", 4_500, 50)
    assert (row["service"], row["slot"], row["leak"], row["state"]) == ("web", "web-1", fleet.leak.pk, "raised")
    cleared = viewer.get("/api/v1/alerts/?type=heap_warning,gc_spike").json()["results"]
    assert [row["state"] for row in cleared] == ["cleared"]


def test_the_track_record_counts_what_people_decided(operator: APIClient, fleet: Fleet) -> None:
    store_leak(fleet.worker, "celery.Task", probability=0.9)
    assert act(operator, fleet.leak, "acknowledge").status_code == 200
    answer = operator.get(f"{LEAKS}track-record/").json()
    assert answer["sentence"] == "Of the last 2 leaks found here, 1 was confirmed and 0 dismissed; 1 is not decided."
    assert (answer["found"], answer["confirmed"], answer["dismissed"], answer["open"]) == (2, 1, 0, 1)
    assert {each["what"]: each["outcome"] for each in answer["findings"]} == {
        fleet.leak.object_type: "confirmed",
        "celery.Task": "open",
    }
    assert [level["found"] for level in answer["levels"] if level["least"] == 0.85] == [1]


def test_a_leak_has_its_probability(viewer: APIClient, fleet: Fleet) -> None:
    assert viewer.get(LEAKS).json()["results"][0]["probability"] is None
    Leak.objects.update(probability=0.91)
    assert viewer.get(LEAKS).json()["results"][0]["probability"] == 0.91
