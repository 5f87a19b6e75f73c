"""Views, tasks and commands summed up over a range of time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from memwatch.models import WorkRollup
from memwatch.queries import work
from memwatch.queries.work import DAY, HOUR, WorkRow
from memwatch.records.work import COMMAND, VIEW
from tests.services.stored import NOON, store_process
from tests.services.stored_work import figures, store_work

pytestmark = pytest.mark.django_db
SYNC = "shop.tasks.sync_prices"


def _rows(since: datetime, until: datetime, now: datetime = NOON) -> list[WorkRow]:
    rows = work.within(WorkRollup.objects.all(), since, until, now)
    return work.measured(rows, work.summed(rows))


def test_calls_of_several_hours_and_processes_are_summed_by_service_and_name() -> None:
    web, twin, worker = store_process("web"), store_process("web", slot=2), store_process("worker")
    store_work(web, NOON - HOUR, figures(SYNC, 10, kept=2, errors=1))
    store_work(twin, NOON, figures(SYNC, 30, kept=2, shared=4))
    store_work(worker, NOON, figures(SYNC, 5), figures("shop:detail", 7, kind=VIEW))
    found = {(row.service, row.kind, row.name): row for row in _rows(NOON - 2 * HOUR, NOON + HOUR)}
    assert set(found) == {("web", "task", SYNC), ("worker", "task", SYNC), ("worker", "view", "shop:detail")}
    row = found["web", "task", SYNC]
    assert (row.calls, row.errors, row.shared) == (40, 1, 4)
    assert row.kept_blocks_per_call == 2.0


def test_what_was_not_measured_is_unknown_and_not_nothing() -> None:
    store_work(store_process(), NOON, figures(SYNC, 5))
    (row,) = _rows(NOON - HOUR, NOON + HOUR)
    assert row.kept_blocks_per_call is row.kept_kib_per_call is row.peak_mb_p50 is row.peak_mb_max is None
    assert row.seconds_p95 == pytest.approx(0.1, rel=0.05)


def test_kept_per_call_is_of_the_measured_calls_alone() -> None:
    process = store_process()
    store_work(process, NOON, figures(SYNC, 10, kept=6, kept_kib=-3), figures(SYNC, 90))
    (row,) = _rows(NOON - HOUR, NOON + HOUR)
    assert (row.calls, row.kept_blocks_per_call, row.kept_kib_per_call) == (100, 6.0, -3.0)


def test_quantiles_of_peaks_are_within_five_percent_and_never_above_the_maximum() -> None:
    process = store_process()
    store_work(process, NOON - HOUR, figures(SYNC, 90, peak_kib=10 * 1024, seconds=0.2))
    store_work(process, NOON, figures(SYNC, 10, peak_kib=300 * 1024, seconds=4.0))
    (row,) = _rows(NOON - 2 * HOUR, NOON + HOUR)
    assert row.peak_mb_p50 == pytest.approx(10, rel=0.05)
    assert row.peak_mb_p95 == pytest.approx(300, rel=0.05)
    assert row.peak_mb_max == 300
    assert row.peak_mb_p95 is not None
    assert row.peak_mb_p95 <= row.peak_mb_max
    assert row.seconds_p95 == pytest.approx(4.0, rel=0.05)


def test_the_process_of_the_highest_peak_is_known() -> None:
    web, twin = store_process(), store_process(slot=2)
    store_work(web, NOON - HOUR, figures(SYNC, peak_kib=9_000))
    store_work(twin, NOON - 2 * HOUR, figures(SYNC, peak_kib=90_000))
    store_work(web, NOON, figures(SYNC, peak_kib=8_000), figures("shop.tasks.mail"))
    found = {row.name: row.peak_process_id for row in _rows(NOON - 3 * HOUR, NOON + HOUR)}
    assert found == {SYNC: twin.pk, "shop.tasks.mail": None}


def test_whatever_the_range_each_call_is_counted_once() -> None:
    process = store_process()
    calls = {NOON - age * timedelta(hours=7): age + 1 for age in range(330)}
    for at, count in calls.items():
        store_work(process, at, figures(SYNC, count))
    kept = work._hours_kept(NOON)
    WorkRollup.objects.filter(period="hour", start__lt=kept).delete()
    for days in (0.5, 1, 2.4, 20, 29, 31, 90):
        since, until = NOON - days * DAY, NOON + HOUR
        begin = work.start_of_hour(since) if since >= kept else work._start_of_day(since)
        (row,) = _rows(since, until)
        assert row.calls == sum(count for at, count in calls.items() if begin <= at < until), days


def test_a_range_before_the_hours_that_are_kept_is_of_whole_days() -> None:
    process = store_process()
    for at, count in ((NOON - 60 * DAY, 5), (NOON - 59 * DAY, 7), (NOON - 58 * DAY, 11)):
        store_work(process, at, figures(SYNC, count))
    WorkRollup.objects.filter(period="hour").delete()
    (row,) = _rows(NOON - 60 * DAY - HOUR, NOON - 59 * DAY - HOUR)
    assert row.calls == 12
    assert _rows(NOON - 90 * DAY, NOON - 80 * DAY) == []


def test_rows_are_ordered_by_any_figure_and_the_unknown_come_last() -> None:
    process = store_process()
    store_work(
        process, NOON,
        figures("a", 3, kept=1, peak_kib=30_000), figures("b", 9, kept=7), figures("c", 6, peak_kib=90_000),
    )  # fmt: skip
    rows = work.within(WorkRollup.objects.all(), NOON - HOUR, NOON + HOUR, NOON)

    def names(by: str, *, reverse: bool = False) -> str:
        return "".join(row.name for row in work.ordered(rows, by, reverse=reverse))

    assert names("calls", reverse=True) == "bca"
    assert names("name") == "abc"
    assert names("kept_blocks_per_call", reverse=True) == "bac"
    assert names("kept_blocks_per_call") == "abc"
    assert names("peak_mb_p95", reverse=True) == "cab"
    for by in work.ORDERS:
        assert sorted(names(by)) == ["a", "b", "c"]


def test_as_many_queries_for_many_names_and_days_as_for_one(django_assert_num_queries: Any) -> None:
    process = store_process()
    for day in range(20):
        store_work(process, NOON - day * DAY, *(figures(f"task_{number}", 1) for number in range(20)))
    since, until = NOON - 19.5 * DAY, NOON + HOUR
    rows = work.within(WorkRollup.objects.all(), since, until, NOON)
    with django_assert_num_queries(1):
        found = work.ordered(rows, "calls")
    assert len(found) == 20
    with django_assert_num_queries(1):
        work.measured(rows, found)
    with django_assert_num_queries(1):
        work.courses(WorkRollup.objects.all(), found, since, until, NOON)
    with django_assert_num_queries(0):
        work.measured(rows, [])
        work.courses(WorkRollup.objects.all(), [], since, until, NOON)


def test_the_course_has_a_step_for_each_hour_also_for_those_without_a_call() -> None:
    process = store_process()
    store_work(process, NOON - 3 * HOUR, figures(SYNC, 10, kept=2), figures(SYNC, 10))
    store_work(process, NOON, figures(SYNC, 4))
    since = NOON - 4 * HOUR
    found = work.summed(work.within(WorkRollup.objects.all(), since, NOON + HOUR, NOON))
    (course,) = work.courses(WorkRollup.objects.all(), found, since, NOON + HOUR, NOON).values()
    assert course.step == HOUR
    assert course.calls == (0, 20, 0, 0, 4)
    assert course.kept_blocks == (None, 40.0, None, None, None)


def test_a_long_course_is_by_the_day() -> None:
    process = store_process()
    for day in (0, 1, 29):
        store_work(process, NOON - day * DAY, figures(SYNC, day + 1))
    since = NOON - 29 * DAY
    found = work.summed(work.within(WorkRollup.objects.all(), since, NOON + HOUR, NOON))
    (course,) = work.courses(WorkRollup.objects.all(), found, since, NOON + HOUR, NOON).values()
    assert (course.step, len(course.calls)) == (DAY, 30)
    assert (course.calls[0], course.calls[-2:]) == (30, (2, 1))


def test_commands_are_listed_beside_tasks_of_the_same_name() -> None:
    store_work(store_process(), NOON, figures("prune", 1, kind=COMMAND), figures("prune", 2))
    assert [(row.kind, row.calls) for row in _rows(NOON - HOUR, NOON + HOUR)] == [("command", 1), ("task", 2)]


def test_services_with_work_and_the_oldest_work_are_known() -> None:
    assert work.services_with_work() == []
    assert work.first_start() is None
    web, idle = store_process("web"), store_process("idle")
    for at in (NOON - 2 * DAY, NOON):
        store_work(web, at, figures(SYNC))
    assert work.services_with_work() == [(web.service_id, "web")]
    assert work.first_start() == work.first_start(web.service_id) == NOON - 2 * DAY
    assert work.first_start(idle.service_id) is None
    WorkRollup.objects.filter(period="hour", start__lt=NOON).delete()
    assert work.first_start() == (NOON - 2 * DAY).replace(hour=0)
