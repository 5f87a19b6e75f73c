"""What became of the leaks that were found: by the last decision of a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from memwatch.models import ExpectedGrowth, LeakEvent
from memwatch.queries.track_record import track_record
from memwatch.services.leaks import actions
from memwatch.services.leaks.endings import end_leaks
from tests.api.rows import store_leak
from tests.services.stored import NOON, store_process

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga")


def outcomes() -> dict[str, str]:
    return {finding.what: finding.outcome for finding in track_record().findings}


def test_people_confirm_and_dismiss_and_memwatch_does_neither(olga: User) -> None:
    process = store_process()
    for name in ("Acknowledged", "Resolved", "Suppressed", "Ended", "Open"):
        store_leak(process, name, probability=0.9)
    rows = {leak.object_type: leak for leak in process.leaks.all()}
    actions.acknowledge(rows["Acknowledged"], by=olga)
    actions.resolve(rows["Resolved"], by=olga)
    actions.suppress(rows["Suppressed"], by=olga, reason="a cache")
    LeakEvent.objects.create(leak=rows["Ended"], kind="resolved", comment="it no longer grows")
    type(rows["Ended"]).objects.filter(pk=rows["Ended"].pk).update(state="resolved")
    assert outcomes() == {
        "Acknowledged": "confirmed",
        "Resolved": "confirmed",
        "Suppressed": "dismissed",
        "Ended": "over",
        "Open": "open",
    }


def test_the_last_decision_counts(olga: User) -> None:
    leak = store_leak(store_process())
    actions.acknowledge(leak, by=olga, now=NOON)
    actions.suppress(leak, by=olga, reason="a cache", now=NOON + timedelta(hours=1))
    assert outcomes() == {leak.object_type: "dismissed"}
    actions.reopen(leak, by=olga, now=NOON + timedelta(hours=2))
    assert outcomes() == {leak.object_type: "confirmed"}


def test_a_decision_outlives_its_user(olga: User) -> None:
    actions.suppress(store_leak(store_process()), by=olga, reason="a cache")
    olga.delete()
    assert list(outcomes().values()) == ["dismissed"]


def test_a_type_in_several_processes_is_one_leak_and_a_decision_on_one_holds_for_all(olga: User) -> None:
    first, second = store_leak(store_process("web")), store_leak(store_process("web", slot=2))
    store_leak(store_process("worker"))
    actions.acknowledge(first, by=olga)
    end_leaks([second.process], NOON)
    found = [(each.service, each.outcome) for each in track_record().findings]
    assert sorted(found) == [("web", "confirmed"), ("worker", "open")]
    assert [each.service for each in track_record("worker").findings] == ["worker"]


def test_growth_that_a_rule_suppressed_from_the_first_was_never_told(olga: User) -> None:
    process = store_process()
    rule = ExpectedGrowth.objects.create(type_pattern="shop.*", reason="x")
    leak = store_leak(process, state="suppressed", expected_growth=rule)
    LeakEvent.objects.create(leak=leak, kind="suppressed")
    assert track_record().found == 0


def test_it_takes_one_query(django_assert_num_queries: Any) -> None:
    for slot in (1, 2, 3):
        store_leak(store_process(slot=slot))
    with django_assert_num_queries(1):
        assert track_record().found == 1
