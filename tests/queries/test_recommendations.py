"""What the last week says of a service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.utils import timezone

from memwatch.models import Process, Service
from memwatch.queries.recommendations import MOST_ASKED, MOST_LIVES, advice_of, advice_of_all, facts_of
from memwatch.recommendations import plan
from memwatch.recommendations.facts import CONTAINER, HOST, PROCESS
from tests.services.stored import MINUTE, store_process
from tests.services.stored_lives import store_lives, store_peaks

pytestmark = pytest.mark.django_db
Counted = Callable[[int], AbstractContextManager[Any]]


def facts(name: str = "web") -> Any:
    return facts_of([Service.objects.get(name=name)], timezone.now())[0]


def test_a_leaking_service_gets_its_numbers() -> None:
    now = timezone.now()
    process = store_lives(now)[-1]
    store_peaks(process, now)
    Process.objects.filter(ended_at=None).update(server_settings={"server": "gunicorn", "max_requests": 1000})
    advice = advice_of(process.service, now)
    row = advice.setting("max_requests")
    assert advice.state == plan.RECYCLE
    assert row is not None
    assert row.current == 1000
    # 819 MB less two workers of 150 MB, less the peaks of 33 and 1 MB, by two workers that grow by 42 KiB a job.
    assert row.recommended is not None
    assert 4500 <= row.recommended <= 5600
    assert advice.service.peaks is not None
    assert (advice.service.peaks.calls, advice.service.peaks.highest_job) == (1000, "shop.report")


def test_lives_are_those_of_workers_and_the_parent_counts_once() -> None:
    now = timezone.now()
    store_lives(now, "worker", program="celery child", shared_mb=100.0)
    parent = store_lives(now, "worker", 1, program="celery main", kib_per_job=0, base_mb=120.0, alive=1)[0]
    found = facts("worker")
    assert (len(found.lives), found.workers, found.server) == (6, 2, "celery")
    assert found.parent_mb == pytest.approx(120, abs=1)
    assert found.lives[-1].points[0].rss_mb - found.lives[-1].points[0].private_mb == pytest.approx(100, abs=0.1)
    assert found.lives[-1].jobs == 59 * 20
    assert parent.service.name == "worker"


@pytest.mark.parametrize(
    ("settings", "workers"),
    [
        ({"server": "gunicorn", "workers": 3}, 3),
        ({"server": "gunicorn", "workers": 1}, 2),
        ({"server": "celery", "concurrency": 5, "workers": 9}, 5),
        ({"server": "gunicorn", "workers": "many"}, 2),
        ({"server": "gunicorn", "workers": 2**53}, MOST_ASKED),
        ({}, 2),
    ],
)
def test_a_worker_that_is_just_being_replaced_counts(settings: dict[str, Any], workers: int) -> None:
    """The server says how many there are to be; more than that may run."""
    store_lives(timezone.now())
    Process.objects.update(server_settings=settings)
    assert facts().workers == workers


def test_workers_that_memwatch_recycled_count_as_replaced() -> None:
    store_lives(timezone.now())
    over = Process.objects.exclude(ended_at=None)
    over.update(end_reason=Process.End.RECYCLED)
    before = facts().recycled_per_day
    assert before > 0
    over.update(end_reason=Process.End.RECYCLED_BY_MEMWATCH)
    assert facts().recycled_per_day == before


def test_what_others_of_the_host_take_is_known() -> None:
    now = timezone.now()
    store_lives(now)
    store_lives(now, "worker", 1, program="celery child", kib_per_job=0, base_mb=200.0, alive=1)
    store_lives(now, "far", 1, kib_per_job=0, base_mb=500.0, alive=1, host="b")
    assert facts().others_mb == pytest.approx(200, abs=1)
    assert (facts().sharers, facts("far").sharers) == (2, 1)


@pytest.mark.parametrize(
    ("figures", "kind", "limit_mb"),
    [
        ({"cgroup_limit_kib": 2048 * 1024}, CONTAINER, 2048),
        ({"cgroup_limit_kib": None, "heap_limit_source": "setting"}, PROCESS, 1024),
        ({"cgroup_limit_kib": None, "heap_limit_source": "host"}, HOST, 1024),
        ({"cgroup_limit_kib": None, "heap_limit_kib": None}, CONTAINER, None),
    ],
)
def test_whose_the_limit_is(figures: dict[str, Any], kind: str, limit_mb: float | None) -> None:
    from memwatch.models import Snapshot

    store_lives(timezone.now())
    Snapshot.objects.update(**figures)
    found = facts()
    assert (found.limit_of, found.limit_mb) == (kind, limit_mb)


def test_of_long_lives_the_hourly_roll_ups_are_read() -> None:
    from memwatch.models import SnapshotRollup

    now = timezone.now()
    process = store_lives(now, lives=1, alive=1, minutes=10)[0]
    process.started_at = now - 20 * 60 * MINUTE
    process.save()
    for hour in range(18):
        SnapshotRollup.objects.create(
            process=process, period="hour", start=process.started_at + hour * 60 * MINUTE, samples=60, floors={},
            figures={"rss_kib": [1024 * hour, 0, 0], "requests_handled": [0, 10 * hour, 0], "uss_kib": [512, 0, 0]},
        )  # fmt: skip
    points = facts().lives[0].points
    assert [point.rss_mb for point in points] == [*range(18)]
    assert points[17].jobs == 170
    assert points[17].private_mb == 0.5


def test_rows_without_figures_are_no_obstacle() -> None:
    store_process("empty")
    bare = store_process("bare", program="gunicorn worker")
    bare.server_settings = {}
    bare.save()
    Service.objects.create(name="gone")
    names = ["empty", "bare", "gone"]
    found = advice_of_all([Service.objects.get(name=name) for name in names], timezone.now())
    assert [each.state for each in found] == [plan.UNKNOWN] * 3
    assert [len(each.service.lives) for each in found] == [1, 1, 0]


def test_as_many_queries_for_many_processes_as_for_few(django_assert_max_num_queries: Counted) -> None:
    now = timezone.now()
    for name in ("web", "api", "shop"):
        store_lives(now, name, 12, minutes=10)
    for slot in range(200):
        store_process("big", slot=slot + 1, program="gunicorn worker", host=f"h{slot % 20}")
    services = list(Service.objects.all())
    with django_assert_max_num_queries(7):
        found = facts_of(services, now)
    assert {each.name: len(each.lives) for each in found} == {"web": 12, "api": 12, "shop": 12, "big": MOST_LIVES}
    assert {each.name: each.workers for each in found}["big"] == 10
