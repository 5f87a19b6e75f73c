"""Jobs of APScheduler."""

from __future__ import annotations

from apscheduler.schedulers.blocking import BlockingScheduler


def add() -> None:
    return None


def fail() -> None:
    raise ValueError("of the test")


if __name__ == "__main__":
    scheduler = BlockingScheduler()
    scheduler.add_job("timetable:add", "interval", seconds=0.1)
    scheduler.add_job(fail, "interval", seconds=0.1)
    scheduler.start()
