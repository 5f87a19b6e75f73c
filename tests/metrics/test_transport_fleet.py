"""What the stand-alone exporter shows of a transport."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from memwatch.exposition import families
from memwatch.metrics.rendered_page import Page
from memwatch.metrics.transport_fleet import Follower, ReportedFleet
from memwatch.observation import Observation
from memwatch.transport import TransportUnavailable
from memwatch.transport.wire import Report
from tests.metrics.scraped import samples
from tests.reports import START, process, report, snapshot
from tests.waiting import until

NOW = START.timestamp()


class Reports:
    """A transport of the test's making."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.away = False

    def send(self, *reports: Report | bytes) -> None:
        self.waiting += [item if isinstance(item, bytes) else item.encode() for item in reports]

    def look(self) -> list[bytes]:
        if self.away:
            raise TransportUnavailable("Redis is away")
        came, self.waiting = self.waiting, []
        return came

    def close(self) -> None:
        """Nothing to give up."""


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown(observation: Observation) -> dict[tuple[str, ...], float]:
    return samples(Page(families(observation)).body()[0].decode())


def test_each_process_shows_its_latest_figures_by_slot(reports: Reports, clock: Clock) -> None:
    fleet = ReportedFleet(reports, clock=clock)
    reports.send(
        report(process(1), {0: snapshot(rss_mb=100.0), 1: snapshot(60, rss_mb=110.0, counts={"shop.Quote": 7})}),
        report(process(2), {0: snapshot(rss_mb=50.0)}),
        report(process(3, service="worker"), {}),
    )
    fleet.look()
    found = shown(fleet.observe())
    assert found["memwatch_exporter_source", "source=transport"] == found["memwatch_up",] == 1
    assert found["fogcompute_memory_rss_mb", "host=h1", "service=web", "slot=web-1"] == 110
    assert (
        found["fogcompute_memory_object_count", "host=h1", "object_type=shop.Quote", "service=web", "slot=web-1"] == 7
    )
    assert found["fogcompute_memory_rss_mb", "host=h1", "service=web", "slot=web-2"] == 50
    assert found["memwatch_process_start_time_seconds", "host=h1", "service=worker", "slot=worker-1"] == NOW
    assert found["memwatch_processes_alive", "service=web"] == 2


def test_a_transport_exporter_shows_no_leaks_and_no_baselines(reports: Reports, clock: Clock) -> None:
    fleet = ReportedFleet(reports, clock=clock)
    reports.send(report(process(1), {0: snapshot()}))
    fleet.look()
    names = {key[0] for key in shown(fleet.observe())}
    assert not names & {
        "fogcompute_memory_active_leaks", "fogcompute_memory_leak_detections_total", "memwatch_leaks_open",
        "fogcompute_memory_baseline_drift_percent",
    }  # fmt: skip


def test_a_goodbye_and_silence_end_a_process_and_free_its_slot(reports: Reports, clock: Clock) -> None:
    fleet = ReportedFleet(reports, clock=clock)
    reports.send(report(process(1), {0: snapshot()}), report(process(2), {0: snapshot()}, lease_s=200))
    fleet.look()
    reports.send(report(process(1), goodbye=True))
    fleet.look()
    assert [item.labels["slot"] for item in fleet.observe().processes] == ["web-2"]
    reports.send(report(process(3), {0: snapshot()}, lease_s=500))
    fleet.look()
    assert {item.labels["slot"] for item in fleet.observe().processes} == {"web-1", "web-2"}
    clock.now += 201
    assert [item.labels["slot"] for item in fleet.observe().processes] == ["web-1"]


def test_what_waited_before_it_came_counts_from_when_it_was_sent(reports: Reports, clock: Clock) -> None:
    fleet = ReportedFleet(reports, clock=clock)
    reports.send(report(process(1), {0: snapshot()}, sent_s=-1000), report(process(2), {0: snapshot()}, sent_s=-10))
    fleet.look()
    assert len(fleet.observe().processes) == 1
    reports.send(report(process(4), {0: snapshot()}, sent_s=-1000))  # a host whose clock is behind
    fleet.look()
    assert len(fleet.observe().processes) == 2


def test_reports_out_of_order_and_twice_leave_the_newest_figures(reports: Reports, clock: Clock) -> None:
    fleet = ReportedFleet(reports, clock=clock)
    new = report(process(1), {5: snapshot(rss_mb=5.0)}, dropped=3)
    reports.send(new, report(process(1), {4: snapshot(rss_mb=4.0)}, dropped=1), new)
    fleet.look()
    (found,) = fleet.observe().processes
    assert found.figures is not None
    assert (found.figures.rss_mb, found.dropped_snapshots) == (5.0, 3)


def test_garbage_is_counted_and_hides_nobody(reports: Reports, clock: Clock) -> None:
    fleet = ReportedFleet(reports, clock=clock)
    reports.send(b"\xff", b"{}", report(process(1), {0: snapshot()}), b"[" * 100_000)
    fleet.look()
    found = shown(fleet.observe())
    assert found["fogcompute_memory_rss_mb", "host=h1", "service=web", "slot=web-1"] == 96
    assert sum(value for key, value in found.items() if key[0] == "memwatch_reports_rejected_total") == 3


def test_while_the_transport_is_away_up_is_zero_and_the_figures_are_gone(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    follower = Follower(reports, interval_s=0.02)

    def found() -> dict[tuple[str, ...], float]:
        return samples(Page(follower.metrics()).body()[0].decode())

    assert found()["memwatch_up",] == 0
    reports.send(report(process(1), {0: snapshot()}, lease_s=80_000, sent_s=time.time() - NOW))
    follower.start()
    try:
        until(lambda: found()["memwatch_up",] == 1)
        assert ("fogcompute_memory_rss_mb", "host=h1", "service=web", "slot=web-1") in found()
        reports.away = True
        until(lambda: found()["memwatch_up",] == 0)
        assert {key[0] for key in found()} == {"memwatch_up", "memwatch_exporter_source"}
        reports.away = False
        until(lambda: found()["memwatch_up",] == 1)
    finally:
        follower.stop()
    said = [record.message for record in caplog.records]
    assert said == ["the transport cannot be read, memwatch_up is 0: Redis is away", "the transport can be read again"]


def test_a_folder_that_is_not_to_be_trusted_is_up_zero(tmp_path: Path) -> None:
    from memwatch.transport import open_peek

    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(TransportUnavailable, match="can be written by other users"):
        open_peek(f"local://{tmp_path}/open").look()
