"""Totals of work: they never fall, and the busiest names have one of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwatch.models import Process, WorkName, WorkTotal
from memwatch.records import MemorySnapshot
from memwatch.records.work import OTHER
from memwatch.services.ingest import work, work_totals
from memwatch.services.retention import prune
from tests.services.stored import MINUTE, NOON, store_process
from tests.services.stored_work import figures

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def worker() -> Process:
    return store_process("worker", started=NOON - 9 * DAY)


@pytest.fixture
def three_names(settings: Any) -> None:
    settings.MEMWATCH = {"METRICS_WORK_LIMIT": 3}


def bring(process: Process, *ended: Any, at: Any = NOON) -> None:
    taken = [(process, MemorySnapshot(timestamp=at, work=tuple(ended)))]
    ids = work.intern([snapshot for _process, snapshot in taken], at)
    work.store(taken, ids, at)
    work_totals.store(taken, ids, at)


def calls() -> dict[str, int]:
    return dict(WorkTotal.objects.values_list("work__name", "calls"))


def kept() -> int:
    return WorkTotal.objects.get().kept_kib


def test_calls_add_up_whatever_is_pruned(worker):
    for day in (3, 2, 1):
        bring(worker, figures("sync", 10), figures("mail", 5), at=NOON - day * DAY)
    prune(NOON + 500 * DAY)
    bring(worker, figures("sync", 1))
    assert calls() == {"sync": 1}
    prune(NOON + 30 * DAY)
    assert calls() == {"sync": 1}


def test_kept_memory_is_scaled_to_the_calls_that_ran_alone(worker):
    bring(worker, figures("sync", 100, shared=20, rss_calls=4, rss_kib=40))
    assert kept() == 800


def test_what_comes_and_goes_within_an_hour_is_not_kept(worker):
    for minute in range(50):
        bring(worker, figures("sync", kept_kib=1000 if minute % 2 == 0 else -1000), at=NOON + minute * MINUTE)
    assert kept() == 1000


def test_growth_counts_however_much_is_given_back_before_and_after(worker):
    totals = []
    for step, kib in enumerate((-500, 300, 300, 300, -900, 100, 1000)):
        bring(worker, figures("sync", kept_kib=kib), at=NOON + step * MINUTE)
        totals.append(kept())
    assert totals == [0, 0, 100, 400, 400, 400, 600]


def test_each_hour_begins_anew(worker):
    bring(worker, figures("sync", kept_kib=-10_000))
    bring(worker, figures("sync", kept_kib=70), at=NOON + HOUR)
    assert kept() == 70


def test_names_beyond_the_limit_are_summed_up_by_kind(worker, three_names):
    bring(worker, *(figures(f"task_{number}", 10 - number) for number in range(6)))
    bring(worker, figures("task_5", 100), figures("order", 7, kind="view"), figures("task_0"))
    rows = WorkTotal.objects.values_list("work__kind", "work__name", "calls")
    assert set(rows) == {
        ("task", "task_0", 11), ("task", "task_1", 9), ("task", "task_2", 8), ("task", OTHER, 118), ("view", OTHER, 7),
    }  # fmt: skip


def test_each_service_has_its_own_limit(worker, three_names):
    web = store_process("web")
    for process in (worker, web):
        bring(process, *(figures(f"name_{number}") for number in range(3)))
    assert WorkTotal.objects.exclude(work__name=OTHER).count() == 6


def test_a_name_that_is_called_far_more_gets_the_place_of_the_least(worker, three_names):
    bring(worker, figures("old", 3), figures("a", 90), figures("b", 80))
    bring(worker, *(figures(f"busy_{number}", 100 + number) for number in range(2)))
    before = calls()
    work_totals.choose_names(NOON + HOUR)
    assert calls() == before, "the least is among twice the limit, and stays"
    bring(worker, *(figures(f"busy_{number}", 100 + number) for number in range(2, 6)))
    others = calls()[OTHER]
    work_totals.choose_names(NOON + HOUR)
    assert calls() == {"busy_5": 0, "busy_4": 0, "busy_3": 0, OTHER: others}
    bring(worker, figures("busy_5", 2), figures("old", 1))
    assert (calls()["busy_5"], calls()[OTHER]) == (2, others + 1)


def test_those_that_stay_busy_keep_their_places(worker, three_names):
    bring(worker, figures("a", 90), figures("b", 80), figures("c", 70))
    bring(worker, figures("d", 100))
    for hour in range(5):
        work_totals.choose_names(NOON + hour * HOUR)
    assert sorted(calls()) == [OTHER, "a", "b", "c"]


def test_a_lower_limit_lets_the_least_go(worker, settings):
    bring(worker, figures("a", 90), figures("b", 80), figures("c", 70))
    settings.MEMWATCH = {"METRICS_WORK_LIMIT": 1}
    prune(NOON + HOUR)
    assert calls() == {"a": 90}


def test_the_others_stay_when_their_names_are_pruned(worker, three_names):
    bring(worker, *(figures(f"task_{number}", 10 - number) for number in range(6)))
    assert prune(NOON + 500 * DAY).work_names == 6
    assert calls() == {OTHER: 18}
    assert WorkName.objects.get().name == OTHER


def test_a_hostile_process_cannot_stop_the_counting(worker):
    for step in range(3):
        huge = figures("sync", 10**15, rss_calls=1, rss_kib=10**15)
        bring(worker, *([huge] * 40), at=NOON + step * MINUTE)
    row = WorkTotal.objects.get()
    assert row.calls == 120 * 10**15
    assert row.kept_kib == work.MOST
