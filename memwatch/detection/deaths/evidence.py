"""What is kept of an end: JSON of bounded size."""

from __future__ import annotations

from typing import Any

from memwatch.detection.deaths.decision import Verdict
from memwatch.detection.deaths.facts import NOT_COUNTED, Facts
from memwatch.detection.deaths.reasons import HARMLESS
from memwatch.records.flight import MAX_GROWERS, MAX_RECENT, MAX_RUNNING, MAX_SECONDS, MAX_SUMMARY, Flight, JobRun

_LONG = ("jobs", "recent", "rss_seconds", "growers")
"""Lists that are left empty for an end that somebody meant."""


def evidence(facts: Facts, verdict: Verdict) -> dict[str, Any]:
    """The verdict and what it was drawn from. Times before the end are in seconds."""
    flight, oom, job = facts.flight, facts.oom, facts.job
    rows: dict[str, Any] = {
        "sentence": verdict.sentence,
        "certain": verdict.certain,
        "signal": verdict.signal,
        "status": facts.status,
        "status_from": facts.status_from,
        "noticed_by": facts.noticed_by,
        "noticed_at": facts.at.isoformat(),
        "recorded": flight is not None,
        "job": None if job is None else _running(facts, job),
        "jobs": [],
        "recent": [],
        "rss_mb": _rounded(facts.rss_mb),
        "peak_mb": _rounded(_peak_mb(facts)),
        "limit_mb": _rounded(facts.limit_mb),
        "limit_source": None,
        "container_mb": None,
        "container_limit_mb": None,
        "rss_seconds": [],
        "growers": [],
        "summary": None,
        "summary_seconds_before_end": None,
        "oom": None if oom == NOT_COUNTED else oom._asdict(),
        "kernel_line": facts.kernel_line,
    }
    if flight is not None:
        rows.update(_of_flight(facts, flight))
    if verdict.reason in HARMLESS:
        rows.update({name: [] for name in _LONG}, summary=None, summary_seconds_before_end=None)
    return rows


def _of_flight(facts: Facts, flight: Flight) -> dict[str, Any]:
    at = facts.at.timestamp()
    return {
        "jobs": [_running(facts, job) for job in flight.running[:MAX_RUNNING]],
        "recent": [_ended(at, job) for job in flight.recent[:MAX_RECENT] if job.seconds is not None],
        "limit_source": flight.limit_source,
        "container_mb": _rounded(flight.container_mb),
        "container_limit_mb": _rounded(flight.container_limit_mb),
        "rss_seconds": [[_before(at, moment), _rounded(mb)] for moment, mb in flight.rss_seconds[-MAX_SECONDS:]],
        "growers": [[name, gained] for name, gained in flight.growers[:MAX_GROWERS]],
        "summary": [[row.type, row.objects, _rounded(row.mb)] for row in flight.summary[:MAX_SUMMARY]] or None,
        "summary_seconds_before_end": (
            None if flight.summary_at is None else _before(at, flight.summary_at.timestamp())
        ),
    }


def _running(facts: Facts, job: JobRun) -> dict[str, Any]:
    return {
        "kind": job.kind,
        "name": job.name,
        "seconds": _rounded(facts.seconds(job)),
        "limit_s": facts.limit_s(job),
        "span": job.span,
    }


def _ended(at: float, job: JobRun) -> list[Any]:
    seconds = job.seconds or 0.0
    return [job.kind, job.name, _rounded(seconds, 3), _before(at, job.began + seconds)]


def _peak_mb(facts: Facts) -> float | None:
    known = [] if facts.rss_mb is None else [facts.rss_mb]
    if facts.flight is not None:
        known += [mb for _moment, mb in facts.flight.rss_seconds]
    return max(known, default=None)


def _before(at: float, moment: float) -> float:
    return round(max(0.0, at - moment), 1)


def _rounded(value: float | None, places: int = 1) -> float | None:
    return None if value is None else round(value, places)
