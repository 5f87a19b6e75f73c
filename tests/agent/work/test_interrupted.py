"""A signal's handler of the host may raise within any line of the meter: what is lost then is one job at most."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from memwatch.agent.work import meter
from memwatch.agent.work.job import Job
from memwatch.agent.work.meter import Meter
from memwatch.agent.work.totals import MISSES, Totals, _count
from memwatch.records.work import TASK, WorkFigures


class TimeLimitError(Exception):
    """What the host's handler raises."""


class Alarm:
    """Strikes once, within some line that runs."""

    def __init__(self) -> None:
        self.struck = False

    def strike(self, _signal: int, _frame: FrameType | None) -> None:
        self.struck = True
        raise TimeLimitError

    def interrupt(self, number: int) -> None:
        """Begin and end jobs until it strikes, each time a little later."""
        self.struck = False
        try:
            signal.setitimer(signal.ITIMER_REAL, 3e-5 + number % 40 * 1e-6)
            while not self.struck:
                job = meter.begin(TASK, "shop.sync", outermost=True)
                assert job is not None
                job.end()
        except TimeLimitError:
            pass


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    made = Alarm()
    before = signal.signal(signal.SIGALRM, made.strike)
    yield made
    signal.signal(signal.SIGALRM, before)


def taken() -> tuple[WorkFigures, ...]:
    """What the agent has got after some snapshots."""
    return tuple(row for _ in range(MISSES) for row in meter.take() or ())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_jobs_are_counted_after_any_interruption(own_meter: Meter, alarm: Alarm) -> None:
    for number in range(400):
        alarm.interrupt(number)
    gc.collect()
    taken()
    meter.begin(TASK, "later", outermost=True).end()  # type: ignore[union-attr]
    rows = {row.name: row for row in taken()}
    assert (rows["later"].calls, rows["later"].shared) == (1, 0)
    assert rows["later"].seconds_max < 1
    assert not own_meter.running


def test_sums_that_nobody_gives_back_are_taken_all_the_same() -> None:
    totals = Totals()
    assert totals._guard.acquire(blocking=False)  # by a thread whose handler raised before it could count
    totals.ended.append((TASK, "shop.sync", 0.1, False, False, None, None, None, None, None, None))
    found = [totals.take() for _ in range(MISSES)]
    assert found[:-1] == [None] * (MISSES - 1)
    assert [row.calls for row in found[-1] or ()] == [1]
    totals.ended.append((TASK, "shop.sync", 0.1, False, False, None, None, None, None, None, None))
    assert [row.calls for row in totals.take() or ()] == [1]


def test_a_row_that_was_left_half_written_takes_further_jobs() -> None:
    ended = (TASK, "shop.sync", 0.1, False, False, 5, 6, 7, None, 8, None)
    row: dict[str, Any] = {
        "calls": 1,
        "seconds": 0.0,
        "seconds_max": 0.0,
        "seconds_counts": {},
        "blocks_calls": 1,
        "rss_calls": 1,
    }
    _count(row, ended)
    assert (row["blocks_max"], row["rss_kib_max"]) == (5, 6)


def test_a_job_that_was_interrupted_while_it_began_has_taken_no_time(own_meter: Meter) -> None:
    own_meter.serials = iter(())  # it raises where the job gets its number
    with pytest.raises(StopIteration):
        meter.begin(TASK, "shop.sync")
    (row,) = meter.take() or ()
    assert (row.calls, row.shared) == (1, 1)
    assert row.seconds < 1


def test_a_job_that_was_interrupted_while_it_was_made_is_none(capfd: pytest.CaptureFixture[str]) -> None:
    Job.__new__(Job)
    gc.collect()
    assert not capfd.readouterr().err
