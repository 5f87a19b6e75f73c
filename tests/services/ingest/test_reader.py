from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import InternalError

from memwatch.models import Baseline, ObjectType, Process, RejectedReport, Service, Snapshot, WorkName, WorkRollup
from memwatch.queries import figures_of, fleet
from memwatch.queries.deployment import counters
from memwatch.queries.series.snapshot_mapping import columns_of
from memwatch.records import MemorySnapshot
from memwatch.records.work import TASK, WorkFigures
from memwatch.sampling.identity import OutsideProcess
from memwatch.services import retention
from memwatch.services.ingest import processes, reader, work, writer
from memwatch.services.ingest import reader as rejects
from memwatch.services.ingest.reader import READ_AT_ONCE, IngestResult, ingest_reports
from memwatch.transport import Hub
from tests.reports import at, process, report, snapshot

pytestmark = pytest.mark.django_db


def test_a_report_becomes_rows_with_the_same_figures(hub: Hub, send: Any) -> None:
    taken = snapshot(5, counts={"dict": 9_000, "shop.Quote": 12}, backfill={"shop.Quote": 3}, uss_mb=50.25)
    send(report(snapshots={0: taken}))

    assert ingest_reports(hub=hub, now=at(6)) == IngestResult(reports=1, snapshots=1)

    row = Snapshot.objects.get()
    found = figures_of(row)
    assert found.to_dict() == {
        **taken.to_dict(),
        **{
            name: found.to_dict()[name]
            for name in ("heap_free_mb", "heap_percent", "fragmentation_percent", "malloc_used_mb")
        },
    }
    assert (found.heap_free_mb, found.heap_percent) == (960, 6.25)
    assert (found.fragmentation_percent, found.malloc_used_mb) == (20, 16)
    assert row.received_at == at(6)
    assert row.process.last_snapshot == row
    assert str(row.process.slot) == "web-1"
    assert row.process.lease_expires_at == at(6 + 180)


def test_what_was_ingested_is_acknowledged(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: snapshot()}))
    ingest_reports(hub=hub)
    assert hub.state().backlog == 0
    assert ingest_reports(hub=hub) == IngestResult()


def test_a_second_delivery_is_counted_and_changes_nothing(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: snapshot(), 1: snapshot(60)}, dropped=3))
    ingest_reports(hub=hub)
    send(report(snapshots={0: snapshot(), 1: snapshot(60)}, dropped=3), report(snapshots={2: snapshot(120)}, dropped=3))

    assert ingest_reports(hub=hub) == IngestResult(reports=2, snapshots=1, duplicates=2)
    assert list(Snapshot.objects.order_by("seq").values_list("seq", flat=True)) == [0, 1, 2]
    assert counters.total(counters.SNAPSHOTS) == 3
    assert counters.total(counters.DUPLICATES) == 2
    assert counters.total(counters.DROPPED) == 3


def test_the_last_snapshot_only_moves_forward(hub: Hub, send: Any) -> None:
    send(report(snapshots={5: snapshot(300)}))
    ingest_reports(hub=hub)
    send(report(snapshots={4: snapshot(240)}))
    assert ingest_reports(hub=hub).snapshots == 1
    assert Process.objects.get().last_snapshot.seq == 5


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"no json", "malformed"),
        (b'{"v": 99}', "version"),
        (b"{" + b" " * 1_048_600 + b"}", "oversized"),
        (b'{"v": 1, "process": 7}', "malformed"),
        (b"\xff\x00\xfe", "malformed"),
    ],
)
def test_a_report_that_cannot_be_read_is_set_aside(payload: bytes, reason: str) -> None:
    good = report(snapshots={0: snapshot()})
    result = reader.take([payload, good.encode()])
    assert result == IngestResult(reports=1, snapshots=1, rejected=1)
    assert RejectedReport.objects.get().reason == reason
    assert counters.totals(counters.REJECTED) == [({"reason": reason}, 1)]


def test_a_report_that_cannot_be_stored_does_not_stop_the_others(
    hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks of the wire format let nothing such through that we know of: so a mistake of ours is played."""

    def mistaken(figures: MemorySnapshot, ids: Any) -> dict[str, Any]:
        if figures.heap_used_mb == 666:
            raise ZeroDivisionError
        return columns_of(figures, ids)

    monkeypatch.setattr(writer, "columns_of", mistaken)
    poisoned = report(process(7), {0: snapshot(heap_used_mb=666)})
    send(report(process(1), {0: snapshot()}), poisoned, report(process(2), {0: snapshot()}))

    result = ingest_reports(hub=hub)

    assert (result.snapshots, result.rejected) == (2, 1)
    assert RejectedReport.objects.get().reason == "unstorable"
    assert hub.state().backlog == 0


def test_reports_wait_while_the_database_is_read_only(hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        try:
            raise psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction")
        except psycopg.Error as error:
            raise InternalError(*error.args) from error

    send(report(snapshots={0: snapshot()}), report(process(7), {0: snapshot()}))
    with monkeypatch.context() as patch:
        patch.setattr(reader, "store", refuse)
        with pytest.raises(InternalError):
            ingest_reports(hub=hub)
    assert RejectedReport.objects.count() == 0
    assert hub.state().backlog == 2


@pytest.mark.parametrize("interruption", [MemoryError(), SoftTimeLimitExceeded()], ids=["memory", "time limit"])
def test_reports_wait_when_the_worker_itself_can_go_no_further(
    hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch, interruption: Exception
) -> None:
    def interrupted(*_args: Any, **_kwargs: Any) -> None:
        raise interruption

    send(report(snapshots={0: snapshot()}))
    with monkeypatch.context() as patch:
        patch.setattr(reader, "store", interrupted)
        with pytest.raises(type(interruption)):
            ingest_reports(hub=hub)
    assert RejectedReport.objects.count() == 0
    assert hub.state().backlog == 1


def test_only_the_last_rejects_are_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "KEPT", 3)
    for number in range(5):
        reader.take([b"bad %d" % number])
    assert [row.excerpt for row in RejectedReport.objects.order_by("pk")] == ["bad 2", "bad 3", "bad 4"]
    assert counters.total(counters.REJECTED) == 5


def test_a_reject_that_is_delivered_twice_is_kept_and_counted_once() -> None:
    reader.take([b"bad"])
    assert reader.take([b"bad"]).rejected == 0
    assert RejectedReport.objects.count() == 1
    assert counters.total(counters.REJECTED) == 1


def test_the_eldest_process_has_the_lowest_slot(hub: Hub, send: Any) -> None:
    send(
        report(process(30, age_s=10), {0: snapshot()}),
        report(process(10, age_s=30), {0: snapshot()}),
        report(process(20, age_s=20), {0: snapshot()}),
        report(process(40, age_s=99, host="h2"), {0: snapshot()}),
    )
    ingest_reports(hub=hub)
    assert [(item.process.host, item.process.pid, item.process.slot_number) for item in fleet()] == [
        ("h1", 10, 1),
        ("h1", 20, 2),
        ("h1", 30, 3),
        ("h2", 40, 1),
    ]


def test_after_a_restart_the_new_processes_take_the_slots_of_the_old(hub: Hub, send: Any) -> None:
    for pid in (1, 2):
        send(report(process(pid, age_s=100 - pid)))
    ingest_reports(hub=hub, now=at(1))
    for pid in (11, 12):
        send(report(process(pid, age_s=30 - pid), sent_s=61))
    for pid in (1, 2):
        send(report(process(pid, age_s=100 - pid), sent_s=60, goodbye=True))
    ingest_reports(hub=hub, now=at(62))
    alive = Process.objects.alive().order_by("slot_number")
    assert [(row.pid, row.slot_number) for row in alive] == [(11, 1), (12, 2)]


def test_a_slot_is_reused_when_its_process_said_goodbye(hub: Hub, send: Any) -> None:
    send(*(report(process(pid, age_s=100 - pid), {0: snapshot()}) for pid in (1, 2, 3)))
    ingest_reports(hub=hub)
    send(report(process(2, age_s=98), sent_s=60, goodbye=True))
    ingest_reports(hub=hub, now=at(61))
    gone = Process.objects.get(pid=2)
    assert (gone.state, gone.ended_at, gone.end_reason) == ("ended", at(60), "goodbye")

    send(report(process(4, age_s=-70), {0: snapshot(80)}))
    ingest_reports(hub=hub, now=at(81))
    assert Process.objects.get(pid=4).slot_number == 2


def test_a_process_whose_lease_ran_out_is_stale_and_comes_back_when_it_speaks(hub: Hub, send: Any) -> None:
    send(report(process(1), {0: snapshot()}))
    ingest_reports(hub=hub, now=at(0))
    assert processes.end_stale(at(179), hub=hub) == 0
    assert processes.end_stale(at(181), hub=hub) == 1
    assert Process.objects.get(pid=1).state == "stale"

    send(report(process(2, age_s=-185), {0: snapshot(190)}))
    ingest_reports(hub=hub, now=at(190))
    send(report(process(1), {1: snapshot(170)}))
    ingest_reports(hub=hub, now=at(200))

    back = Process.objects.get(pid=1)
    assert back.is_alive
    assert back.slot_number == 2, "its slot went to its successor"


def test_nobody_is_ended_while_their_reports_wait(hub: Hub, send: Any) -> None:
    send(report(process(1), {0: snapshot()}))
    ingest_reports(hub=hub, now=at(0))
    now = Process.objects.get().lease_expires_at + timedelta(seconds=0.01)
    send(report(process(1), {1: snapshot(100)}))
    time.sleep(0.02)  # the age of the waiting report is the transport's own clock
    assert processes.end_stale(now, hub=hub) == 0


def test_a_repeated_old_report_does_not_revive_the_dead(hub: Hub, send: Any) -> None:
    first, last = report(snapshots={0: snapshot()}), report(sent_s=60, goodbye=True)
    send(first, last)
    ingest_reports(hub=hub, now=at(61))
    send(first, last, report(snapshots={1: snapshot(30)}))
    assert ingest_reports(hub=hub, now=at(70)).snapshots == 1
    assert Process.objects.get().state == "ended"


def test_a_pid_that_was_reused_ends_its_earlier_holder(hub: Hub, send: Any) -> None:
    send(report(process(1, nonce="old"), {0: snapshot()}))
    ingest_reports(hub=hub, now=at(1))
    send(report(process(1, nonce="new", age_s=-50), {0: snapshot(60)}))
    ingest_reports(hub=hub, now=at(60))
    old, new = Process.objects.order_by("pk")
    assert (old.end_reason, new.is_alive, new.slot_number) == ("replaced", True, 1)

    send(report(process(1, nonce="older", age_s=500), {0: snapshot(-100)}))
    ingest_reports(hub=hub, now=at(70))
    assert Process.objects.get(key__endswith="older").end_reason == "replaced"
    assert Snapshot.objects.count() == 3


def test_two_containers_that_share_name_and_pid_both_live(hub: Hub, send: Any) -> None:
    send(report(process(1, nonce="a"), {0: snapshot()}), report(process(1, nonce="b", age_s=20), {0: snapshot()}))
    ingest_reports(hub=hub, now=at(1))
    assert [item.process.slot_number for item in fleet()] == [1, 2]


def test_a_parent_seen_from_outside_is_a_process_with_rss_alone(hub: Hub, send: Any) -> None:
    master = OutsideProcess(
        pid=9, started_at=at(-90), program="gunicorn master", command_line="", rss_mb=30, vms_mb=90, timestamp=at(0)
    )
    who = process(10)
    send(report(who, {0: snapshot()}, outside=[master]), report(who, {1: snapshot(1)}, outside=[master]))
    result = ingest_reports(hub=hub, now=at(2))
    assert (result.snapshots, result.duplicates) == (3, 1)
    row = Process.objects.get(outside=True)
    assert (row.pid, row.service.name, row.slot_number) == (9, "web", 1)
    figures = figures_of(row.last_snapshot)
    assert (figures.rss_mb, figures.vms_mb, figures.total_objects) == (30, 90, None)


def test_a_parent_with_an_agent_is_not_enrolled_twice(hub: Hub, send: Any) -> None:
    master = OutsideProcess(
        pid=9, started_at=at(-90), program="gunicorn master", command_line="", rss_mb=30, vms_mb=90, timestamp=at(0)
    )
    send(report(process(9, age_s=90), {0: snapshot()}))
    ingest_reports(hub=hub)
    send(report(process(10), {0: snapshot()}, outside=[master]))
    ingest_reports(hub=hub)
    assert Process.objects.filter(pid=9).count() == 1


def test_the_first_snapshot_is_the_baseline_until_the_process_is_warm(hub: Hub, send: Any) -> None:
    def used() -> float | None:
        (item,) = fleet()
        return item.drift_percent

    send(report(snapshots={0: snapshot(1, heap_used_mb=50)}))
    ingest_reports(hub=hub)
    assert used() == 0
    send(report(snapshots={1: snapshot(60, heap_used_mb=100)}))
    ingest_reports(hub=hub)
    assert used() == 100
    send(report(snapshots={5: snapshot(301, heap_used_mb=80), 6: snapshot(361, heap_used_mb=120)}))
    ingest_reports(hub=hub)
    assert used() == 50
    send(report(snapshots={7: snapshot(1000, heap_used_mb=160)}))
    ingest_reports(hub=hub)
    assert used() == 100
    assert Baseline.objects.get().automatic


def test_a_type_reported_late_is_known_to_the_baseline(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: snapshot(400)}))
    ingest_reports(hub=hub)
    send(report(snapshots={1: snapshot(460, counts={"dict": 9_100, "shop.Quote": 500}, backfill={"shop.Quote": 7})}))
    ingest_reports(hub=hub)
    baseline = figures_of(Baseline.objects.get())
    assert baseline.top_objects == {"dict": 9_000, "tuple": 7_000, "shop.Quote": 7}


def test_a_clock_that_is_wrong_does_not_bend_the_lease(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: snapshot(86_400)}))
    ingest_reports(hub=hub, now=at(0))
    row = Process.objects.get()
    assert row.lease_expires_at == at(180)
    assert row.last_snapshot.timestamp == at(86_400)
    assert row.last_snapshot.received_at == at(0)


def test_a_process_whose_clock_was_set_back_goes_on_reporting(hub: Hub, send: Any) -> None:
    send(report(snapshots={0: snapshot(3_600)}))
    ingest_reports(hub=hub, now=at(3_600))
    send(report(snapshots={1: snapshot(60)}))
    assert ingest_reports(hub=hub, now=at(60)).snapshots == 1
    row = Process.objects.get()
    assert row.is_alive
    assert (row.last_snapshot.seq, row.lease_expires_at) == (1, at(60 + 180))


def test_large_reports_are_decoded_a_few_at_a_time(hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BYTES_AT_ONCE", 1_500)
    together: list[int] = []
    take = reader._take

    def counted(deliveries: Any, now: datetime) -> Any:
        together.append(sum(len(delivery.payload) for delivery in deliveries))
        return take(deliveries, now)

    monkeypatch.setattr(reader, "_take", counted)
    send(*(report(process(number), {0: snapshot()}) for number in range(1, 8)))
    assert ingest_reports(hub=hub).snapshots == 7
    assert len(together) > 1
    assert max(together) <= 1_500
    assert hub.state().backlog == 0


def test_in_a_rolling_deploy_reports_of_the_version_before_and_after_are_stored() -> None:
    """What a later version adds is not known here; what it does not say any more is not missed."""
    today = json.loads(report(process(1), {0: snapshot()}).encode())
    later = json.loads(report(process(2), {0: snapshot()}).encode())
    for part in (later, later["process"], later["snapshots"][0][1]):
        part["a_word_of_tomorrow"] = {"any": ["thing"]}
    earlier = json.loads(report(process(3), {0: snapshot()}).encode())
    kept = ("v", "process", "sent_at", "lease_s", "snapshots")
    earlier = {name: earlier[name] for name in kept}
    earlier["process"] = {name: earlier["process"][name] for name in ("host", "pid", "started_at", "nonce", "service")}
    earlier["snapshots"][0][1] = {"timestamp": at(0).isoformat(), "rss_mb": 96}

    result = reader.take([json.dumps(payload).encode() for payload in (today, later, earlier)])

    assert (result.snapshots, result.rejected) == (3, 0)
    assert set(Snapshot.objects.values_list("process__pid", "rss_kib")) == {(pid, 96 * 1024) for pid in (1, 2, 3)}


def test_how_a_process_counts_its_objects_is_stored_and_follows_a_change(hub: Hub, send: Any) -> None:
    send(report(process(1), {0: snapshot()}))  # by an agent that does not say
    send(report(process(2, census_method="native walk", cpu_budget_percent=0.5), {0: snapshot()}))
    ingest_reports(hub=hub, now=at(1))
    told = Process.objects.order_by("pid").values_list("census_method", "cpu_budget_percent")
    assert list(told) == [("", None), ("native walk", 0.5)]
    send(report(process(2, census_method="fallback: switched off"), {1: snapshot(60)}))
    ingest_reports(hub=hub, now=at(61))
    assert Process.objects.get(pid=2).census_method == "fallback: switched off"


def test_a_backlog_is_seen_and_drained_oldest_first(hub: Hub, send: Any) -> None:
    send(*(report(snapshots={seq: snapshot(60 * seq)}) for seq in range(30)))
    left = []
    while ingest_reports(hub=hub, limit=10).reports:
        stored = list(Snapshot.objects.order_by("pk").values_list("seq", flat=True))
        assert stored == list(range(len(stored)))
        left.append(hub.state().backlog)
    assert left == [20, 10, 0]


def test_a_stopping_worker_stores_what_it_read_and_leaves_the_rest(hub: Hub, send: Any) -> None:
    send(*(report(snapshots={seq: snapshot(60 * seq)}) for seq in range(2 * READ_AT_ONCE + 1)))
    asked = iter((False, True))
    assert ingest_reports(hub=hub, limit=5_000, leaving=lambda: next(asked)).snapshots == READ_AT_ONCE
    assert hub.state().backlog == READ_AT_ONCE + 1
    assert ingest_reports(hub=hub, limit=5_000).snapshots == READ_AT_ONCE + 1


def test_names_are_interned_once(hub: Hub, send: Any) -> None:
    send(*(report(process(pid), {0: snapshot(counts={"dict": 1, "shop.A": 2})}) for pid in (1, 2)))
    ingest_reports(hub=hub)
    assert set(ObjectType.objects.values_list("name", flat=True)) == {"dict", "shop.A"}
    assert Service.objects.count() == 1


def test_a_batch_costs_few_queries(hub: Hub, send: Any, django_assert_max_num_queries: Any) -> None:
    send(*(report(process(pid), {0: snapshot()}) for pid in range(1, 51)))
    ingest_reports(hub=hub)
    send(*(report(process(pid), {1: snapshot(60)}) for pid in range(1, 51)))
    with django_assert_max_num_queries(16):
        ingest_reports(hub=hub)
    with django_assert_max_num_queries(5):
        assert len(fleet()) == 50


def test_a_batch_that_moves_baselines_and_teaches_them_costs_few_queries(
    hub: Hub, send: Any, django_assert_max_num_queries: Any
) -> None:
    def counted(pid: int, **more: int) -> dict[str, int]:
        return {"dict": 9_000 + pid, **more}

    send(*(report(process(pid), {0: snapshot(counts=counted(pid))}) for pid in range(1, 51)))
    ingest_reports(hub=hub)
    late = {"dict": 1, "shop.Quote": 500}
    for pid in range(1, 51):
        warm = snapshot(300, counts=counted(2 * pid), rss_mb=float(pid))
        send(report(process(pid), {1: warm, 2: snapshot(360, counts=late, backfill={"shop.Quote": pid})}))
    with django_assert_max_num_queries(20):
        ingest_reports(hub=hub)
    assert Baseline.objects.count() == 50
    for baseline in Baseline.objects.select_related("process"):
        figures, pid = figures_of(baseline), baseline.process.pid
        assert (baseline.timestamp, figures.rss_mb) == (at(300), pid)
        assert figures.top_objects == counted(2 * pid, **{"shop.Quote": pid})


@pytest.mark.django_db(transaction=True)
def test_a_name_of_work_that_is_pruned_while_its_report_is_stored_is_drawn_again(
    hub: Hub, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []

    def intern(*arguments: Any, original: Any = work.intern) -> Any:
        found = original(*arguments)
        if not looked_up:
            looked_up.append(retention.prune(at(0)).work_names)
        return found

    monkeypatch.setattr(work, "intern", intern)
    send(report(snapshots={0: snapshot(work=(WorkFigures(TASK, "shop.tasks.sync", calls=7),))}))
    assert ingest_reports(hub=hub, now=at(6)) == IngestResult(reports=1, snapshots=1)
    assert looked_up == [1]
    assert set(WorkRollup.objects.values_list("work__name", "calls")) == {("shop.tasks.sync", 7)}
    assert Snapshot.objects.get().work == {str(WorkName.objects.get().pk): 7}
