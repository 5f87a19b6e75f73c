"""Ends that were not meant, and what was running when others ended."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.detection.deaths import REASONS
from memwatch.models import Process
from memwatch.queries.processes import deaths
from tests.services.stored import MINUTE, NOON, end_process, store_process
from tests.services.stored_deaths import store_death

pytestmark = pytest.mark.django_db

DAY = 24 * 60 * MINUTE


def test_earlier_says_in_how_many_ends_of_the_service_the_job_was_running(django_assert_num_queries: Any) -> None:
    rows = [store_death(at=NOON - n * MINUTE) for n in range(9)]
    other = store_death(at=NOON - DAY, job="shop.other")
    idle = store_death(at=NOON - DAY, job="")
    store_death(at=NOON - 8 * DAY)
    store_death("worker", at=NOON)
    store_death(at=NOON, reason=Process.End.HOST_GONE)
    store_death(at=NOON, reason=Process.End.RECYCLED)
    with django_assert_num_queries(1):
        found = deaths.earlier_of([*rows, other, idle], NOON)
    assert found[rows[0].pk] == "`shop.sync` was running in 9 of 11 deaths of the last week"
    assert found[other.pk] == "`shop.other` was running in 1 of 11 deaths of the last week"
    assert idle.pk not in found


def test_the_first_death_has_no_earlier_ones() -> None:
    assert deaths.earlier(store_death(), NOON) == ""


def test_without_a_job_nothing_is_asked(django_assert_num_queries: Any) -> None:
    gone = store_process()
    end_process(gone, NOON, Process.End.STALE)
    with django_assert_num_queries(0):
        assert deaths.earlier(gone, NOON) == ""
    (death,) = deaths.deaths_of([gone], NOON)
    assert (death.job, death.signal, death.rss_mb, death.evidence) == (None, None, None, {})


def test_unwanted_ends_are_those_that_were_not_meant() -> None:
    store_process()
    for reason in Process.End:
        store_death(reason=reason)
    found = set(deaths.unwanted(deaths.ended()).values_list("end_reason", flat=True))
    assert found == {
        "oom_process", "oom_container", "sigkill", "crash", "time_limit", "stale", "unknown", "host_gone"
    }  # fmt: skip


def test_they_are_counted_by_service() -> None:
    store_death(at=NOON - MINUTE)
    store_death(at=NOON)
    store_death(at=NOON, reason=Process.End.STOPPED)
    old = store_death("worker", at=NOON - DAY)
    assert deaths.counted_since(NOON - MINUTE) == {Process.objects.exclude(pk=old.pk)[0].service_id: 2}


@pytest.mark.parametrize("reason", REASONS)
def test_there_is_advice_for_each_reason(reason: str) -> None:
    assert deaths.advice(reason)
    assert all(sentence.endswith(".") for sentence in deaths.advice(reason))


def test_there_is_none_for_what_says_nothing() -> None:
    assert deaths.advice("stale") == deaths.advice("goodbye") == ()
