"""Ends that other processes of the host have noticed."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memwatch.models import Process
from memwatch.queries.deployment import counters
from memwatch.records.flight import MAX_DEATHS
from memwatch.services.ingest import processes, reader
from memwatch.services.ingest.reader import IngestResult, ingest_reports
from memwatch.transport import Hub
from memwatch.transport.wire import Report
from tests.reports import at, process, report, snapshot
from tests.services.deaths.ends import KILLED, brought, death, flight, of_many, running

pytestmark = pytest.mark.django_db

VICTIM = process(1)
PIDFD = {"status": KILLED, "status_from": "pidfd"}


def ingest(*reports: Report, now_s: float) -> IngestResult:
    return reader.take([each.encode() for each in reports], now=at(now_s))


def row(pid: int = 1) -> Process:
    return Process.objects.get(pid=pid)


def counted() -> dict[str, int]:
    return {labels["reason"]: value for labels, value in counters.totals(counters.DEATHS)}


def test_it_gets_its_reason_its_evidence_and_is_counted_once(hub: Hub, send: Any) -> None:
    send(report(VICTIM, {0: snapshot(rss_mb=498.0)}))
    ingest_reports(hub=hub, now=at(1))
    record = flight(VICTIM, running(), oom_kills=2, rss_mb=498.0, limit_mb=512.0, limit_source="cgroup")
    send(brought(death(VICTIM, record=record, oom_kills=3, **PIDFD)))
    assert ingest_reports(hub=hub, now=at(32)).reports == 1

    dead = row()
    assert (dead.end_reason, dead.state, dead.ended_at) == ("oom_process", "ended", at(30))
    assert dead.end_evidence["sentence"] == (
        "The kernel killed it because memory ran out. It had 498 MB of 512 MB. Task shop.sync was running for 30 s."
    )
    job = {"kind": "task", "name": "shop.sync", "seconds": 30.0, "limit_s": None, "span": ""}
    assert dead.end_evidence["job"] == job
    assert dead.end_evidence["noticed_by"] == "process"
    assert counters.totals(counters.DEATHS) == [({"service": "web", "reason": "oom_process"}, 1)]


def test_two_watchers_report_the_same_end_once() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    other = process(998)
    ingest(brought(death(VICTIM)), brought(death(VICTIM, 29, **PIDFD), by=other), now_s=32)
    assert (row().end_reason, counted()) == ("sigkill", {"sigkill": 1})

    ingest(brought(death(VICTIM, 28, status=-signal.SIGSEGV), by=other, sent_s=40), now_s=41)
    assert (row().end_reason, counted()) == ("sigkill", {"sigkill": 1})
    assert row().end_evidence["status"] == KILLED


def test_it_may_come_before_the_last_snapshots_of_the_process() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    ingest(brought(death(VICTIM, **PIDFD)), now_s=32)
    ingest(report(VICTIM, {1: snapshot(20)}), report(VICTIM, {2: snapshot(29)}, goodbye=True), now_s=33)
    dead = row()
    assert (dead.end_reason, dead.ended_at, dead.last_snapshot.seq) == ("sigkill", at(30), 2)
    assert counted() == {"sigkill": 1}


def test_nothing_is_known_of_it_and_its_late_snapshots_do_not_revive_it() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    ingest(brought(death(VICTIM)), now_s=32)
    ingest(report(VICTIM, {1: snapshot(20)}), now_s=33)
    assert (row().end_reason, row().state) == ("unknown", "stale")


def test_a_process_that_died_before_its_first_report_gets_a_row() -> None:
    ingest(brought(death(VICTIM, record=flight(VICTIM, running()), **PIDFD)), now_s=32)
    dead = row()
    assert (dead.key, dead.service.name, dead.host, dead.end_reason) == (VICTIM.key, "web", "h1", "sigkill")
    assert (dead.started_at, dead.ended_at) == (VICTIM.started_at, at(30))
    assert [each.pid for each in Process.objects.alive()] == [999]


def test_without_a_row_and_without_a_record_there_is_nothing_to_note() -> None:
    assert ingest(brought(death(VICTIM, **PIDFD)), now_s=32).reports == 1
    assert not Process.objects.filter(pid=1).exists()
    assert counted() == {}


def test_a_process_that_reported_after_its_end_was_noticed_lives() -> None:
    ingest(report(VICTIM, {0: snapshot(45)}), now_s=46)
    ingest(brought(death(VICTIM, 40, **PIDFD), sent_s=50), now_s=51)
    assert row().is_alive


def test_so_does_one_whose_report_comes_together_with_that_of_its_end() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    ingest(report(VICTIM, sent_s=41), brought(death(VICTIM, 40, **PIDFD), sent_s=50), now_s=51)
    assert (row().is_alive, counted()) == (True, {})


def test_a_later_report_revives_it_and_clears_what_was_noted() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    ingest(brought(death(VICTIM, **PIDFD)), now_s=32)
    assert row().end_reason == "sigkill"
    ingest(report(VICTIM, {1: snapshot(60)}), now_s=61)
    assert (row().ended_at, row().end_reason, row().end_evidence) == (None, "", {})

    ingest(brought(death(VICTIM, **PIDFD)), now_s=62)
    assert row().is_alive, "the same end again, from before it was revived"
    ingest(report(VICTIM, sent_s=90, goodbye=True), now_s=91)
    assert (row().end_reason, row().end_evidence) == ("goodbye", {})


@pytest.mark.parametrize("victim", [process(1, host="h2"), process(1, service="other", host="h2")])
def test_a_process_speaks_for_its_own_host_alone(victim: Any) -> None:
    ingest(report(victim, {0: snapshot()}), now_s=1)
    ingest(brought(death(victim, record=flight(victim), **PIDFD)), now_s=32)
    assert (row().is_alive, row().end_evidence, counted()) == (True, {}, {})


def test_it_cannot_lend_another_host_to_a_process() -> None:
    victim = process(1, host="h2")
    ingest(report(victim, {0: snapshot()}), now_s=1)
    ingest(brought(death(victim, record=flight(victim, host="h1"), **PIDFD)), now_s=32)
    assert row().is_alive
    foreign = process(2, host="h2")
    ingest(brought(death(foreign, record=flight(foreign), **PIDFD)), now_s=33)
    assert not Process.objects.filter(pid=2).exists()


def test_it_cannot_speak_of_its_own_end() -> None:
    watcher = process(999)
    ingest(brought(death(watcher, record=flight(watcher), **PIDFD)), now_s=32)
    assert row(999).is_alive


@pytest.mark.parametrize("ahead_s", [-300.0, 300.0])
def test_clocks_that_are_minutes_apart_change_nothing(ahead_s: float) -> None:
    ingest(report(VICTIM, {0: snapshot(ahead_s)}), now_s=1)
    ingest(brought(death(VICTIM, 30 + ahead_s, **PIDFD), sent_s=31 + ahead_s), now_s=32)
    ingest(report(VICTIM, {1: snapshot(25 + ahead_s)}), now_s=33)
    assert (row().end_reason, row().ended_at <= at(32)) == ("sigkill", True)
    ingest(report(VICTIM, {2: snapshot(90 + ahead_s)}), now_s=91)
    assert row().is_alive


def test_an_end_in_a_far_future_holds_off_no_report_for_long() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    ingest(brought(death(VICTIM, 10**8, **PIDFD), sent_s=10**8), now_s=32)
    assert row().end_reason == "sigkill"
    ingest(report(VICTIM, {1: snapshot(700)}), now_s=700)
    assert row().is_alive


def test_who_said_goodbye_keeps_the_reason_it_gave() -> None:
    ingest(report(VICTIM, {0: snapshot()}), report(VICTIM, sent_s=20, goodbye=True, ending="recycled"), now_s=21)
    ingest(brought(death(VICTIM, status=1)), now_s=32)
    assert (row().end_reason, row().ended_at, row().end_evidence) == ("recycled", at(20), {})
    assert counted() == {"recycled": 1}


def test_a_goodbye_without_a_reason_gets_one_that_is_proven() -> None:
    ingest(report(VICTIM, {0: snapshot()}), report(VICTIM, sent_s=20, goodbye=True), now_s=21)
    assert (row().end_reason, counted()) == ("goodbye", {})
    ingest(brought(death(VICTIM)), now_s=32)
    assert row().end_reason == "goodbye"
    ingest(brought(death(VICTIM, status=155)), now_s=33)
    assert (row().end_reason, row().ended_at, counted()) == ("recycled", at(20), {"recycled": 1})


@pytest.mark.parametrize(("status", "reason"), [(1, "crash"), (-signal.SIGTERM, "stopped")])
def test_an_uncaught_exception_and_a_job_that_was_cut_off_say_goodbye_first(status: int, reason: str) -> None:
    ingest(report(VICTIM, {0: snapshot()}), report(VICTIM, sent_s=20, goodbye=True), now_s=21)
    ingest(brought(death(VICTIM, record=flight(VICTIM, running()), status=status)), now_s=32)
    assert (row().end_reason, row().end_evidence["job"]["name"]) == (reason, "shop.sync")
    assert counted() == {reason: 1}


def test_who_was_killed_beside_a_process_that_the_kernels_log_names_was_not_killed_by_the_kernel() -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    ingest(brought(death(VICTIM, record=flight(VICTIM, oom_kills=0), oom_kills=1, kernel_log=True, **PIDFD)), now_s=32)
    assert row().end_reason == "sigkill"


def test_a_goodbye_at_a_time_limit_gets_its_evidence_later() -> None:
    ingest(report(VICTIM, {0: snapshot()}), report(VICTIM, sent_s=20, goodbye=True, ending="time_limit"), now_s=21)
    record = flight(VICTIM, running(kind="view"), ending="time_limit")
    ingest(brought(death(VICTIM, record=record, status=1)), now_s=32)
    assert (row().end_reason, row().end_evidence["job"]["name"]) == ("time_limit", "shop.sync")
    assert counted() == {"time_limit": 1}


def test_silence_is_explained_later(transport_url: str) -> None:
    ingest(report(VICTIM, {0: snapshot()}), now_s=1)
    processes.end_stale(at(300))
    assert (row().end_reason, row().end_evidence, counted()) == ("stale", {}, {})
    ingest(brought(death(VICTIM, **PIDFD), sent_s=310), now_s=311)
    assert (row().end_reason, row().ended_at, counted()) == ("sigkill", at(30), {"sigkill": 1})


def test_the_largest_of_those_that_ended_together_was_killed_for_memory() -> None:
    victims = [process(pid) for pid in (1, 2, 3)]
    ingest(*(report(one, {0: snapshot(rss_mb=100.0 * one.pid)}) for one in victims), now_s=1)
    ends = [death(one, record=flight(one, oom_kills=0), oom_kills=1, **PIDFD) for one in victims]
    ingest(brought(*ends[:2]), now_s=32)
    assert [row(pid).end_reason for pid in (1, 2)] == ["sigkill", "oom_process"]
    ingest(brought(ends[2]), now_s=40)
    assert row(3).end_reason == "sigkill", "the one kill has ended the second"


def test_without_a_status_the_largest_of_the_host_is_the_likely_one() -> None:
    victims = [process(pid) for pid in (1, 2, 3)]
    ingest(*(report(one, {0: snapshot(rss_mb=100.0 * one.pid)}) for one in victims), now_s=1)
    ingest(brought(death(victims[0], record=flight(victims[0], oom_kills=0), oom_kills=1)), now_s=32)
    assert row(1).end_reason == "unknown"
    ingest(brought(death(victims[2], record=flight(victims[2], oom_kills=0), oom_kills=1)), now_s=33)
    assert row(3).end_reason == "oom_process"


def test_agents_that_know_no_ends_are_as_before() -> None:
    ingest(report(VICTIM, {0: snapshot()}), report(VICTIM, sent_s=20, goodbye=True), now_s=21)
    assert (row().end_reason, row().end_evidence, row().oom_kills, counted()) == ("goodbye", {}, None, {})


def test_many_ends_in_a_batch_take_no_more_queries_than_few() -> None:
    def queries(first: int, many: int) -> int:
        victims = [process(first + place) for place in range(many)]
        for start in range(0, many, 200):
            ingest(*(report(one, {0: snapshot()}) for one in victims[start : start + 200]), now_s=1)
        ends = [each.encode() for each in of_many(victims, **PIDFD)]
        with CaptureQueriesContext(connection) as captured:
            reader.take(ends, now=at(32))
        assert Process.objects.filter(pid__gte=first, pid__lt=first + many, end_reason="sigkill").count() == many
        return len(captured)

    ingest(brought(), now_s=0)
    few = queries(10_000, MAX_DEATHS)
    assert queries(20_000, 1_000) <= few < 40


def test_as_many_as_one_read_may_bring_are_stored_without_rows_of_their_own() -> None:
    victims = [process(10_000 + place, service=f"s{place % 7}") for place in range(MAX_DEATHS * reader.READ_AT_ONCE)]
    ingest(*of_many(victims, **PIDFD), now_s=32)
    assert Process.objects.filter(end_reason="sigkill").count() == len(victims)
    assert sum(value for _labels, value in counters.totals(counters.DEATHS)) == len(victims)


def test_many_whose_pids_were_taken_over_take_no_query_each() -> None:
    """The dead that nobody knew have the pids of as many that are thought to live."""

    def queries(first: int, many: int) -> int:
        before = [process(first + place, age_s=500) for place in range(many)]
        for start in range(0, many, 200):
            ingest(*(report(one, {0: snapshot()}) for one in before[start : start + 200]), now_s=1)
        Process.objects.update(last_seen_at=at(0))
        victims = [process(first + place, age_s=-10, nonce=f"v{place}") for place in range(many)]
        ends = [each.encode() for each in of_many(victims, **PIDFD)]
        with CaptureQueriesContext(connection) as captured:
            reader.take(ends, now=at(32))
        assert Process.objects.filter(end_reason="replaced", pid__gte=first, pid__lt=first + many).count() == many
        return len([each for each in captured.captured_queries if each["sql"].startswith("UPDATE")])

    ingest(brought(), now_s=0)
    few = queries(10_000, MAX_DEATHS)
    assert queries(20_000, 600) <= few + 1
