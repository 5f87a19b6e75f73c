"""What is said of a process before its objects are known: does it grow, and was it counted often enough?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from memwatch.models import Leak, Process
from memwatch.services.leaks import judging
from tests.services.stored import MINUTE, NOON, growing, store_process, store_snapshots

pytestmark = pytest.mark.django_db


def grows(kib_a_minute: float, *, counted_every: int = 1, since: float = -60) -> Callable[[float], Mapping[str, Any]]:
    """RSS rises from ``since`` on; objects are counted with every n-th snapshot."""

    def figures(minutes: float) -> Mapping[str, Any]:
        found: dict[str, Any] = {"rss_kib": 300_000 + round(kib_a_minute * max(0.0, minutes - since))}
        if round(minutes) % counted_every:
            found |= {"total_objects": None, "counts": None}
        return found

    return figures


def judged(process: Process, now: datetime = NOON) -> Process:
    judging.detect(now)
    process.refresh_from_db()
    return process


def test_the_leak_that_explains_the_growth_begins_when_the_growth_was_told() -> None:
    """Growth is told in ten minutes, by memory alone; the leak's own figures begin later, with its first census."""
    process = store_process(started=NOON - 60 * MINUTE)
    store_snapshots(process, NOON - 20 * MINUTE, NOON, growing(-20, 400))
    told = Process.objects.filter(pk=process.pk).update
    told(growing_since=NOON - 50 * MINUTE, growth_kib_per_hour=90_000)
    judging.detect(NOON)
    assert Leak.objects.get().started_at == NOON - 50 * MINUTE


def test_a_process_that_grows_says_so_within_ten_minutes_without_any_census() -> None:
    process = store_process(started=NOON - 10 * MINUTE)
    store_snapshots(process, NOON - 10 * MINUTE, NOON, grows(9_000, counted_every=1_000, since=-10))
    judged(process)
    assert process.growing_since is not None
    assert process.growing_since <= NOON - 8 * MINUTE
    assert process.growth_kib_per_hour == pytest.approx(9_000 * 60, rel=0.05)
    assert not process.leaks_known
    assert Leak.objects.count() == 0


def test_growth_that_ends_is_taken_back() -> None:
    process = store_process()
    store_snapshots(process, NOON - 60 * MINUTE, NOON, grows(9_000))
    assert judged(process).growing_since is not None
    began = process.growing_since
    store_snapshots(process, NOON + MINUTE, NOON + 5 * MINUTE, grows(9_000))
    assert judged(process, NOON + 5 * MINUTE).growing_since == began
    store_snapshots(process, NOON + 6 * MINUTE, NOON + 30 * MINUTE, grows(0))
    assert judged(process, NOON + 30 * MINUTE).growing_since is None
    assert process.growth_kib_per_hour is None


def test_leaks_are_known_only_with_enough_censuses_for_a_verdict() -> None:
    seldom, often = store_process(slot=1), store_process(slot=2)
    store_snapshots(seldom, NOON - 60 * MINUTE, NOON, grows(0, counted_every=20))
    store_snapshots(often, NOON - 60 * MINUTE, NOON, grows(0))
    judged(seldom)
    often.refresh_from_db()
    assert (seldom.leaks_known, often.leaks_known) == (False, True)
    assert seldom.census_interval_s == pytest.approx(1200, rel=0.4)
    assert often.census_interval_s == pytest.approx(60, rel=0.1)


def test_what_has_not_changed_is_not_written_again(django_assert_num_queries: Any) -> None:
    process = store_process()
    store_snapshots(process, NOON - 60 * MINUTE, NOON, growing(-120, 0))
    judged(process)
    seen = Process.objects.get(pk=process.pk)
    from memwatch.services.leaks.growth import update_growth

    with django_assert_num_queries(1):
        update_growth([seen], NOON, interval_s=60, window=60 * MINUTE)


def test_a_process_without_snapshots_of_the_last_hour_is_not_known() -> None:
    process = store_process(leaks_known=True, growing_since=NOON - 60 * MINUTE, growth_kib_per_hour=1)
    judged(process)
    assert (process.leaks_known, process.growing_since) == (False, None)
