"""Ends of processes as agents report them, at times relative to :data:`tests.reports.START`."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from memwatch.records.flight import Death, Flight, JobRun
from memwatch.sampling.identity import ProcessInfo
from memwatch.transport.wire import Report
from tests.reports import at, process, report

KILLED = -signal.SIGKILL
WATCHER = 999


def running(
    name: str = "shop.sync", began_s: float = 0.0, *, kind: str = "task", limit_s: float | None = None
) -> JobRun:
    return JobRun(kind, name, at(began_s).timestamp(), None, limit_s)


def flight(of: ProcessInfo, *jobs: JobRun, written_s: float = 0.0, **more: Any) -> Flight:
    usual = {
        "key": of.key, "service": of.service, "host": of.host, "pid": of.pid, "started_at": of.started_at,
        "written_at": at(written_s), "running": jobs,
    }  # fmt: skip
    return Flight(**usual | more)


def death(of: ProcessInfo, noticed_s: float = 30.0, *, record: Flight | None = None, **more: Any) -> Death:
    return Death(key=of.key, noticed_at=at(noticed_s), flight=record, **more)


def brought(
    *deaths: Death, sent_s: float = 31.0, by: ProcessInfo | None = None, snapshots: Any = None, **more: Any
) -> Report:
    """By a process of the same host, if nothing else is said."""
    return report(by or process(WATCHER), snapshots, sent_s=sent_s, deaths=tuple(deaths), **more)


def of_many(processes: Sequence[ProcessInfo], **more: Any) -> list[Report]:
    """Reports of twenty ends each."""
    ends = [death(one, record=flight(one), **more) for one in processes]
    return [brought(*ends[start : start + 20]) for start in range(0, len(ends), 20)]
