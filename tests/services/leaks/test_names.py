"""One cause, one leak: it keeps its row, its page and its alert while it is found under changing names."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from memwatch.models import Alert, ExpectedGrowth, Leak, LeakEvent, Recording
from memwatch.services import alerts
from memwatch.services.leaks import actions, judging
from tests.services.stored import MINUTE, NOON, store_process, store_snapshots

pytestmark = pytest.mark.django_db

REQUEST, PROXY = "django.core.handlers.wsgi.WSGIRequest", "django.utils.functional.lazy.<locals>.__proxy__"


def kept_requests(seed, begin=0):
    """A request that is kept brings lists, dicts and proxies, among those that come and go with the traffic."""
    draw = Random(seed)
    handled = {}
    total = 0
    for minute in range(-120, 241):
        total += draw.randrange(20, 45) if minute >= begin else 0
        handled[minute] = total
    around = {
        name: {minute: draw.randrange(width) for minute in handled}
        for name, width in (("dict", 900), ("list", 250), (PROXY, 120), (REQUEST, 6), ("tuple", 500))
    }

    def figures(minutes):
        at, kept = int(minutes), handled[int(minutes)]
        return {
            "types": {
                "dict": 90_000 + 9 * kept + around["dict"][at],
                "list": 20_000 + 4 * kept + around["list"][at],
                "tuple": 40_000 + 2 * kept + around["tuple"][at],
                PROXY: 1_500 + 3 * kept + around[PROXY][at],
                REQUEST: 1 + kept + around[REQUEST][at],
            }
        }

    return figures


def watch(process, figures, begin, end, *, every=1):
    """A snapshot a minute; leaks and alerts are looked for every so many minutes."""
    for minute in range(begin, end, every):
        now = NOON + (minute + every - 1) * MINUTE
        store_snapshots(process, NOON + minute * MINUTE, now, figures)
        judging.detect(now)
        alerts.check(now)


@pytest.mark.parametrize(("seed", "every"), [(0, 2), (1, 5), (2, 5), (3, 5)])
def test_a_request_that_is_kept_is_one_leak_and_one_alert_whatever_leads(seed, every):
    process = store_process(started=NOON - 2 * timedelta(hours=1))
    figures = kept_requests(seed)
    store_snapshots(process, NOON - timedelta(hours=1), NOON - MINUTE, figures)
    watch(process, figures, 0, 100, every=every)
    leak = Leak.objects.get()
    assert leak.state == "open"
    assert leak.object_type == REQUEST
    kinds = list(LeakEvent.objects.values_list("kind", flat=True))
    assert not {"resolved", "reopened"} & set(kinds)
    assert kinds.count("detected") == 1
    assert len({alert.subject for alert in Alert.objects.filter(type="leak")}) == 1
    assert REQUEST in Alert.objects.raised().get(type="leak").message


def lists_then_requests(minutes):
    """Lists alone until NOON; then it is seen that as many requests grow, which no census had reported."""
    at = int(minutes) + 120
    types = {"list": 3_000 + 60 * at + at % 7}
    if minutes >= 0:
        types[REQUEST] = 30 * at + at % 3
    return {"types": types}


@pytest.fixture
def found_as_lists():
    process = store_process()
    store_snapshots(process, NOON - timedelta(hours=1), NOON - MINUTE, lists_then_requests)
    judging.detect(NOON - MINUTE)
    assert Leak.objects.get().object_type == "list"
    return process


def test_a_name_that_says_more_is_taken_over_with_all_that_hangs_on_the_row(found_as_lists, admin_user):
    before = actions.acknowledge(Leak.objects.get(), by=admin_user, comment="looking", now=NOON - MINUTE)
    watch(found_as_lists, lists_then_requests, 0, 30)
    leak = Leak.objects.get()
    assert (leak.pk, leak.object_type, leak.state) == (before.pk, REQUEST, "acknowledged")
    assert (leak.started_at, leak.detected_at) == (before.started_at, before.detected_at)
    assert list(leak.events.values_list("kind", flat=True)) == ["detected", "acknowledged", "renamed"]
    assert leak.events.last().comment == f"from list to {REQUEST}, which grows for the same reason"
    assert "list" in leak.evidence["grows_with"]


def test_the_alert_of_a_renamed_leak_says_its_new_name_and_is_raised_once(found_as_lists):
    alerts.check(NOON - MINUTE)
    alert = Alert.objects.get(type="leak")
    assert "list leaks" in alert.message
    watch(found_as_lists, lists_then_requests, 0, 30)
    again = Alert.objects.get(type="leak")
    assert (again.pk, again.cleared_at) == (alert.pk, None)
    assert f"{REQUEST} leaks" in again.message


def test_what_is_expected_takes_no_leak_over(found_as_lists):
    ExpectedGrowth.objects.create(type_pattern=REQUEST, reason="kept on purpose")
    watch(found_as_lists, lists_then_requests, 0, 30)
    assert Leak.objects.get(state="suppressed").object_type == REQUEST


def test_another_leak_of_the_host_beside_the_first_is_a_leak_of_its_own():
    def two(minutes):
        late = max(0.0, minutes)
        wobble = int(minutes * 7) % 5
        return {"types": {"shop.Quote": int(500 + 40 * (minutes + 60)) + wobble, "shop.Audit": int(20 + 70 * late)}}

    process = store_process()
    store_snapshots(process, NOON - timedelta(hours=1), NOON, two)
    judging.detect(NOON)
    watch(process, two, 1, 45)
    assert set(Leak.objects.values_list("object_type", "state")) == {("shop.Quote", "open"), ("shop.Audit", "open")}


def test_a_leak_whose_memory_goes_on_under_a_name_that_says_less_is_renamed_after_a_window():
    """The host's class stops, and what grew in step with it goes on by itself."""

    def figures(minutes):
        at = minutes + 60
        own = min(at, 58)
        return {"types": {"shop.Entry": int(100 + 40 * own), "dict": int(9_000 + 200 * at) + int(minutes) % 3}}

    process = store_process()
    store_snapshots(process, NOON - timedelta(hours=1), NOON - MINUTE, figures)
    judging.detect(NOON - MINUTE)
    leak = Leak.objects.get()
    assert leak.object_type == "shop.Entry"
    watch(process, figures, 0, 150, every=3)
    after = Leak.objects.get()
    assert (after.pk, after.object_type, after.state) == (leak.pk, "dict", "open")
    assert list(after.events.values_list("kind", flat=True)) == ["detected", "renamed"]


def test_what_a_recording_takes_is_no_growth():
    def figures(minutes):
        recorded = 25 <= minutes <= 45
        return {"types": {"shop.Trace": 500 + recorded * int(400 * (minutes - 24))}}

    process = store_process()
    store_snapshots(process, NOON, NOON + 45 * MINUTE, figures)
    Recording.objects.create(
        wire_id="0" * 16, kind="allocations", process=process, state="running", started_at=NOON + 24.5 * MINUTE,
        deadline=NOON + 60 * MINUTE,
    )  # fmt: skip
    judging.detect(NOON + 45 * MINUTE)
    assert not Leak.objects.exists()
    Recording.objects.all().delete()
    judging.detect(NOON + 45 * MINUTE)
    assert Leak.objects.get().object_type == "shop.Trace"
