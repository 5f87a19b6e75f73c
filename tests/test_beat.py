from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from celery import Celery

from memwatch.beat import SteadyScheduler
from tests.reports import START

EVERY = {"ingest": 5.0, "detect": 60.0, "prune": 3600.0}


class Noted(SteadyScheduler):
    """Notes what it would send."""

    sent: list[str]

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent.append(entry.name)


def started(folder: Path) -> Noted:
    """A beat that reads its schedule's file."""
    app = Celery("beat", broker="memory://", set_as_current=False)
    app.conf.update(
        timezone="UTC", beat_schedule={name: {"task": name, "schedule": seconds} for name, seconds in EVERY.items()}
    )
    made = Noted(app=app, schedule_filename=str(folder / "schedule"), lazy=False)
    made.sent = []
    return made


@pytest.fixture
def scheduler(tmp_path: Path) -> Noted:
    with time_machine.travel(START, tick=False):
        return started(tmp_path)


def run(scheduler: Noted, clock: Any, seconds: float) -> list[str]:
    """What is sent in this time, beat looking once a second."""
    scheduler.sent = []
    for _ in range(int(seconds)):
        clock.shift(timedelta(seconds=1))
        while scheduler.tick() == 0:
            pass
    return scheduler.sent


def test_a_clock_set_back_by_an_hour_stops_no_task(scheduler: Noted, caplog: pytest.LogCaptureFixture) -> None:
    with time_machine.travel(START, tick=False) as clock, caplog.at_level(logging.WARNING, "memwatch"):
        run(scheduler, clock, 130)
        clock.shift(timedelta(hours=-1))
        sent = run(scheduler, clock, 130)
    assert sent.count("ingest") in (25, 26)
    assert sent.count("detect") == 2
    assert caplog.text.count("the clock was set back") == 1


def test_a_beat_started_after_the_clock_was_set_back_stops_no_task(
    scheduler: Noted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with time_machine.travel(START, tick=False) as clock, caplog.at_level(logging.WARNING, "memwatch"):
        run(scheduler, clock, 130)
        scheduler.close()
        clock.shift(timedelta(hours=-1))
        sent = run(started(tmp_path), clock, 130)
    assert sent.count("ingest") in (25, 26)
    assert sent.count("detect") == 2
    assert caplog.text.count("the clock was set back") == 1


def test_a_beat_started_again_keeps_its_timetable(
    scheduler: Noted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with time_machine.travel(START, tick=False) as clock, caplog.at_level(logging.WARNING, "memwatch"):
        run(scheduler, clock, 45)
        scheduler.close()
        clock.shift(timedelta(seconds=10))
        sent = run(started(tmp_path), clock, 10)
    assert sent.count("detect") == 1
    assert not caplog.text


def test_the_scheduler_keeps_time_like_that_of_celery(scheduler: Noted) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sent = run(scheduler, clock, 120)
        assert sent.count("ingest") in (23, 24)
        clock.shift(timedelta(hours=1))
        assert {"ingest", "detect", "prune"} <= set(run(scheduler, clock, 5))
