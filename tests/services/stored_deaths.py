"""Processes that have ended, as the ingest would have stored them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from memwatch.detection.deaths import Facts, OomCounters, decide, evidence
from memwatch.models import Process
from memwatch.records.flight import Flight, JobRun
from tests.services.stored import NOON, end_process, store_process


def store_death(
    service: str = "web",
    reason: str = Process.End.OOM_PROCESS,
    *,
    at: datetime = NOON,
    job: str = "shop.sync",
    process: Process | None = None,
    span: str = "",
    **record: Any,
) -> Process:
    """By SIGKILL, 34 s after ``job`` began, with 498 MB of 512 MB; the evidence says so whatever the ``reason`` is."""
    process = process or store_process(service, slot=1 + Process.objects.count())
    running = (JobRun("task", job, at.timestamp() - 34, span=span),) if job else ()
    flight = Flight(
        key=process.key, service=service, host=process.host, pid=process.pid, started_at=process.started_at,
        written_at=at, running=running, limit_source="cgroup", **record,
    )  # fmt: skip
    facts = Facts(at=at, flight=flight, status=-9, oom=OomCounters(0, 1), rss_mb=498.0, limit_mb=512.0)
    process.end_evidence = evidence(facts, decide(facts))
    end_process(process, at, reason)
    return process
