"""From what the agents reported to passed, failed or cannot tell. Values only, but for the rows of leaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from memwatch.alerts.releases import takes_more
from memwatch.conf import Settings
from memwatch.detection.releases.comparison import ALPHA, PEAK_ALPHA
from memwatch.detection.releases.result import Comparison, headline
from memwatch.formatting import megabytes
from memwatch.queries.gate import ServiceRun
from memwatch.terminal.report import LeakFacts

PASSED, FAILED, UNCLEAR = STATES = ("passed", "failed", "could not tell")
EXIT_CODES = {PASSED: 0, FAILED: 1, UNCLEAR: 2}
LEAK, RELEASE, PEAK, JOB_PEAK, DEATH = KINDS = ("leak", "release", "peak", "job-peak", "death")
MIN_SNAPSHOTS = 20
"""Of the process that reported most: with fewer a leak cannot be judged."""
OPEN, RESOLVED = "open", "resolved"


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
    releases: tuple[str, ...] = ()
    """What each service's release changed, in a line."""

    @property
    def failing(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if not each.known)

    @property
    def state(self) -> str:
        if self.failing:
            return FAILED
        return UNCLEAR if self.unclear else PASSED


def against(found: Comparison) -> str:
    """E.g. ``web 2.4 against 2.3: +150 MB a worker at birth``."""
    return f"{found.after.service} {found.after.name} against {found.before.name}: {headline(found)}"


def larger(comparisons: Iterable[Comparison], limits: Settings) -> Iterator[Finding]:
    """Releases whose workers take more memory than those of the release before, as the alert has it."""
    for found in comparisons:
        if takes_more({name: dataclasses.asdict(change) for name, change in found.figures.items()}, limits) is not None:
            yield Finding(
                kind=RELEASE,
                service=found.after.service,
                subject=found.after.service,
                text=f"{headline(found)}, against release {found.before.name}.",
            )


def peaks(services: Iterable[ServiceRun], limits: Settings) -> Iterator[Finding]:
    """Peaks that are higher than those of the release before by a share and by some MB, and not by chance."""
    for run in services:
        against = f"in release {run.before}"
        if _higher(run.peak_mb, run.before_mb, limits) and (run.peak_p is None or run.peak_p <= ALPHA):
            yield Finding(
                kind=PEAK,
                service=run.service,
                subject=run.service,
                text=f"A process needs {megabytes(run.peak_mb)} at its peak, {megabytes(run.before_mb)} {against}.",
            )
        for job in run.jobs:
            if _higher(job.mb, job.before_mb, limits) and (job.p is None or job.p <= PEAK_ALPHA):
                yield Finding(
                    kind=JOB_PEAK,
                    service=run.service,
                    subject=job.name,
                    text=f"95 % of its calls need up to {megabytes(job.mb)} more memory while they run, "
                    f"{megabytes(job.before_mb)} {against}.",
                )


def _higher(now: float | None, before: float | None, limits: Settings) -> bool:
    if now is None or before is None:
        return False
    return now - before >= limits.release_change_min_mb and now > before * (1 + limits.release_change_percent / 100)


def leaks(facts: Sequence[tuple[LeakFacts, str, int]]) -> Iterator[Finding]:
    """A finding for each leak with its file and line; one that somebody has dealt with is known."""
    for leak, file, line in facts:
        held = next((text for label, text in leak.facts if label == "held in"), "")
        parts = [
            f"{(leak.verdict or f'{leak.object_type} grows').rstrip('.')}.",
            f"Held in {held}." if held and held not in leak.verdict else "",
            "The process that had it has ended." if leak.state == RESOLVED else "",
        ]
        yield Finding(
            kind=LEAK,
            service=leak.service,
            subject=leak.object_type,
            text=" ".join(filter(None, parts)),
            file=file,
            line=line,
            known="" if leak.state in (OPEN, RESOLVED) else f"it is {leak.state}",
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
