"""Recycling in the admin: policies in a form that knows what belongs together, the workers, and the stop for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from memwatch.models import Notification, Process, Recycle, RecyclingPolicy
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]
FORM: dict[str, Any] = {
    "mode": "rehearse", "when": "limit", "limit_mb": "300", "checks": "3", "minutes": "15", "drain_minutes": "10",
    "supervisor": "", "notify": "recycled",
}  # fmt: skip
LIST, STOP = "admin:memwatch_recycle_changelist", "admin:memwatch_recycle_stop_all"
ADD = "admin:memwatch_recyclingpolicy_add"


@pytest.fixture
def recycler(login: Login) -> Client:
    """An operator who may have workers recycled."""
    client = login("operator")
    user = User.objects.get(username="operator")
    user.user_permissions.add(Permission.objects.get(codename="recycle_workers"))
    return client


def policy_of(fleet: Fleet, **values: Any) -> RecyclingPolicy:
    known = Process.objects.first() or fleet.process()
    return RecyclingPolicy.objects.create(service=known.service, **{"limit_mb": 300.0, **values})


def text(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_policy_is_written_rehearsed_and_only_then_acts(fleet: Fleet, recycler: Client) -> None:
    service = fleet.process().service
    refused = recycler.post(reverse(ADD), {**FORM, "service": service.pk, "mode": "act"}).content.decode()
    assert "Choose “rehearse” first" in refused
    answer = recycler.post(reverse(ADD), {**FORM, "service": service.pk})
    assert answer.status_code == 302
    policy = RecyclingPolicy.objects.get()
    assert (policy.mode, policy.limit_mb, str(policy.changed_by)) == ("rehearse", 300.0, "operator")
    RecyclingPolicy.objects.update(rehearsed_at=fleet.now, said="No worker is over.", checked_at=fleet.now)
    page = text(recycler, "admin:memwatch_recyclingpolicy_change", policy.pk)
    assert "No worker is over. It may act now" in page
    recycler.post(reverse("admin:memwatch_recyclingpolicy_change", args=(policy.pk,)), {**FORM, "mode": "act"})
    policy.refresh_from_db()
    assert policy.mode == "act"
    assert [entry.change_message for entry in LogEntry.objects.filter(object_id=str(policy.pk)).order_by("pk")] == [
        (
            "Created: mode rehearse, when limit, limit_mb 300, limit_percent none, checks 3, minutes 15, "
            "drain_minutes 10, supervisor none, notify recycled."
        ),
        "Changed: mode from rehearse to act.",
    ]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"limit_percent": "50"}, "not both"),
        ({"limit_mb": ""}, "Give the soft limit"),
        ({"limit_mb": "0"}, "greater than or equal to 1"),
        ({"checks": "0"}, "greater than or equal to 1"),
        ({"minutes": "0"}, "greater than or equal to 0.1"),
        ({"supervisor": "cron"}, "Select a valid choice"),
        ({"notify": "often"}, "Select a valid choice"),
    ],
)
def test_what_does_not_fit_together_is_named(fleet: Fleet, recycler: Client, values: dict[str, Any], says: str) -> None:
    answer = recycler.post(reverse(ADD), {**FORM, "service": fleet.process().service.pk, **values})
    assert (answer.status_code, says in answer.content.decode()) == (200, True)
    assert not RecyclingPolicy.objects.exists()


def test_the_page_shows_the_policies_and_what_became_of_each_worker(fleet: Fleet, recycler: Client) -> None:
    policy = policy_of(fleet, mode="act", said="No worker is over.", checked_at=fleet.now)
    process = fleet.process(slot=2)
    row = Recycle.objects.create(
        service=policy.service, process=process, name=str(process), state="recycled", because="limit",
        why="web-2 on node-a: 400 MB of private memory, the soft limit is 300 MB, for 3 checks.",
        result="It finished its job and ended.", private_before_kib=400 * 1024, gained_kib=340 * 1024,
    )  # fmt: skip
    page = text(recycler, LIST)
    words_of_it = (
        "300 MB of private memory",
        "No worker is over.",
        "web-2 on node-a",
        "340.0 MB",
        "Stop all recycling",
    )
    for words in words_of_it:
        assert words in page
    own = text(recycler, "admin:memwatch_recycle_change", row.pk)
    assert "the soft limit is 300 MB, for 3 checks." in own
    assert "It finished its job and ended." in own


def test_a_policy_that_has_stopped_itself_says_why(fleet: Fleet, recycler: Client) -> None:
    why = {"stopped_at": fleet.now, "stopped_reason": "no_gain", "stopped_why": "It gains nothing."}
    policy = policy_of(fleet, mode="act", **why)
    assert "stopped itself" in text(recycler, LIST)
    assert "It gains nothing." in text(recycler, "admin:memwatch_recyclingpolicy_change", policy.pk)


def test_stopping_all_asks_first_and_is_audited(fleet: Fleet, recycler: Client) -> None:
    policy = policy_of(fleet, mode="act")
    assert "finishes its job and ends" in text(recycler, STOP)
    policy.refresh_from_db()
    assert policy.mode == "act"
    answer = recycler.post(reverse(STOP), follow=True)
    assert "1 policy was switched off." in answer.content.decode()
    policy.refresh_from_db()
    assert policy.mode == "off"
    assert LogEntry.objects.get().change_message == "Stopped all recycling: the policy is off."
    assert "Stop all recycling" not in text(recycler, LIST)


def test_without_the_permission_nothing_can_be_changed(fleet: Fleet, login: Login) -> None:
    policy = policy_of(fleet, mode="act")
    client = login("operator")
    page = text(client, LIST)
    assert reverse(ADD) not in page
    assert "Stop all recycling" not in page
    assert client.get(reverse(ADD)).status_code == 403
    assert client.get(reverse(STOP)).status_code == 403
    assert client.post(reverse(STOP)).status_code == 403
    change = reverse("admin:memwatch_recyclingpolicy_change", args=(policy.pk,))
    assert client.post(change, {**FORM, "mode": "off"}).status_code == 403
    policy.refresh_from_db()
    assert policy.mode == "act"


def test_the_switch_for_all_services_is_shown(fleet: Fleet, recycler: Client, settings: Any) -> None:
    settings.MEMWATCH = {**settings.MEMWATCH, "RECYCLING": False}
    policy_of(fleet, mode="act")
    assert "The setting RECYCLING switches recycling off" in text(recycler, LIST)


def test_the_pages_of_a_service_and_of_a_leak_lead_to_it(fleet: Fleet, recycler: Client) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    without = text(recycler, "admin:memwatch_leak_change", leak.pk)
    assert "Until it is fixed" in without
    assert "it has no recycling policy" in without
    assert f'href="{reverse("admin:memwatch_recyclingpolicy_add")}?service={process.service_id}"' in without
    policy_of(fleet, mode="rehearse", said="No worker is over.")
    assert "set to “rehearse”: No worker is over." in text(recycler, "admin:memwatch_leak_change", leak.pk)
    service = text(recycler, "admin:memwatch_service_change", process.service_id)
    assert f"{reverse(LIST)}?service__id__exact={process.service_id}" in service
    assert reverse(LIST) in text(recycler, "admin:memwatch_operations_changelist")


def test_the_page_of_a_leak_shows_a_policy_only_to_those_who_may_view_it(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    policy_of(fleet, mode="act", said="web-1 is over.")
    address = "admin:memwatch_leak_change"
    neither = text(login("neither", "view_leak"), address, leak.pk)
    assert "web-1 is over." not in neither
    assert "recycling policy" not in neither.lower()
    assert "Until it is fixed" not in neither
    policies = text(login("policies", "view_leak", "view_recyclingpolicy"), address, leak.pk)
    assert "set to “act”: web-1 is over." in policies
    assert "Settings that fit" not in policies
    other = fleet.leak(fleet.process("api"))
    assert "Add a policy" not in text(login("no-recycler", "view_leak", "view_recyclingpolicy"), address, other.pk)
    services = text(login("services", "view_leak", "view_service"), address, leak.pk)
    assert "web-1 is over." not in services
    assert "Settings that fit" in services


def test_the_list_counts_recycles(fleet: Fleet, recycler: Client) -> None:
    process = fleet.process()
    for state in ("left", "rehearsed"):
        Recycle.objects.create(service=process.service, name="web-1", state=state, because="limit", why="large")
    page = " ".join(text(recycler, LIST).split())
    assert "2 recycles" in page
    assert "Recycles" in text(recycler, "admin:memwatch_operations_changelist")


def test_its_notifications_are_listed_and_lead_back_to_it(fleet: Fleet, recycler: Client) -> None:
    process = fleet.process()
    row = Recycle.objects.create(
        service=process.service, process=process, name="web-1", state="recycled", because="limit", why="large"
    )
    about = f"web: recycled {EVIL}. It gave back 290.0 MB."
    notification = Notification.objects.create(
        recycle=row, event="info", channel="mailto:ops@example.org", episode="recycle:1", payload={"message": about},
        error="refused", attempts=1,
    )  # fmt: skip
    outbox = "admin:memwatch_notification_changelist"
    assert f"{reverse(outbox)}?recycle__id__exact={row.pk}" in text(recycler, "admin:memwatch_recycle_change", row.pk)
    listed = recycler.get(reverse(outbox), {"recycle__id__exact": row.pk}).content.decode()
    page = text(recycler, "admin:memwatch_notification_change", notification.pk)
    assert "It gave back 290.0 MB." in listed
    assert "It gave back 290.0 MB." in page
    assert "information" in page
    assert EVIL not in listed + page


def test_hostile_names_are_escaped(fleet: Fleet, recycler: Client) -> None:
    process = fleet.process(EVIL, host=EVIL)
    RecyclingPolicy.objects.create(service=process.service, mode="act", limit_mb=1, said=EVIL)
    row = Recycle.objects.create(
        service=process.service, process=process, name=str(process), state="left", because="limit", why=EVIL,
        result=EVIL,
    )  # fmt: skip
    for page in (text(recycler, LIST), text(recycler, "admin:memwatch_recycle_change", row.pk)):
        assert "<script>alert" not in page


def test_a_list_needs_as_many_queries_for_many_rows_as_for_one(
    fleet: Fleet, recycler: Client, django_assert_max_num_queries: Any
) -> None:
    policy = policy_of(fleet, mode="act")
    for slot in range(2, 30):
        process = fleet.process(slot=slot)
        Recycle.objects.create(
            service=policy.service, process=process, name=str(process), state="left", because="limit", why="large"
        )
    recycler.get(reverse(LIST))
    with django_assert_max_num_queries(20):
        recycler.get(reverse(LIST))
