"""From what the agents reported to passed, failed or cannot tell. Values only, but for the rows of leaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from memwatch.formatting import megabytes
from memwatch.queries.gate import ServiceRun
from memwatch.terminal.report import LeakFacts

PASSED, FAILED, UNCLEAR = STATES = ("passed", "failed", "could not tell")
EXIT_CODES = {PASSED: 0, FAILED: 1, UNCLEAR: 2}
LEAK, PEAK, JOB_PEAK, DEATH = KINDS = ("leak", "peak", "job-peak", "death")
MIN_SNAPSHOTS = 20
"""Of the process that reported most: with fewer a leak cannot be judged."""
MIN_MB = 16.0
"""A peak that is higher by less is no finding, whatever the share."""
OPEN = "open"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing for which the gate fails, or that is known."""

    kind: str
    service: str
    subject: str
    text: str
    file: str = ""
    line: int = 0
    known: str = ""
    """Why it does not fail the gate; empty where it does."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of a run."""

    seconds: float
    load: str
    services: tuple[ServiceRun, ...]
    findings: tuple[Finding, ...]
    unclear: tuple[str, ...]
    """Why the gate could not decide, and what to do."""

    @property
    def failing(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if not each.known)

    @property
    def state(self) -> str:
        if self.failing:
            return FAILED
        return UNCLEAR if self.unclear else PASSED


def peaks(services: Iterable[ServiceRun], more_percent: float) -> Iterator[Finding]:
    """Peaks that are higher than those of the release before, by a share and by :data:`MIN_MB`."""
    for run in services:
        against = f"in release {run.before}"
        if run.peak_mb is not None and run.before_mb is not None and _higher(run.peak_mb, run.before_mb, more_percent):
            yield Finding(
                kind=PEAK,
                service=run.service,
                subject=run.service,
                text=f"A process needs {megabytes(run.peak_mb)} at its peak, {megabytes(run.before_mb)} {against}.",
            )
        for job in run.jobs:
            if _higher(job.mb, job.before_mb, more_percent):
                yield Finding(
                    kind=JOB_PEAK,
                    service=run.service,
                    subject=job.name,
                    text=f"95 % of its calls need up to {megabytes(job.mb)} more memory while they run, "
                    f"{megabytes(job.before_mb)} {against}.",
                )


def _higher(now: float, before: float, more_percent: float) -> bool:
    return now - before >= MIN_MB and now > before * (1 + more_percent / 100)


def leaks(facts: Sequence[tuple[LeakFacts, str, int]]) -> Iterator[Finding]:
    """A finding for each leak with its file and line; one that somebody has dealt with is known."""
    for leak, file, line in facts:
        held = next((text for label, text in leak.facts if label == "held in"), "")
        parts = [leak.verdict or f"{leak.object_type} grows.", f"Held in {held}." if held else ""]
        yield Finding(
            kind=LEAK,
            service=leak.service,
            subject=leak.object_type,
            text=" ".join(filter(None, parts)),
            file=file,
            line=line,
            known="" if leak.state == OPEN else f"it is {leak.state}",
        )


def unclear(services: Sequence[ServiceRun], service: str | None, obstacle: str) -> Iterator[str]:
    """Why nothing can be said, as sentences."""
    if obstacle:
        yield f"The site was not driven as it should be: {obstacle}"
    if not services:
        whose = f"service {service!r}" if service is not None else "any service"
        yield f"No process of {whose} has reported: manage.py memwatch_doctor says why."
    for run in services:
        many = run.snapshots if run.counted is None else min(run.snapshots, run.counted)
        if many < MIN_SNAPSHOTS:
            yield (
                f"{run.service} has sent {many} snapshots with counts of objects since it warmed up, and "
                f"{MIN_SNAPSHOTS} are needed to judge it: give "
                "more --minutes, or set MEMWATCH_SNAPSHOT_INTERVAL of the site to fewer seconds."
            )
        if run.before and run.before_mb is None and run.peak_mb is not None:
            yield (
                f"{run.service}: the snapshots of release {run.before} are gone, so peaks cannot be compared: raise "
                "RETENTION_SNAPSHOTS_HOURS of the site."
            )
