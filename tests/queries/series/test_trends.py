"""The last hours of services at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memwatch import queries
from memwatch.models import Process, Service, Snapshot
from memwatch.queries.series.trends import MOST_PROCESSES, TIMES

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _process(service: str, slot: int, rss_mb: list[float], *, minutes: float = 1.0) -> Process:
    owner, _new = Service.objects.get_or_create(name=service)
    span = timedelta(minutes=minutes)
    process = Process.objects.create(
        key=f"{service}{slot}", service=owner, host="h", pid=slot, slot_number=slot, lease_expires_at=NOW,
        started_at=NOW - span * len(rss_mb), first_seen_at=NOW,
    )  # fmt: skip
    rows = [
        Snapshot(process=process, seq=at, timestamp=NOW - span * (len(rss_mb) - 1 - at), rss_kib=round(mb * 1024))
        for at, mb in enumerate(rss_mb)
    ]
    process.last_snapshot, process.last_seq = Snapshot.objects.bulk_create(rows)[-1], len(rows) - 1
    process.save()
    return process


@pytest.mark.django_db
def test_a_service_that_leaks_shows_how_fast_it_grows() -> None:
    leaking = _process("shop", 1, [100 + minute for minute in range(120)])
    quiet = _process("web", 1, [100.0] * 120)
    found = queries.recent(queries.fleet(), NOW)
    shop, web = found[leaking.service_id], found[quiet.service_id]
    assert shop.growth_mb_per_hour == pytest.approx(60, rel=0.05)
    assert web.growth_mb_per_hour == 0
    assert len(shop.rss_mb) == TIMES
    assert shop.rss_mb[0] < 110
    assert shop.rss_mb[-1] > 200


@pytest.mark.django_db
def test_processes_seen_for_moments_have_no_growth_yet_and_none_is_no_error() -> None:
    process = _process("shop", 1, [100.0, 140.0], minutes=0.1)
    assert queries.recent(queries.fleet(), NOW)[process.service_id].growth_mb_per_hour is None
    assert queries.recent([], NOW) == {}


@pytest.mark.django_db
def test_what_a_process_loads_at_its_start_is_no_growth() -> None:
    process = _process("shop", 1, [30.0 + 10 * minute for minute in range(5)] + [80.0] * 5, minutes=0.5)
    assert queries.recent(queries.fleet(), NOW)[process.service_id].growth_mb_per_hour is None


@pytest.mark.django_db
def test_of_a_large_fleet_some_processes_are_looked_at_in_one_query() -> None:
    for slot in range(MOST_PROCESSES + 20):
        _process("web", slot, [100.0 + slot] * 3)
    items = queries.fleet()
    with CaptureQueriesContext(connection) as captured:
        (found,) = queries.recent(items, NOW).values()
    assert found.looked_at == MOST_PROCESSES
    assert len(captured) == 1
