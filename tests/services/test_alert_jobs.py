"""Alerts of single jobs: what is read, how long they last, which process they name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memwatch.models import Alert, WorkRollup
from memwatch.records import histogram
from memwatch.records.work import TASK, WorkFigures
from memwatch.services import alerts
from memwatch.services.alert_jobs import job_peaks
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import Hub
from tests.reports import at, report, snapshot
from tests.reports import process as reporter
from tests.services.stored import MINUTE, NOON, end_process, store_process, store_snapshots, store_work

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MB = 1024


@pytest.fixture
def worker():
    process = store_process("worker", started=NOON - 9 * HOUR)
    store_snapshots(process, NOON - 5 * MINUTE, NOON - 5 * MINUTE, lambda _minutes: {"heap_limit_kib": 1000 * MB})
    return process


def store_peak(process, start=NOON, name="shop.tasks.sync", *, rise_mb=400, peak_mb=920, calls=1, usual_mb=None):
    return store_work(
        process, start, name, calls=calls, peak_calls=calls, peak_kib_max=rise_mb * MB, peak_rss_kib=peak_mb * MB,
        peak_counts={str(histogram.bucket((usual_mb or rise_mb) * MB)): calls}, top_process=process,
    )  # fmt: skip


def raised():
    return [(alert.type, alert.severity, alert.process) for alert in Alert.objects.raised().order_by("id")]


def test_a_peak_near_the_limit_raises_an_alert_until_an_hour_has_passed_without_one(worker):
    store_peak(worker)
    assert alerts.check(NOON + 10 * MINUTE).raised == 1
    assert raised() == [("job_peak", "critical", worker)]
    assert "task shop.tasks.sync in worker-1 on a: resident memory reached 920 MB of 1,000 MB" in str(
        Alert.objects.get()
    )
    assert alerts.check(NOON + HOUR + 59 * MINUTE) == alerts.AlertResult()
    assert alerts.check(NOON + 2 * HOUR) == alerts.AlertResult(cleared=1)


def test_the_alert_names_the_trace_of_the_call(worker):
    store_peak(worker)
    WorkRollup.objects.update(peak_trace=f"{'4b' * 16}-{'0f' * 8}")
    alerts.check(NOON + 10 * MINUTE)
    assert Alert.objects.get().message.endswith(f" Trace of the call: {'4b' * 16}.")


def test_it_lasts_although_the_process_has_ended(worker):
    store_peak(worker)
    end_process(worker, NOON + MINUTE)
    alerts.check(NOON + 10 * MINUTE)
    assert raised() == [("job_peak", "critical", worker)]


def test_what_the_others_in_the_container_use_counts_too(worker):
    store_snapshots(worker, NOON, NOON, lambda _minutes: {
        "rss_kib": 100 * MB, "cgroup_used_kib": 700 * MB, "cgroup_limit_kib": 1000 * MB, "heap_limit_kib": 4000 * MB,
    })  # fmt: skip
    store_peak(worker, peak_mb=350, rise_mb=250)
    (job,) = job_peaks(NOON + MINUTE)
    assert (job.peak_mb, job.container_mb, job.container_limit_mb, job.limit_mb) == (350, 950, 1000, 4000)


def test_the_usual_is_that_of_the_name_where_it_was_called_often(worker):
    store_peak(worker, NOON - 2 * HOUR, calls=30, usual_mb=20)
    store_peak(worker, NOON - 2 * HOUR, "shop.tasks.other", calls=100, usual_mb=200)
    store_peak(worker, peak_mb=500)
    jobs = {job.name: job for job in job_peaks(NOON + 10 * MINUTE)}
    assert jobs["shop.tasks.sync"].usual_mb == pytest.approx(20, rel=0.06)
    alerts.check(NOON + 10 * MINUTE)
    assert raised() == [("job_peak", "medium", worker)]


def test_of_a_name_with_few_calls_the_usual_is_that_of_the_others_unless_its_own_were_large(worker):
    store_peak(worker, NOON - 20 * HOUR, "shop.tasks.other", calls=100, usual_mb=20)
    store_peak(worker, peak_mb=500)
    (job,) = job_peaks(NOON + 10 * MINUTE)
    assert job.usual_mb == pytest.approx(20, rel=0.06)
    store_peak(worker, NOON - 23 * HOUR, calls=1, usual_mb=390)
    (job,) = job_peaks(NOON + 10 * MINUTE)
    assert job.usual_mb == pytest.approx(390, rel=0.06)


def test_nothing_is_usual_in_a_service_that_has_hardly_begun(worker):
    store_peak(worker, NOON - 2 * HOUR, "shop.tasks.other", calls=19, usual_mb=1)
    store_peak(worker, NOON - 26 * HOUR, "shop.tasks.older", calls=100, usual_mb=1)
    store_peak(worker, peak_mb=500)
    assert [job.usual_mb for job in job_peaks(NOON + 10 * MINUTE)] == [None]


def test_the_higher_of_both_hours_counts_with_its_process(worker):
    other = store_process("worker", slot=2)
    store_peak(worker, NOON - HOUR, peak_mb=600, rise_mb=500)
    store_peak(other, NOON, peak_mb=700, rise_mb=300)
    (job,) = job_peaks(NOON + 10 * MINUTE)
    assert (job.rise_mb, job.rise_in.id, job.peak_mb, job.peak_in.id) == (500, worker.pk, 700, other.pk)


def test_many_names_need_as_many_queries_as_one(worker):
    for number in range(40):
        store_peak(worker, name=f"shop.tasks.number_{number}")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(job_peaks(NOON + 10 * MINUTE)) == 40
    assert len(queries) == 3


def test_a_report_names_the_process_of_the_highest_rise_and_that_of_the_highest_memory(hub: Hub, send: Any) -> None:
    def work(rise_mb: int, peak_mb: int) -> tuple[WorkFigures, ...]:
        figures = WorkFigures(
            TASK, "sync", calls=1, peak_calls=1, peak_kib_max=rise_mb * MB, peak_rss_kib=peak_mb * MB,
            peak_counts={str(histogram.bucket(rise_mb * MB)): 1},
        )  # fmt: skip
        return (figures,)

    send(
        report(reporter(1), {0: snapshot(work=work(500, 600))}),
        report(reporter(2), {0: snapshot(work=work(100, 700))}),
    )
    ingest_reports(hub=hub, now=at(6))
    send(report(reporter(3), {0: snapshot(work=work(50, 90))}), report(reporter(2), {1: snapshot(60)}))
    ingest_reports(hub=hub, now=at(70))
    row = WorkRollup.objects.get(period="hour")
    assert (row.calls, row.peak_kib_max // MB, row.peak_rss_kib // MB) == (3, 500, 700)
    assert (row.peak_process.pid, row.top_process.pid) == (1, 2)
