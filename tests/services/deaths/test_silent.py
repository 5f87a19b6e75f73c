"""Ends that only silence shows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memwatch.models import Lease, Process
from memwatch.queries.deployment import counters
from memwatch.records.flight import Flight
from memwatch.sampling.identity import ProcessInfo
from memwatch.services.ingest import processes, reader
from memwatch.transport import Hub, TransportUnavailable, open_hub, open_uplink
from memwatch.transport.flights.checks import flight_bytes
from memwatch.transport.protocols import HubState
from memwatch.transport.wire import Report
from tests.reports import at, process, report, snapshot
from tests.services.deaths.ends import flight, running

pytestmark = pytest.mark.django_db

SILENT_S = 181.0
"""A lease is over then."""
Leave = Callable[[ProcessInfo, Flight | bytes], None]


@pytest.fixture
def url(redis_url: str) -> str:
    return f"{redis_url}?prefix=silent-{uuid.uuid4().hex}"


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    hub = open_hub(url)
    yield hub
    hub.close()


@pytest.fixture
def leave(url: str) -> Leave:
    """Leave a last record as an agent does."""

    def put(of: ProcessInfo, record: Flight | bytes) -> None:
        uplink = open_uplink(url, of.key)
        uplink.leave(record if isinstance(record, bytes) else flight_bytes(record))
        uplink.close()

    return put


def ingest(*reports: Report, now_s: float) -> None:
    reader.take([each.encode() for each in reports], now=at(now_s))


def row(pid: int = 1) -> Process:
    return Process.objects.get(pid=pid)


def counted() -> dict[str, int]:
    return {labels["reason"]: value for labels, value in counters.totals(counters.DEATHS)}


def test_what_it_left_is_kept_and_forgotten_by_the_transport(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    leave(process(1), flight(process(1), running(), written_s=42, rss_mb=300.0, limit_mb=512.0))
    assert processes.end_stale(at(SILENT_S), hub=hub) == 1

    dead = row()
    assert (dead.end_reason, dead.state, dead.ended_at) == ("unknown", "stale", at(SILENT_S))
    assert (dead.end_evidence["noticed_by"], dead.end_evidence["rss_mb"]) == ("hub", 300.0)
    assert dead.end_evidence["job"]["seconds"] == 42.0
    assert counted() == {"unknown": 1}
    assert hub.left(process(1).key) is None


def test_who_left_nothing_is_stale_as_before(hub: Hub) -> None:
    ingest(report(process(1), {0: snapshot()}), report(process(2), {0: snapshot()}), now_s=0)
    assert processes.end_stale(at(SILENT_S), hub=hub) == 2
    assert {each.end_reason for each in Process.objects.all()} == {"stale"}
    assert (row().end_evidence, counted()) == ({}, {})


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"\xff" * 99, b"{}", flight_bytes(flight(process(2))), b"x" * 20_000]
)
def test_what_is_no_record_of_it_is_not_used(payload: bytes, hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    leave(process(1), payload)
    assert processes.end_stale(at(SILENT_S), hub=hub) == 1
    assert (row().end_reason, row().end_evidence) == ("stale", {})


def test_a_whole_host_that_is_gone(hub: Hub, leave: Leave, django_assert_max_num_queries: Any) -> None:
    gone = [process(pid, host="h9") for pid in range(100, 140)]
    ingest(*(report(one, {0: snapshot()}) for one in gone), now_s=0)
    ingest(report(process(1), {0: snapshot(200)}), now_s=200)
    for one in gone:
        leave(one, flight(one, running()))
    with django_assert_max_num_queries(25):
        assert processes.end_stale(at(210), hub=hub) == 40
    dead = Process.objects.filter(host="h9")
    assert set(dead.values_list("end_reason", flat=True)) == {"host_gone"}
    assert dead[0].end_evidence["sentence"].startswith("All 40 processes of its host fell silent at the same time.")
    assert (row().is_alive, counted()) == (True, {"host_gone": 40})


def test_its_leases_may_end_in_two_runs(hub: Hub, leave: Leave) -> None:
    early, late = process(100, host="h9"), process(101, host="h9")
    ingest(report(early, {0: snapshot()}), now_s=0)
    ingest(report(late, {0: snapshot()}), now_s=50)
    for one in (early, late):
        leave(one, flight(one))
    assert processes.end_stale(at(185), hub=hub) == 1
    assert processes.end_stale(at(245), hub=hub) == 1
    assert set(Process.objects.values_list("end_reason", flat=True)) == {"host_gone"}


def test_the_servers_own_host_is_not_gone(hub: Hub, leave: Leave, settings: Any) -> None:
    settings.MEMWATCH = {"HOST": "h9"}
    gone = [process(pid, host="h9") for pid in (100, 101)]
    ingest(*(report(one, {0: snapshot()}) for one in gone), now_s=0)
    for one in gone:
        leave(one, flight(one))
    assert processes.end_stale(at(SILENT_S), hub=hub) == 2
    assert set(Process.objects.values_list("end_reason", flat=True)) == {"unknown"}


def test_one_of_a_host_that_lives_on_is_not_its_host(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), report(process(2), {0: snapshot()}), now_s=0)
    ingest(report(process(2), {1: snapshot(170)}), now_s=170)
    leave(process(1), flight(process(1)))
    assert processes.end_stale(at(SILENT_S), hub=hub) == 1
    assert row().end_reason == "unknown"


def test_a_container_that_was_full_and_vanished_was_probably_killed(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), report(process(2), {0: snapshot()}), now_s=0)
    for one in (process(1), process(2)):
        leave(one, flight(one, container_mb=509.0, container_limit_mb=512.0))
    processes.end_stale(at(SILENT_S), hub=hub)
    assert [row(pid).end_reason for pid in (1, 2)] == ["oom_container", "oom_container"]
    assert row().end_evidence["certain"] is False


def test_a_neighbour_has_read_a_kill_since(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot(rss_mb=400.0)}, oom=(2, 0)), report(process(2), {0: snapshot()}), now_s=0)
    ingest(report(process(2), {1: snapshot(170)}, oom=(3, 0)), now_s=170)
    leave(process(1), flight(process(1), oom_kills=2, oom_group_kills=0))
    processes.end_stale(at(SILENT_S), hub=hub)
    assert (row().end_reason, row().end_evidence["noticed_by"]) == ("oom_process", "hub")
    assert row().end_evidence["oom"] == {"before": 2, "after": 3, "group_before": 0, "group_after": 0}


def test_a_kill_of_another_service_s_container_is_none_of_it(hub: Hub, leave: Leave) -> None:
    other = process(2, service="other")
    ingest(report(process(1), {0: snapshot(rss_mb=400.0)}, oom=(2, 0)), report(other, {0: snapshot()}), now_s=0)
    ingest(report(other, {1: snapshot(170)}, oom=(3, 0)), now_s=170)
    leave(process(1), flight(process(1), oom_kills=2))
    processes.end_stale(at(SILENT_S), hub=hub)
    assert row().end_reason == "unknown"


def test_a_successor_that_started_before_the_silence_was_noticed_says_so(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    leave(process(1), flight(process(1), oom_kills=0, oom_group_kills=0))
    ingest(report(process(2, age_s=-60), {0: snapshot(70)}, oom=(1, 0)), now_s=170)
    processes.end_stale(at(SILENT_S), hub=hub)
    assert (row().end_reason, row().end_evidence["noticed_by"]) == ("oom_process", "successor")


def test_a_successor_in_a_new_container_says_nothing(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    leave(process(1), flight(process(1), oom_kills=5, rss_mb=99.0, limit_mb=100.0))
    ingest(report(process(2, age_s=-60), {0: snapshot(70)}, oom=(0, 0)), now_s=170)
    processes.end_stale(at(SILENT_S), hub=hub)
    assert (row().end_reason, row().end_evidence["noticed_by"]) == ("oom_process", "hub")


def test_a_later_report_revives_it_and_clears_the_evidence(hub: Hub, leave: Leave) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    leave(process(1), flight(process(1)))
    processes.end_stale(at(SILENT_S), hub=hub)
    ingest(report(process(1), {1: snapshot(170)}), now_s=190)
    assert (row().is_alive, row().end_reason, row().end_evidence) == (True, "", {})


def test_a_transport_that_keeps_no_records_stops_nothing(hub: Hub, leave: Leave, monkeypatch: Any) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    hub.close()
    away = open_hub("redis://127.0.0.1:1/0")
    monkeypatch.setattr(away, "state", hub.state)
    assert processes.end_stale(at(SILENT_S), hub=away) == 1
    assert row().end_reason == "stale"


def test_many_silent_ones_take_no_more_queries_than_few(hub: Hub, leave: Leave) -> None:
    def queries(first: int, many: int, start_s: float) -> int:
        victims = [process(first + place, host=f"h{first}") for place in range(many)]
        ingest(*(report(one, {0: snapshot(start_s)}) for one in victims), now_s=start_s)
        for one in victims:
            leave(one, flight(one, written_s=start_s))
        Lease.objects.update(last_finished_at=at(start_s + SILENT_S - 60))
        with CaptureQueriesContext(connection) as captured:
            assert processes.end_stale(at(start_s + SILENT_S), hub=hub) == many
        return len(captured)

    few = queries(1_000, 2, 0)
    assert queries(2_000, 150, 1_000) <= few


class Away:
    """A transport that cannot be reached."""

    def state(self) -> HubState:
        raise TransportUnavailable("away")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("looked", [True, False], ids=["seen by the worker", "no worker ran either"])
def test_who_was_silent_because_the_transport_was_away_has_not_ended(hub: Hub, leave: Leave, looked: bool) -> None:
    """It is back, and the agents have not noticed it yet: they try once a minute."""
    for pid in (1, 2):
        ingest(report(process(pid), {0: snapshot()}), now_s=0)
        leave(process(pid), flight(process(pid), written_s=42))
    assert processes.end_stale(at(60), hub=hub) == 0
    if looked:
        assert processes.end_stale(at(300), hub=Away()) == 0  # type: ignore[arg-type]
    assert processes.end_stale(at(360), hub=hub) == 0
    assert processes.end_stale(at(420), hub=hub) == 0
    ingest(report(process(1), {1: snapshot(430)}), now_s=430)
    assert processes.end_stale(at(480), hub=hub) == 1, "the other one is gone indeed"
    assert (row(1).ended_at, row(2).end_reason) == (None, "unknown")
    assert counted() == {"unknown": 1}


def test_a_short_outage_that_a_worker_has_seen(hub: Hub) -> None:
    """Of agents with a short interval it is as long as their lease."""
    ingest(report(process(1), {0: snapshot()}, lease_s=35.0), now_s=30)
    assert processes.end_stale(at(60), hub=hub) == 0
    assert processes.end_stale(at(120), hub=Away()) == 0  # type: ignore[arg-type]
    assert processes.end_stale(at(180), hub=hub) == 0
    assert processes.end_stale(at(275), hub=hub) == 1


def test_a_worker_that_looks_too_seldom_ends_processes_all_the_same(hub: Hub) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    ended = [processes.end_stale(at(looked_s), hub=hub) for looked_s in (10, 400, 800)]
    assert ended == [0, 0, 1]


def test_a_clock_that_was_set_back_keeps_nobody_alive(hub: Hub) -> None:
    ingest(report(process(1), {0: snapshot()}), now_s=0)
    Lease.objects.create(name="memwatch.transport", expires_at=at(100_000), last_finished_at=at(100_000))
    assert processes.end_stale(at(SILENT_S), hub=hub) == 1


@pytest.mark.parametrize(
    ("stopped_s", "living", "reason"),
    [(44.0, False, "stopped"), (44.0, True, "unknown"), (5.0, False, "unknown"), (170.0, False, "stopped")],
    ids=["all were stopped", "one lives on", "long before", "a moment later"],
)
def test_the_last_process_of_a_service_that_was_stopped(
    hub: Hub, leave: Leave, stopped_s: float, living: bool, reason: str
) -> None:
    """Nobody was left to see how it ended."""
    ingest(*(report(process(pid), {0: snapshot()}) for pid in (1, 2)), now_s=0)
    if living:
        ingest(report(process(3), {0: snapshot(170)}), now_s=170)
    ingest(report(process(4, service="other"), {0: snapshot(170)}), now_s=170)
    ingest(report(process(2), {}, sent_s=stopped_s, goodbye=True, ending="stopped"), now_s=stopped_s)
    leave(process(1), flight(process(1), running(), written_s=42))
    assert processes.end_stale(at(SILENT_S), hub=hub) == 1
    assert row(1).end_reason == reason
    if reason == "stopped":
        assert row(1).end_evidence["certain"] is False
        assert "were stopped at the same time" in row(1).end_evidence["sentence"]
