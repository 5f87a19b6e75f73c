"""Jobs that end just before the process does, as a command's own job always does."""

from __future__ import annotations

from collections.abc import Callable

from memwatch.agent.work import meter
from memwatch.agent.work.meter import Meter
from memwatch.records.work import COMMAND
from tests.agent.conftest import Watched


def test_a_job_that_ended_since_the_last_snapshot_is_in_the_goodbye(
    make_watched: Callable[..., Watched], own_meter: Meter
) -> None:
    watched = make_watched(snapshot_interval=60.0)
    watched.wait(bool)
    meter.begin(COMMAND, "close_month").end()  # type: ignore[union-attr]
    watched.agent.thread.stop(5.0)

    (goodbye,) = [report for report in watched.collect() if report.goodbye]
    ((_seq, snapshot),) = goodbye.snapshots
    assert [(work.name, work.calls) for work in snapshot.work or ()] == [("close_month", 1)]


def test_a_process_in_which_no_job_has_ended_takes_no_snapshot_when_it_leaves(
    make_watched: Callable[..., Watched], own_meter: Meter
) -> None:
    watched = make_watched(snapshot_interval=60.0)
    watched.wait(bool)
    watched.agent.thread.stop(5.0)

    (goodbye,) = [report for report in watched.collect() if report.goodbye]
    assert goodbye.snapshots == ()
    assert not own_meter.totals.waiting
