"""What operators do to leaks, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from memwatch.models import ExpectedGrowth, Leak
from memwatch.services import ActionRefused
from memwatch.services.leaks import actions
from tests.services.stored import NOON, QUOTE, end_process, store_process

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return get_user_model().objects.create_user("olga")


@pytest.fixture
def leak():
    process = store_process()
    return Leak.objects.create(
        service=process.service, process=process, object_type=QUOTE, severity="high", initial_count=500,
        current_count=2_000, growth_count=1_500, growth_percent=300.0, detected_at=NOON, last_seen_at=NOON,
    )  # fmt: skip


def history(leak):
    return [(event.kind, event.by and event.by.username, event.comment) for event in leak.events.all()]


def test_each_act_changes_the_state_and_leaves_a_trace(leak, operator):
    actions.acknowledge(leak, by=operator, comment="on it", now=NOON)
    assert (leak.state, Leak.objects.get().state) == ("acknowledged", "acknowledged")
    until = NOON + timedelta(days=1)
    actions.snooze(leak, until=until, by=operator, comment="after the release", now=NOON)
    assert (leak.state, Leak.objects.get().snoozed_until) == ("snoozed", until)
    actions.resolve(leak, by=operator, now=NOON)
    assert (leak.state, leak.resolved_at, leak.snoozed_until) == ("resolved", NOON, None)
    actions.reopen(leak, by=operator, comment="not fixed", now=NOON)
    assert (leak.state, leak.resolved_at) == ("open", None)
    assert history(leak) == [
        ("acknowledged", "olga", "on it"),
        ("snoozed", "olga", "until 2026-03-03 12:00 UTC: after the release"),
        ("resolved", "olga", ""),
        ("reopened", "olga", "not fixed"),
    ]
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == [
        "Acknowledged: on it",
        "Snoozed: until 2026-03-03 12:00 UTC: after the release",
        "Resolved.",
        "Reopened: not fixed",
    ]


def test_suppressing_expects_just_this_type_in_just_this_service(leak, operator):
    rule = actions.suppress(leak, by=operator, reason="the price cache fills up", now=NOON)
    assert (rule.type_pattern, rule.service, rule.reason, rule.matches) == (
        QUOTE,
        leak.service,
        "the price cache fills up",
        1,
    )
    assert (leak.state, leak.expected_growth) == ("suppressed", rule)
    assert history(leak) == [("suppressed", "olga", "the price cache fills up")]


def test_the_same_leak_in_two_processes_is_suppressed_by_one_rule(leak, operator):
    other = Leak.objects.get()
    other.pk, other.process = None, store_process(slot=2)
    other.save()
    rules = [actions.suppress(each, by=operator, reason="a cache", now=NOON) for each in (leak, other)]
    assert rules[0] == rules[1]
    assert ExpectedGrowth.objects.get().matches == 2


def test_reopening_what_is_suppressed_takes_its_rule_back(leak, operator):
    rule = actions.suppress(leak, by=operator, reason="a cache", now=NOON)
    actions.reopen(leak, by=operator, now=NOON)
    rule.refresh_from_db()
    assert (leak.state, leak.expected_growth, rule.is_active(NOON)) == ("open", None, False)


def test_a_leak_held_back_by_a_wider_rule_is_not_reopened(leak, operator):
    rule = ExpectedGrowth.objects.create(type_pattern="shop.*", reason="all of it")
    Leak.objects.update(state="suppressed", expected_growth=rule)
    with pytest.raises(ActionRefused, match=r"shop\.\* in every service”: end or narrow that first"):
        actions.reopen(leak, by=operator, now=NOON)


def test_a_type_name_with_brackets_is_matched_as_it_is(operator, leak):
    Leak.objects.update(object_type="shop.Cache[int]")
    assert actions.suppress(leak, by=operator, reason="a cache", now=NOON).type_pattern == "shop.Cache[[]int]"


@pytest.mark.parametrize(
    ("state", "act", "words"),
    [
        ("resolved", lambda leak, by: actions.acknowledge(leak, by=by), "is resolved and cannot be acknowledged"),
        (
            "acknowledged",
            lambda leak, by: actions.acknowledge(leak, by=by),
            "only one that is open or snoozed can",
        ),
        (
            "suppressed",
            lambda leak, by: actions.snooze(leak, until=NOON + timedelta(1), by=by, now=NOON),
            "suppressed",
        ),
        ("resolved", lambda leak, by: actions.resolve(leak, by=by), "is resolved already"),
        ("open", lambda leak, by: actions.reopen(leak, by=by), "is open already"),
        ("suppressed", lambda leak, by: actions.suppress(leak, by=by, reason="x"), "cannot be suppressed"),
    ],
)
def test_what_the_state_does_not_allow_is_refused_with_a_sentence(leak, operator, state, act, words):
    Leak.objects.update(state=state)
    with pytest.raises(ActionRefused, match=words):
        act(leak, operator)
    assert (Leak.objects.get().state, leak.events.count()) == (state, 0)


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (NOON - timedelta(seconds=1), "has passed"),
        (datetime(2027, 1, 1), "without a time zone"),  # noqa: DTZ001 - that is the mistake
        (NOON + timedelta(days=400), "at most a year"),
    ],
)
def test_a_snooze_wants_a_time_to_come(leak, operator, until, words):
    with pytest.raises(ActionRefused, match=words):
        actions.snooze(leak, until=until, by=operator, now=NOON)


def test_a_suppression_wants_a_reason(leak, operator):
    with pytest.raises(ActionRefused, match="why this growth is expected"):
        actions.suppress(leak, by=operator, reason="  ")


def test_a_leak_of_an_ended_process_stays_closed(leak, operator):
    Leak.objects.update(state="resolved")
    end_process(leak.process, NOON)
    with pytest.raises(ActionRefused, match="the process has ended"):
        actions.reopen(leak, by=operator)


def test_a_leak_that_was_pruned_meanwhile_is_refused(leak, operator):
    Leak.objects.all().delete()
    with pytest.raises(ActionRefused, match="is gone"):
        actions.acknowledge(leak, by=operator)
