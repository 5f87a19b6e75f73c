"""The running agent: what it sends, what it obeys, and what it does when things go wrong."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memwatch.agent import server_settings
from memwatch.sampling import Sampler
from memwatch.transport.wire import Command, Report
from tests.agent.conftest import Watched
from tests.waiting import until

MakeWatched = Callable[..., Watched]


def test_snapshots_arrive_numbered_without_a_gap_and_with_a_lease(make_watched: MakeWatched) -> None:
    watched = make_watched()
    reports = watched.wait(lambda found: sum(len(report.snapshots) for report in found) >= 4)
    assert watched.sequence()[:4] == [1, 2, 3, 4]
    assert {report.process.service for report in reports} == {"tests"}
    assert {report.process.key for report in reports} == {watched.agent.process.key}
    assert {report.lease_s for report in reports} == {20.6}
    assert any((snapshot.total_objects or 0) > 10_000 for report in reports for _, snapshot in report.snapshots)


def test_a_process_reporting_once_a_minute_may_be_silent_for_three(make_watched: MakeWatched) -> None:
    assert make_watched(snapshot_interval=60.0).agent.lease_s == 200.0


def test_commands_are_answered(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    ping = watched.command("ping")
    answer = watched.ask(ping)
    assert answer is not None
    assert [(given.command, given.state) for given in answer.answers] == [(ping.id, "done")]
    assert answer.snapshots == ()

    taken = watched.ask(watched.command("snapshot"))
    assert taken is not None
    ((seq, snapshot),) = taken.snapshots
    assert taken.answers[0].state == "done"
    assert taken.answers[0].snapshot_seq == seq
    assert (snapshot.total_objects or 0) > 10_000
    watched.wait(lambda found: any(report.answers == taken.answers for report in found), within_s=5)


def test_a_flood_of_right_commands_costs_one_census_a_second(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    began = time.monotonic()
    answers = [watched.ask(watched.command("snapshot")) for _ in range(30)]
    lasted = time.monotonic() - began
    states = [answer.answers[0].state for answer in answers if answer is not None]
    assert len(states) == 30
    assert states.count("done") <= 1 + lasted
    assert set(states) == {"done", "refused"}
    refused = next(answer.answers[0] for answer in answers if answer and answer.answers[0].state == "refused")
    assert "ask again in" in refused.detail


def test_growth_is_counted_from_a_reset_on(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    watched.wait(lambda reports: any(report.snapshots for report in reports))  # what growth is counted from so far

    class Quote:
        pass

    held = [Quote() for _ in range(3000)]
    grown = watched.ask(watched.command("reset_baseline"))
    assert grown is not None
    assert grown.answers[0].state == "done"
    ((_, snapshot),) = grown.snapshots
    names = [name for name in snapshot.top_objects or {} if name.endswith("Quote")]
    assert names, "a grower before the reset"
    assert len(held) == 3000


def test_forged_repeated_and_expired_commands_are_refused_counted_and_said_once_a_kind(
    make_watched: MakeWatched, caplog: pytest.LogCaptureFixture
) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    good = watched.command("ping").encode("tests-key")
    assert watched.ask(good) is not None
    with caplog.at_level(logging.WARNING, "memwatch.agent"):
        for payload in (
            good,
            good,
            watched.command("snapshot").encode("a stolen key"),
            Command.make("ping", watched.agent.process.key, lifetime_s=-1).encode("tests-key"),
            b"\x00 no command",
        ):
            assert watched.ask(payload, timeout_s=1.0) is None
    last = watched.ask(watched.command("ping"))
    assert last is not None
    assert last.refused_commands == 5
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert sum("repeated" in line for line in said) == 1


def test_snapshots_of_an_outage_are_kept_and_delivered_on_return(
    make_watched: MakeWatched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "transport"
    in_the_way.write_text("a file where the folder should be")
    watched = make_watched(f"local://{in_the_way}")
    with caplog.at_level(logging.INFO, "memwatch.agent"):
        until(lambda: len(watched.agent._outbox._buffer) >= 5)
        in_the_way.unlink()
        watched.wait(lambda found: sum(len(report.snapshots) for report in found) >= 6)
        until(lambda: len(caplog.records) >= 2)  # said after the delivery
    numbers = watched.sequence()
    assert numbers == list(range(1, len(numbers) + 1))
    assert watched.reports[-1].dropped == 0
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2, said
    assert str(in_the_way) in said[0]
    assert "runs on" in said[0]
    assert "is back" in said[1]


def test_what_a_full_buffer_gives_up_is_counted(make_watched: MakeWatched, tmp_path: Path) -> None:
    in_the_way = tmp_path / "transport"
    in_the_way.write_text("")
    watched = make_watched(f"local://{in_the_way}", buffer_size=2)
    until(lambda: watched.agent._outbox.dropped >= 2)
    in_the_way.unlink()
    reports = watched.wait(lambda found: any(report.dropped for report in found))
    dropped = max(report.dropped for report in reports)
    assert dropped >= 2
    numbers = watched.sequence()
    assert numbers[0] == dropped + 1
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_a_transport_removed_under_way_is_made_again(make_watched: MakeWatched, tmp_path: Path) -> None:
    watched = make_watched()
    watched.wait(bool)
    shutil.rmtree(tmp_path / "transport")
    seen = len(watched.reports)
    watched.wait(lambda found: len(found) > seen)
    watched.wait(lambda _: watched.ask(watched.command("ping"), timeout_s=1.0) is not None)


def test_a_process_whose_sampling_fails_still_shows_that_it_lives(
    make_watched: MakeWatched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: Sampler, *, census: bool | None = None) -> None:
        raise MemoryError

    monkeypatch.setattr(Sampler, "sample", fail)
    with caplog.at_level(logging.WARNING, "memwatch.agent"):
        watched = make_watched()
        reports = watched.wait(lambda found: any(report.failures >= 3 for report in found))
        assert all(report.snapshots == () for report in reports)
        failed = watched.listens().ask(watched.command("snapshot"))
    assert failed is not None
    assert failed.answers[0].state == "failed"
    assert len([record for record in caplog.records if "no snapshot" in record.getMessage()]) == 1


def test_a_stopped_agent_says_goodbye_once_and_leaves_no_socket(make_watched: MakeWatched, tmp_path: Path) -> None:
    watched = make_watched()
    watched.wait(bool)
    began = time.monotonic()
    assert watched.agent.thread.stop(2.0)
    assert time.monotonic() - began < 1.0
    goodbyes = [report for report in watched.collect() if report.goodbye]
    assert len(goodbyes) == 1
    assert goodbyes[0] is watched.reports[-1]
    assert list((tmp_path / "transport" / "sockets").iterdir()) == []


def test_a_process_nobody_has_heard_of_leaves_without_a_word(make_watched: MakeWatched, tmp_path: Path) -> None:
    watched = make_watched(snapshot_interval=60.0)
    watched.agent.thread.stop(2.0)
    reports: list[Report] = watched.collect()
    assert all(report.snapshots for report in reports[:1])
    assert len([report for report in reports if report.goodbye]) in (0, 1)
    assert bool(reports) == any(report.goodbye for report in reports)


@pytest.mark.redis
def test_the_same_over_redis(make_watched: MakeWatched, redis_url: str) -> None:
    watched = make_watched(f"{redis_url}?prefix=agent-test").listens()
    watched.wait(lambda found: sum(len(report.snapshots) for report in found) >= 2, within_s=30.0)
    assert watched.ask(watched.command("ping")) is not None
    watched.agent.thread.stop(2.0)
    assert any(report.goodbye for report in watched.collect())


def test_what_its_server_says_later_is_in_the_next_reports(
    make_watched: MakeWatched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_settings, "_noted", {"server": "celery"})
    watched = make_watched()
    watched.wait(lambda found: any(report.process.server_settings == {"server": "celery"} for report in found))
    server_settings.note({"concurrency": 4})
    known = {"server": "celery", "concurrency": 4}
    reports = watched.wait(lambda found: any(report.process.server_settings == known for report in found))
    assert len({report.process.key for report in reports}) == 1
