"""Ends of processes as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.detection.deaths import Facts, OomCounters
from memwatch.records.flight import Flight, JobRun

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
NO_KILLS, ONE_KILL = OomCounters(2, 2, 0, 0), OomCounters(2, 3, 0, 0)


def running(
    name: str = "shop.sync", for_s: float = 30.0, *, kind: str = "task", limit_s: float | None = None
) -> JobRun:
    return JobRun(kind, name, AT.timestamp() - for_s, None, limit_s)


def flight(*jobs: JobRun, **values: Any) -> Flight:
    usual: dict[str, Any] = {
        "key": "h1:100:1.000:n", "service": "web", "host": "h1", "pid": 100, "started_at": AT - timedelta(hours=1),
        "written_at": AT - timedelta(seconds=3), "running": jobs,
    }  # fmt: skip
    return Flight(**usual | values)


def facts(*jobs: JobRun, record: dict[str, Any] | None = None, **values: Any) -> Facts:
    return Facts(**{"at": AT, "flight": flight(*jobs, **(record or {})), **values})
