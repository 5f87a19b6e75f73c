"""The rule for single jobs: a view, task or command whose peak comes near the limit, or is far above the usual."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from memwatch.alerts.inputs import LIMIT_WORDS, Finding, Fleet, JobView, Place
from memwatch.conf import Settings
from memwatch.thresholds import HOLD

TYPE = "job_peak"
MIN_RISE_MB = 16.0
"""A call that takes less is not what fills a process, however full that is."""
MIN_SHARE = 0.05
"""Nor is one that takes less than this share of the limit."""
UNUSUAL_TIMES = 10.0
"""A rise of so many times the usual raises an alert too, if it is at least ``UNUSUAL_MB``."""
UNUSUAL_MB = 256.0
AT_ONCE = 3
"""Alerts of one service; the message of the first counts the others."""


class _Level(NamedTuple):
    """How full the memory was at the peak."""

    percent: float
    said: str


class JobPeakRule:
    """A call came near the limit of its process or container, or took far more than calls do in this service."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        found: dict[int, list[Finding]] = {}
        for job in fleet.jobs:
            finding = _near_limit(job, fleet, limits) or _unusual(job, fleet)
            if finding is not None:
                found.setdefault(job.service_id, []).append(finding)
        for findings in found.values():
            yield from _worst(findings, fleet)


def _worst(findings: Sequence[Finding], fleet: Fleet) -> list[Finding]:
    """Critical ones first, then those that are raised already: so the choice stays the same."""
    ranked = sorted(
        findings, key=lambda one: (one.severity != "critical", one.key not in fleet.raised, -one.value, one.subject)
    )
    others = len(ranked) - AT_ONCE
    if others > 0:
        names = "1 more name" if others == 1 else f"{others} more names"
        words = f" {names} of this service had such a peak: see the page Work."
        ranked[0] = dataclasses.replace(ranked[0], message=ranked[0].message + words)
    return ranked[:AT_ONCE]


def _near_limit(job: JobView, fleet: Fleet, limits: Settings) -> Finding | None:
    level = _level(job)
    if level is None or job.rise_mb < MIN_RISE_MB:
        return None
    severity_now = fleet.raised.get((TYPE, job.subject))
    for severity, word, threshold in (
        ("critical", "critical", limits.heap_critical_percent),
        ("medium", "warning", limits.heap_warning_percent),
    ):
        holds = severity_now == "critical" or (severity_now is not None and severity != "critical")
        if level.percent >= threshold * (HOLD if holds else 1.0):
            return _finding(
                job,
                severity=severity,
                value=level.percent,
                threshold=threshold,
                place=job.peak_in,
                said=(
                    f"{level.said} during a call, {level.percent:.1f} %, {word} threshold {threshold:g} %. "
                    f"One call rose by up to {job.rise_mb:,.0f} MB. "
                    "Let it work on less at a time, or raise the limit, before a call is killed."
                ),
            )
    return None


def _level(job: JobView) -> _Level | None:
    """How near the peak came to the limit that it came nearest to."""
    levels = []
    if job.limit_mb and job.rise_mb >= MIN_SHARE * job.limit_mb:
        source = LIMIT_WORDS.get(job.limit_source or "", "limit")
        said = f"resident memory reached {job.peak_mb:,.0f} MB of {job.limit_mb:,.0f} MB ({source})"
        levels.append(_Level(job.peak_mb / job.limit_mb * 100, said))
    if job.container_mb is not None and job.container_limit_mb and job.rise_mb >= MIN_SHARE * job.container_limit_mb:
        said = (
            f"resident memory reached {job.peak_mb:,.0f} MB, with the others in its container "
            f"{job.container_mb:,.0f} MB of {job.container_limit_mb:,.0f} MB"
        )
        levels.append(_Level(job.container_mb / job.container_limit_mb * 100, said))
    return max(levels, default=None)


def _unusual(job: JobView, fleet: Fleet) -> Finding | None:
    if job.usual_mb is None or not job.limit_mb or job.rise_mb < UNUSUAL_MB:
        return None
    usual = max(job.usual_mb, 1.0)
    if job.rise_mb < UNUSUAL_TIMES * usual * fleet.hold(job.subject)(TYPE):
        return None
    percent = job.rise_mb / job.limit_mb * 100
    return _finding(
        job,
        severity="medium",
        value=percent,
        threshold=None,
        place=job.rise_in,
        said=(
            f"a call took {job.rise_mb:,.0f} MB at its peak, {job.rise_mb / usual:,.0f} times as much as 95 % of "
            f"calls do. That is {percent:.0f} % of what the process may grow to. "
            "Look for a query without a limit, or for a file that is read as a whole."
        ),
    )


def _finding(
    job: JobView, *, severity: str, value: float, threshold: float | None, place: Place | None, said: str
) -> Finding:
    where = f"service {job.service}" if place is None else place.name
    return Finding(
        type=TYPE,
        subject=job.subject,
        severity=severity,
        value=value,
        threshold=threshold,
        service_id=job.service_id,
        process_id=None if place is None else place.id,
        message=f"{job.kind} {job.name} in {where}: {said}"
        + (f" Trace of the call: {job.rise_trace}." if job.rise_trace else ""),
    )
