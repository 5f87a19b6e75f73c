"""Jobs of reports become hours and days of their service, each call once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Sum

from memwatch.models import Snapshot, WorkName, WorkRollup
from memwatch.records import MemorySnapshot
from memwatch.records.work import OTHER, WorkFigures
from memwatch.services.ingest import work
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import Hub
from tests.reports import at, process, report, snapshot

pytestmark = pytest.mark.django_db


def view(name: str = "shop:order", calls: int = 1, **figures: Any) -> WorkFigures:
    return WorkFigures("view", name, calls=calls, **figures)


def worked(at_s: float, *works: WorkFigures) -> MemorySnapshot:
    return snapshot(at_s, work=works)


def hour(name: str = "shop:order") -> WorkRollup:
    return WorkRollup.objects.get(work__name=name, period="hour")


def test_calls_are_added_up_by_hour_and_day(hub: Hub, send: Any) -> None:
    first = view(calls=3, blocks_calls=2, blocks=40, blocks_squares=1000.0, blocks_max=30, seconds=0.5, seconds_max=0.4)
    more = view(calls=2, blocks_calls=2, blocks=-10, blocks_squares=50.0, blocks_max=-5, seconds=0.2, seconds_max=0.1)
    send(report(snapshots={0: worked(5, first), 1: worked(65, more)}))
    ingest_reports(hub=hub, now=at(70))
    row = hour()
    assert (row.calls, row.blocks_calls, row.blocks, row.blocks_max) == (5, 4, 30, 30)
    assert row.seconds == pytest.approx(0.7)
    assert row.seconds_max == 0.4
    assert (row.start, str(row.service)) == (at(0), "web")
    day = WorkRollup.objects.get(period="day")
    assert (day.calls, day.start) == (5, at(-12 * 3600))


def test_what_comes_later_is_added_and_a_second_delivery_is_not(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: worked(5, view(calls=3))}))
    ingest_reports(hub=hub, now=at(6))
    send(report(snapshots={0: worked(5, view(calls=3)), 1: worked(65, view(calls=4), view("shop:list", calls=1))}))
    ingest_reports(hub=hub, now=at(66))
    assert hour().calls == 7
    assert hour("shop:list").calls == 1
    assert WorkName.objects.count() == 2


def test_histograms_and_the_process_of_the_highest_peak_are_kept(hub: Hub, send: Any) -> None:
    spans = [f"{trace:032x}-{1:016x}" for trace in (1, 2)]
    low = view(peak_calls=1, peak_kib_max=100, peak_counts={"49": 1}, peak_rss_kib=5_000, peak_trace=spans[0])
    high = view(
        peak_calls=2, peak_kib_max=300_000, peak_counts={"49": 1, "133": 1}, peak_rss_kib=400_000, peak_trace=spans[1]
    )
    send(report(process(1), {0: worked(5, high)}), report(process(2), {0: worked(5, low)}))
    ingest_reports(hub=hub, now=at(6))
    row = hour()
    assert row.peak_counts == {"49": 2, "133": 1}
    assert (row.peak_kib_max, row.peak_rss_kib) == (300_000, 400_000)
    assert row.peak_process is not None
    assert row.peak_process.pid == 1
    assert row.peak_trace == spans[1]


def test_the_snapshot_keeps_the_calls_by_name(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: worked(5, view(calls=3), WorkFigures("task", "shop.sync", calls=2)), 1: worked(65)}))
    ingest_reports(hub=hub, now=at(66))
    ids = {name.name: str(name.pk) for name in WorkName.objects.all()}
    first, second = Snapshot.objects.order_by("seq")
    assert first.work == {ids["shop:order"]: 3, ids["shop.sync"]: 2}
    assert second.work is None


def test_a_view_and_a_task_of_one_name_are_two(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: worked(5, view("sync"), WorkFigures("task", "sync", calls=2))}))
    ingest_reports(hub=hub, now=at(6))
    assert sorted(WorkRollup.objects.filter(period="hour").values_list("work__kind", "calls")) == [
        ("task", 2),
        ("view", 1),
    ]


def test_a_clock_ahead_fills_no_hours_to_come(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: worked(10 * 86_400, view())}))
    ingest_reports(hub=hub, now=at(5))
    assert hour().start == at(0)


def test_made_up_names_do_not_fill_the_table(hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MAX_NAMES", 5)
    for number in range(4):
        send(report(process(number), {0: worked(5, *(view(f"made-up-{number}-{n}") for n in range(3)))}))
        ingest_reports(hub=hub, now=at(6))
    assert WorkName.objects.exclude(name=OTHER).count() == 5
    assert hour(OTHER).calls == 7


def test_made_up_names_of_earlier_days_do_not_fill_the_table(
    hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_NAMES", 5)
    monkeypatch.setattr(work, "MAX_KEPT", 10)
    for number in range(8):
        names = (view(f"made-up-{number}-{n}") for n in range(3))
        send(report(process(number), {0: worked(5 - number * 86_400, *names)}))
        ingest_reports(hub=hub, now=at(6))
    assert WorkName.objects.count() in (10, 11)  # with that of the others
    assert WorkRollup.objects.filter(period="hour").aggregate(Sum("calls")) == {"calls__sum": 24}


def test_many_names_take_a_bounded_number_of_queries(hub: Hub, send: Any, django_assert_max_num_queries: Any) -> None:
    def many(seq: int) -> MemorySnapshot:
        return worked(5 + 60 * seq, *(view(f"v{n}") for n in range(150)))

    send(report(snapshots={0: many(0)}))
    ingest_reports(hub=hub, now=at(6))
    send(*(report(process(pid), {1: many(1)}) for pid in range(100, 110)))
    with django_assert_max_num_queries(80):
        ingest_reports(hub=hub, now=at(66))
    assert hour("v149").calls == 11
