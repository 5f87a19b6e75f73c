from __future__ import annotations

import contextlib

import pytest

from memwatch.models import Lease
from memwatch.services.locking import single_flight
from tests.reports import at

pytestmark = pytest.mark.django_db


def test_of_two_callers_one_gets_the_lease() -> None:
    with single_flight("ingest", 60) as first:
        with single_flight("ingest", 60) as second, single_flight("prune", 60) as other:
            assert (first, second, other) == (True, False, True)
        with single_flight("ingest", 60) as again:
            assert not again, "leaving does not take it from its holder"


def test_a_lease_is_released_after_its_block_and_after_an_exception() -> None:
    for _attempt in range(2):
        assert _fails_holding("ingest")
    row = Lease.objects.get(name="ingest")
    assert row.holder == ""
    assert row.last_finished_at is not None


def _fails_holding(name: str) -> bool:
    seen = []
    with contextlib.suppress(ZeroDivisionError), single_flight(name, 60) as held:
        seen.append(held)
        raise ZeroDivisionError
    return seen == [True]


def test_the_lease_of_a_killed_worker_expires() -> None:
    Lease.objects.create(name="ingest", holder="a dead worker", expires_at=at(60))
    with single_flight("ingest", 60, now=at(59)) as early:
        assert not early
    with single_flight("ingest", 60, now=at(60)) as late:
        assert late


def test_a_clock_set_back_by_an_hour_blocks_nobody() -> None:
    with single_flight("ingest", 60, now=at(3600)) as before:
        with single_flight("ingest", 60, now=at(3590)) as beside:
            assert (before, beside) == (True, False), "clocks of two hosts may differ a little"
        with single_flight("ingest", 60, now=at(0)) as after:
            assert after, "its holder was killed before the clock was set back"


def test_what_was_given_back_is_free_whatever_the_clock_says() -> None:
    Lease.objects.create(name="ingest", holder="", expires_at=at(50))
    with single_flight("ingest", 60, now=at(0)) as held:
        assert held


def test_a_holder_past_its_lease_leaves_the_next_holder_alone() -> None:
    with single_flight("ingest", 60, now=at(0)) as slow, single_flight("ingest", 10**9, now=at(61)) as successor:
        assert slow
        assert successor
        Lease.objects.filter(name="ingest").update(holder="the successor")
    assert Lease.objects.get(name="ingest").holder == "the successor"
