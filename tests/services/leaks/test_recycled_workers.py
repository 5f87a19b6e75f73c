"""Leaks of a whole service, whose workers are recycled before one of them shows anything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from memwatch.models import Counter, ExpectedGrowth, Leak, Process
from memwatch.services.leaks import actions, judging
from tests.services.stored import MINUTE, NOON, QUOTE, end_process, store_process, store_snapshots

pytestmark = pytest.mark.django_db

LIFE = 8 * MINUTE


def per_life(start, per_minute):
    """A count that begins anew with each life, and the requests it handled."""

    def figures(minutes):
        age = minutes - (start - NOON) / MINUTE
        count = 500 + round(age * per_minute) + round(age * 7) % 5
        return {"types": {QUOTE: count}, "requests_handled": round(age * 50)}

    return figures


def recycle(begin, generations, per_minute=80, *, slots=2, service="web", figures=per_life):
    """Lives one after the other in each slot; the time at which the last one ended."""
    for number in range(generations):
        start = begin + number * (LIFE + MINUTE / 2)
        for slot in range(1, slots + 1):
            own = start + slot * MINUTE / 4
            process = store_process(service, slot=slot, started=own)
            store_snapshots(process, own, own + LIFE - MINUTE, figures(own, per_minute))
            end_process(process, own + LIFE)
    return begin + generations * (LIFE + MINUTE / 2) + MINUTE


def only_leak():
    return Leak.objects.get(process=None)


def test_a_leak_of_recycled_workers_is_one_leak_of_their_service():
    now = recycle(NOON - timedelta(hours=1), 5)
    result = judging.detect(now)
    leak = Leak.objects.get()
    assert (leak.process, leak.service.name, leak.object_type, leak.state) == (None, "web", QUOTE, "open")
    assert (result.opened, leak.evidence["window"]) == (1, "lives")
    assert leak.evidence["rules"][-1]["rule"] == "pooled"
    assert "in every process of the service" in leak.verdict
    assert Counter.objects.get(name="leak_detections").value == 1


def test_judging_lives_again_changes_nothing():
    now = recycle(NOON - timedelta(hours=1), 5)
    judging.detect(now)
    before = Leak.objects.values().get()
    again = judging.detect(now + timedelta(seconds=1))
    assert (again.opened, again.seen) == (0, 0), "lives are not due again"
    assert Leak.objects.values().get() == before
    judging.detect(now + 6 * MINUTE)
    assert only_leak().events.count() == 1


@pytest.mark.parametrize(
    "figures",
    [
        lambda _start, _rate: lambda _minutes: {"types": {QUOTE: 500}, "requests_handled": 9},
        lambda start, _rate: (
            lambda minutes: {
                "types": {QUOTE: 1_500 if minutes - (start - NOON) / MINUTE > 1 else 500},
                "requests_handled": 9,
            }
        ),
        lambda start, rate: lambda minutes: {**per_life(start, rate)(minutes), "requests_handled": None},
    ],
    ids=["steady", "imports", "jobs that do no requests"],
)
def test_harmless_lives_are_no_leak_of_the_service(figures):
    judging.detect(recycle(NOON - timedelta(hours=1), 5, figures=figures))
    assert not Leak.objects.exists()


def test_three_deployments_in_an_hour_are_no_recycling():
    now = recycle(NOON - timedelta(hours=1), 2, slots=4)
    for slot in range(1, 5):
        store_process(slot=slot, started=now - MINUTE)
    judging.detect(now)
    assert not Leak.objects.filter(process=None).exists()


def test_it_resolves_by_itself_when_new_lives_show_it_no_more_and_tells_why():
    now = recycle(NOON - timedelta(hours=1), 5)
    judging.detect(now)
    now = recycle(now, 5, per_minute=0)
    judging.detect(now)
    leak = only_leak()
    assert leak.state == "open"
    assert "quiet_since" in leak.evidence["follow_up"]
    now = recycle(now, 2, per_minute=0)
    judging.detect(now)
    leak = only_leak()
    assert (leak.state, [event.kind for event in leak.events.all()]) == ("resolved", ["detected", "resolved"])
    assert leak.events.last().comment.startswith("stopped growing")
    assert leak.evidence["why_not"]["outcome"] == "quiet"
    assert leak.evidence["rules"], "why it was a leak stays beside it"


def test_a_resolved_leak_reopens_when_new_workers_leak():
    now = recycle(NOON - timedelta(hours=3), 5)
    judging.detect(now)
    actions.resolve(only_leak(), by=None, comment="fixed", now=now)
    now = recycle(now, 6)
    judging.detect(now)
    assert [event.kind for event in only_leak().events.all()] == ["detected", "resolved", "reopened"]


def test_a_leak_of_recycled_workers_is_resolved_once_they_live_on():
    now = recycle(NOON - timedelta(hours=1), 5)
    judging.detect(now)
    store_process(started=now)
    judging.detect(now + timedelta(hours=3))
    assert only_leak().state == "open"
    judging.detect(now + timedelta(hours=6, minutes=10))
    leak = only_leak()
    assert (leak.state, leak.events.last().kind) == ("resolved", "resolved")
    assert "judged one by one" in leak.events.last().comment


def test_a_young_worker_gets_no_leak_of_its_own_beside_the_services():
    now = recycle(NOON - timedelta(hours=1), 5)
    judging.detect(now)
    worker = store_process(slot=1, started=now)
    store_snapshots(worker, now, now + 7 * MINUTE, per_life(now, 80))
    judging.detect(now + 7 * MINUTE)
    assert Leak.objects.filter(state="open").count() == 1


def test_a_worker_that_lives_on_is_judged_by_itself():
    now = recycle(NOON - timedelta(hours=1), 5)
    judging.detect(now)
    worker = store_process(slot=1, started=now)
    store_snapshots(worker, now, now + 40 * MINUTE, per_life(now, 80))
    judging.detect(now + 40 * MINUTE)
    assert Leak.objects.filter(process=worker, state="open").exists()


def test_expected_growth_suppresses_it_and_counts_each_verdict():
    rule = ExpectedGrowth.objects.create(type_pattern="shop.leaks.*", reason="a cache that is recycled")
    now = recycle(NOON - timedelta(hours=1), 5)
    judging.detect(now)
    judging.detect(now + 6 * MINUTE)
    rule.refresh_from_db()
    assert only_leak().state == "suppressed"
    assert (rule.matches, rule.suppressed_verdicts, rule.last_matched_at) == (1, 2, now + 6 * MINUTE)


def test_services_are_judged_apart():
    now = recycle(NOON - timedelta(hours=1), 5, service="worker")
    recycle(NOON - timedelta(hours=1), 5, per_minute=0)
    judging.detect(now)
    assert only_leak().service.name == "worker"


def test_lives_that_left_no_snapshots_are_passed_over():
    now = recycle(NOON - timedelta(hours=1), 5)
    for process in Process.objects.all()[:3]:
        process.snapshots.exclude(pk=process.last_snapshot_id).delete()
    judging.detect(now)
    assert only_leak().state == "open"
