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


@pytest.fixture
def scheduler(tmp_path: Path) -> Noted:
    app = Celery("beat", broker="memory://", set_as_current=False)
    app.conf.update(
        timezone="UTC", beat_schedule={name: {"task": name, "schedule": seconds} for name, seconds in EVERY.items()}
    )
    with time_machine.travel(START, tick=False):
        made = Noted(app=app, schedule_filename=str(tmp_path / "schedule"), lazy=False)
    made.sent = []
    return made


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


def test_otherwise_it_keeps_time_as_celerys_own(scheduler: Noted) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sent = run(scheduler, clock, 120)
        assert sent.count("ingest") in (23, 24)
        clock.shift(timedelta(hours=1))
        assert {"ingest", "detect", "prune"} <= set(run(scheduler, clock, 5))
