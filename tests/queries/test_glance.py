"""Thousands of processes at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memwatch import queries
from memwatch.models import Baseline, Process, Service, Snapshot
from memwatch.queries import Glance

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GIB = 1024 * 1024


def _glance(**values: Any) -> Glance:
    known = {
        "pk": 1, "service_id": 1, "service": "web", "host": "a", "slot_number": 1, "outside": False, "started_at": NOW,
        "last_seen_at": NOW, "last_seq": 0, "rss_kib": 1024, "heap_used_kib": 512, "heap_limit_kib": 2 * GIB,
        "limit_source": "cgroup", "census_pause_us": 3000, "snapshot_cpu_us": 9000,
        "growing_since": None, "growth_kib_per_hour": None, "census_interval_s": 60.0, "census_cpu_ms": 8.0,
        "leaks_known": True,
    }  # fmt: skip
    return Glance(**{**known, **values})


def test_a_limit_that_processes_share_counts_once() -> None:
    shared = [_glance(pk=number) for number in range(4)]
    assert queries.memory_limit_mb(shared) == 2048
    elsewhere = _glance(host="b", heap_limit_kib=4 * GIB, limit_source="host")
    alone = [_glance(limit_source="rlimit", heap_limit_kib=GIB) for _number in range(2)]
    assert queries.memory_limit_mb([*shared, elsewhere, *alone]) == 2048 + 4096 + 2048
    assert queries.memory_limit_mb([_glance(heap_limit_kib=None)]) is None


@pytest.mark.django_db
def test_it_sees_the_living_with_their_last_sizes_and_the_drift_from_the_baseline_that_counts() -> None:
    service = Service.objects.create(name="web")

    def process(slot: int, **values: Any) -> Process:
        return Process.objects.create(
            key=str(slot), service=service, host="h", pid=slot, slot_number=slot,
            **{"started_at": NOW, "lease_expires_at": NOW, **values},
        )  # fmt: skip

    old, new, unseen = process(1), process(2, started_at=NOW + timedelta(hours=2)), process(3)
    process(4, ended_at=NOW)
    for each in (old, new):
        each.last_snapshot = Snapshot.objects.create(
            process=each, seq=0, timestamp=NOW, rss_kib=2048, heap_used_kib=1500, heap_limit_kib=3000
        )
        each.save()
    for owner, used in ((old, 1000), (new, 1000), (None, 500)):
        Baseline.objects.create(
            service=service, process=owner, timestamp=NOW, created_at=NOW + timedelta(hours=1),
            automatic=owner is not None, heap_used_kib=used,
        )  # fmt: skip
    found = {item.pk: item for item in queries.glance()}
    assert found.keys() == {old.pk, new.pk, unseen.pk}
    assert (found[old.pk].slot, found[old.pk].rss_kib, found[old.pk].heap_percent) == ("web-1", 2048, 50.0)
    assert (found[unseen.pk].rss_kib, found[unseen.pk].heap_percent) == (None, None)
    assert queries.heap_drifts(list(found.values())) == {old.pk: 50.0, new.pk: 200.0}
