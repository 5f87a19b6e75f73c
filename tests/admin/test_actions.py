"""What people can do: asked first, by POST only, permitted, audited, and told in the plural."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from memwatch.models import Baseline, Command, ExpectedGrowth, Leak, LeakEvent, Process, Trigger
from tests.admin.conftest import Fleet

Login = Callable[..., Client]

PROCESSES = "admin:memwatch_process_changelist"
LEAKS = "admin:memwatch_leak_changelist"
LEAK_ACTS = ("acknowledge", "snooze", "resolve", "suppress", "reopen")
PROCESS_ACTS = ("snapshot", "reset-baseline")


def _act(model: str, pk: object, act: str) -> str:
    return reverse(f"admin:memwatch_{model}_act", args=(pk, act))


def _told(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]


def _watched(fleet: Fleet, count: int = 1) -> list[Process]:
    processes = [fleet.process(slot=slot) for slot in range(1, count + 1)]
    for process in processes:
        fleet.snapshot(process)
    return processes


def test_a_leak_is_acknowledged_with_a_comment_and_leaves_a_trace(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    asked = client.post(_act("leak", leak.pk, "acknowledge"))
    assert asked.status_code == 200
    leak.refresh_from_db()
    assert leak.state == Leak.State.OPEN
    done = client.post(_act("leak", leak.pk, "acknowledge"), {"confirmed": "yes", "comment": "on it"})
    assert done.status_code == 302
    leak.refresh_from_db()
    assert leak.state == Leak.State.ACKNOWLEDGED
    event = LeakEvent.objects.get(leak=leak, kind=LeakEvent.Kind.ACKNOWLEDGED)
    assert (str(event.by), event.comment) == ("operator", "on it")
    assert LogEntry.objects.filter(object_id=str(leak.pk), user__username="operator").exists()
    assert _told(done) == "1 leak was acknowledged."


def test_a_leak_is_snoozed_until_a_time_to_come_only(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    past = client.post(_act("leak", leak.pk, "snooze"), {"confirmed": "yes", "until": "2020-01-01T10:00"})
    assert past.status_code == 200
    assert "This time is in the past" in past.content.decode()
    until = (timezone.localtime() + timedelta(days=2)).replace(second=0, microsecond=0)
    client.post(_act("leak", leak.pk, "snooze"), {"confirmed": "yes", "until": f"{until:%Y-%m-%dT%H:%M}"})
    leak.refresh_from_db()
    assert (leak.state, leak.snoozed_until) == (Leak.State.SNOOZED, until)


def test_a_leak_is_suppressed_with_a_reason_and_comes_back_when_reopened(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    missing = client.post(_act("leak", leak.pk, "suppress"), {"confirmed": "yes", "reason": ""})
    assert missing.status_code == 200
    client.post(_act("leak", leak.pk, "suppress"), {"confirmed": "yes", "reason": "the cache fills up"})
    leak.refresh_from_db()
    assert leak.state == Leak.State.SUPPRESSED
    assert ExpectedGrowth.objects.get().reason == "the cache fills up"
    client.post(_act("leak", leak.pk, "reopen"), {"confirmed": "yes"})
    leak.refresh_from_db()
    assert leak.state == Leak.State.OPEN


def test_many_leaks_are_resolved_at_once_and_those_left_are_named(fleet: Fleet, login: Login) -> None:
    process, client = fleet.process(), login("operator")
    leaks = [fleet.leak(process, f"shop.Type{number}") for number in range(3)]
    Leak.objects.filter(pk=leaks[2].pk).update(state=Leak.State.RESOLVED, resolved_at=fleet.now)
    pks = [leak.pk for leak in leaks]
    url = reverse(LEAKS) + "?state=all"
    asked = client.post(url, {"action": "resolve", "_selected_action": pks, "index": 0})
    assert asked.status_code == 200
    assert all(f"shop.Type{number}" in asked.content.decode() for number in range(3))
    assert Leak.objects.filter(state=Leak.State.RESOLVED).count() == 1
    shown = {"action": "resolve", "_selected_action": pks[0], "rows": asked.context["pks"], "confirmed": "yes"}
    done = client.post(url, {**shown, "comment": "deployed the fix"})
    assert Leak.objects.filter(state=Leak.State.RESOLVED).count() == 3
    told = _told(done)
    assert "2 leaks were resolved." in told
    assert "1 was not changed: shop.Type2 in web-1 on node-a is resolved already" in told


def test_a_bulk_action_works_on_the_whole_filtered_set(fleet: Fleet, login: Login) -> None:
    web, worker = fleet.process("web"), fleet.process("worker")
    for number in range(60):
        fleet.leak(web, f"shop.Web{number}")
    fleet.leak(worker, "shop.Worker")
    url = f"{reverse(LEAKS)}?service__id__exact={web.service_id}"
    first = Leak.objects.filter(service=web.service).first()
    assert first is not None
    client = login("operator")
    chosen = {"action": "acknowledge", "_selected_action": first.pk}
    asked = client.post(url, {**chosen, "select_across": 1, "index": 0})
    assert "60 leaks" in asked.content.decode()
    client.post(url, {**chosen, "rows": asked.context["pks"], "confirmed": "yes"})
    assert Leak.objects.filter(state=Leak.State.ACKNOWLEDGED).count() == 60
    assert Leak.objects.get(object_type="shop.Worker").state == Leak.State.OPEN


@pytest.mark.parametrize("key", ["abc", "9" * 40, "1.5", "\x00", "-1", "٣"])
def test_rows_that_cannot_be_are_not_acted_on(key: str, fleet: Fleet, login: Login) -> None:
    client, leak = login("root"), fleet.leak(fleet.process())
    for model, action in (
        ("leak", "acknowledge"), ("process", "snapshot"), ("service", "reset_baseline"), ("snapshot", "compare_two"),
        ("expectedgrowth", "delete_selected"), ("trigger", "delete_selected"), ("recording", "cancel"),
        ("notification", "send_again"),
    ):  # fmt: skip
        url = reverse(f"admin:memwatch_{model}_changelist")
        assert client.post(url, {"action": action, "_selected_action": key, "index": 0}).status_code == 302, model
    asked = {"action": "acknowledge", "_selected_action": leak.pk, "rows": f"{key},{leak.pk}", "confirmed": "yes"}
    assert _told(client.post(reverse(LEAKS), asked)).endswith("1 leak was acknowledged.")


def test_baselines_of_many_processes_are_reset_once_however_often_it_is_confirmed(fleet: Fleet, login: Login) -> None:
    processes, client = _watched(fleet, 2), login("operator")
    ended = fleet.process(slot=9, ended_at=fleet.now)
    pks = [process.pk for process in [*processes, ended]]
    url = reverse(PROCESSES) + "?state=all"
    asked = client.post(url, {"action": "reset_baseline", "_selected_action": pks, "index": 0})
    assert not Baseline.objects.exists()
    confirmed = {
        "action": "reset_baseline",
        "_selected_action": pks[0],
        "rows": asked.context["pks"],
        "confirmed": "yes",
        "reason": "deployed 2.4",
        "key": asked.context["form"].initial["key"],
    }
    done = client.post(url, confirmed)
    client.post(url, confirmed)
    assert Baseline.objects.count() == 2
    assert {row.reason for row in Baseline.objects.all()} == {"deployed 2.4"}
    assert "The baselines of 2 processes were reset." in _told(done)
    assert "web-9 on node-a has ended" in _told(done)


def test_a_service_is_reset_as_a_whole(fleet: Fleet, login: Login) -> None:
    (process,) = _watched(fleet)
    client = login("operator")
    done = client.post(
        _act("service", process.service_id, "reset-baseline"), {"confirmed": "yes", "reason": "quiet now"}
    )
    assert "The baseline of 1 service was reset." in _told(done)
    assert Baseline.objects.filter(process=None, active=True, created_by__username="operator").exists()
    assert client.get(reverse("admin:memwatch_service_change", args=(process.service_id,))).status_code == 200


def test_several_processes_are_asked_for_snapshots_at_once(fleet: Fleet, login: Login) -> None:
    processes, client = _watched(fleet, 3), login("operator")
    chosen = {"action": "snapshot", "_selected_action": [each.pk for each in processes], "index": 0}
    done = client.post(reverse(PROCESSES), chosen)
    assert done.status_code == 302
    assert Command.objects.filter(name="snapshot").count() == 3
    assert "3 processes" in _told(done)


def test_a_get_never_acts(fleet: Fleet, login: Login) -> None:
    (process,) = _watched(fleet)
    leak, client = fleet.leak(process), login("root")
    for model, row, acts in (("leak", leak, LEAK_ACTS), ("process", process, PROCESS_ACTS)):
        for act in acts:
            url = _act(model, row.pk, act)
            assert client.get(url, {"confirmed": "yes", "comment": "x", "reason": "x"}).status_code == 200
            assert client.put(url).status_code == 405
    leak.refresh_from_db()
    assert leak.state == Leak.State.OPEN
    assert not Command.objects.exists()
    assert not Baseline.objects.exists()


def test_an_action_without_a_token_against_forgery_is_refused(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(fleet.process())
    login("root")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="root"))
    assert strict.post(_act("leak", leak.pk, "resolve"), {"confirmed": "yes"}).status_code == 403
    leak.refresh_from_db()
    assert leak.state == Leak.State.OPEN


def test_a_viewer_sees_no_button_and_is_refused(fleet: Fleet, login: Login) -> None:
    (process,) = _watched(fleet)
    leak, client = fleet.leak(process), login("viewer")
    for model, row, acts in (("leak", leak, LEAK_ACTS), ("process", process, PROCESS_ACTS)):
        page = client.get(reverse(f"admin:memwatch_{model}_change", args=(row.pk,))).content.decode()
        assert "data-act" not in page
        for act in acts:
            confirmed = {"confirmed": "yes", "comment": "", "reason": "x"}
            assert client.post(_act(model, row.pk, act), confirmed).status_code == 403
    assert 'name="action"' not in client.get(reverse(LEAKS)).content.decode()
    client.post(reverse(LEAKS), {"action": "resolve", "_selected_action": leak.pk, "rows": leak.pk, "confirmed": "yes"})
    leak.refresh_from_db()
    assert leak.state == Leak.State.OPEN
    assert not Command.objects.exists()


@pytest.mark.parametrize("who", ["operator", "root"])
def test_an_operator_sees_the_buttons_that_make_sense_now(who: str, fleet: Fleet, login: Login) -> None:
    (process,) = _watched(fleet)
    leak, client = fleet.leak(process), login(who)
    page = client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert [act for act in LEAK_ACTS if f'data-act="{act}"' in page] == ["acknowledge", "snooze", "resolve", "suppress"]
    page = client.get(reverse("admin:memwatch_process_change", args=(process.pk,))).content.decode()
    assert all(f'data-act="{act}"' in page for act in PROCESS_ACTS)


def test_each_act_needs_its_own_permission(fleet: Fleet, login: Login) -> None:
    (process,) = _watched(fleet)
    client = login("half", "view_process", "take_snapshot")
    page = client.get(reverse("admin:memwatch_process_change", args=(process.pk,))).content.decode()
    assert 'data-act="snapshot"' in page
    assert 'data-act="reset-baseline"' not in page
    assert client.post(_act("process", process.pk, "reset-baseline"), {"confirmed": "yes"}).status_code == 403


def test_strangers_are_sent_to_the_login(fleet: Fleet) -> None:
    leak = fleet.leak(fleet.process())
    answer = Client().post(_act("leak", leak.pk, "resolve"), {"confirmed": "yes"})
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


def test_an_unknown_act_or_row_leads_back(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("root")
    exploded = client.post(_act("leak", leak.pk, "explode"))
    assert exploded.headers["Location"] == reverse("admin:memwatch_leak_change", args=(leak.pk,))
    assert _told(exploded) == "There is no action “explode”. Use one of the buttons."
    assert client.post(_act("leak", 9_999, "resolve"), {"confirmed": "yes"}).status_code == 302


def test_expected_growth_and_triggers_are_written_by_people(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    form = {"type_pattern": "shop.cache.*", "reason": "it fills up", "expires_at_0": "", "expires_at_1": ""}
    assert client.post(reverse("admin:memwatch_expectedgrowth_add"), form).status_code == 302
    rule = ExpectedGrowth.objects.get()
    assert str(rule.created_by) == "operator"
    form = {
        "name": "big leaks", "enabled": "on", "when": "leak", "severity": "high", "kind": "referrers",
        "duration_s": "30", "frames": "1", "mode": "leaks",
        "per_process_day": "1", "per_service_hour": "1", "per_hour": "2",
    }  # fmt: skip
    assert client.post(reverse("admin:memwatch_trigger_add"), form).status_code == 302
    assert Trigger.objects.count() == 1


def test_the_page_of_expected_growth_names_the_leaks_that_it_holds_back(fleet: Fleet, login: Login) -> None:
    rule = ExpectedGrowth.objects.create(type_pattern="shop.*", reason="it fills up", matches=3)
    leak = fleet.leak(fleet.process(), state="suppressed", expected_growth=rule)
    url = reverse("admin:memwatch_expectedgrowth_change", args=(rule.pk,))
    for who in ("viewer", "operator"):
        text = login(who).get(url).content.decode()
        assert reverse("admin:memwatch_leak_change", args=(leak.pk,)) in text
        assert ('name="reason"' in text) == (who == "operator")


def test_a_comment_stands_in_the_history_and_changes_nothing_else(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    empty = client.post(_act("leak", leak.pk, "comment"), {"confirmed": "yes", "comment": ""})
    assert empty.status_code == 200
    done = client.post(_act("leak", leak.pk, "comment"), {"confirmed": "yes", "comment": "asked the shop's team"})
    assert _told(done) == "Comment added to 1 leak."
    leak.refresh_from_db()
    assert leak.state == Leak.State.OPEN
    page = client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert "asked the shop&#x27;s team" in page
    assert LogEntry.objects.get(object_id=str(leak.pk)).change_message == "Comment: asked the shop's team"


def test_the_form_names_the_time_zone_that_a_snooze_is_read_in(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    with timezone.override("Asia/Kolkata"):
        text = client.post(_act("leak", leak.pk, "snooze")).content.decode()
    assert "Time zone: Asia/Kolkata, where it is now" in text
    far = (timezone.localtime() + timedelta(days=500)).strftime("%Y-%m-%dT%H:%M")
    answer = client.post(_act("leak", leak.pk, "snooze"), {"confirmed": "yes", "until": far})
    assert "Choose a time within a year" in answer.content.decode()


def test_the_confirmation_says_what_becomes_of_each_row(fleet: Fleet, login: Login) -> None:
    process, client = fleet.process(), login("operator")
    leaks = [fleet.leak(process, f"shop.Type{number}") for number in range(130)]
    Leak.objects.filter(pk__in=[leak.pk for leak in leaks[:2]]).update(state=Leak.State.ACKNOWLEDGED)
    chosen = {"action": "acknowledge", "_selected_action": leaks[0].pk, "select_across": 1, "index": 0}
    asked = client.post(reverse(LEAKS), chosen)
    text = asked.content.decode()
    assert "130 leaks" in text
    assert "2 of them do not change." in text
    assert text.count("<td>open</td><td>acknowledged</td>") >= 98
    assert "and 30 more" in text
    assert len(asked.context["pks"].split(",")) == 130


def test_nothing_can_be_confirmed_where_nothing_would_change(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process(), state="resolved", resolved_at=fleet.now), login("operator")
    asked = client.post(_act("leak", leak.pk, "resolve")).content.decode()
    assert "Nothing to do: this action changes none of them." in asked
    assert 'type="submit" disabled' in asked


def test_expected_growth_is_ended_in_the_list_and_the_entry_stays(fleet: Fleet, login: Login) -> None:
    rules = [ExpectedGrowth.objects.create(type_pattern=f"shop.{name}", reason="a cache") for name in "abc"]
    ExpectedGrowth.objects.filter(pk=rules[2].pk).update(expires_at=fleet.now - timedelta(days=1))
    client, url = login("operator"), reverse("admin:memwatch_expectedgrowth_changelist")
    chosen = {"action": "end", "_selected_action": [rule.pk for rule in rules], "index": 0}
    asked = client.post(url, chosen)
    assert "1 of them does not change" in asked.content.decode()
    confirmed = {"action": "end", "_selected_action": rules[0].pk, "rows": asked.context["pks"], "confirmed": "yes"}
    told = _told(client.post(url, confirmed))
    assert "2 rules were ended." in told
    assert "shop.c in every service has ended already" in told
    assert not [rule for rule in ExpectedGrowth.objects.all() if rule.is_active(timezone.now())]
    assert LogEntry.objects.filter(object_id=str(rules[0].pk), change_message="Ended: expected no longer.").exists()
    login("viewer").post(url, confirmed)
    assert 'name="action"' not in Client().get(url).content.decode()


def test_what_is_done_through_the_api_is_in_the_same_log(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    answer = client.post(f"/api/v1/leaks/{leak.pk}/acknowledge/", {"comment": "on it"}, content_type="application/json")
    assert answer.status_code == 200
    entry = LogEntry.objects.get(object_id=str(leak.pk))
    assert (entry.user.username, entry.change_message) == ("operator", "Acknowledged: on it")
    history = client.get(reverse("admin:memwatch_leak_history", args=(leak.pk,)))
    assert "Acknowledged: on it" in history.content.decode()
