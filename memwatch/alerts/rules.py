"""The rules: each a small class with one verb, ``findings``, a pure function of values. ``RULES`` lists them all."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from memwatch import thresholds
from memwatch.alerts.inputs import LIMIT_WORDS, Finding, Fleet, LeakView, ProcessView, leak_subject
from memwatch.alerts.job_peaks import JobPeakRule
from memwatch.alerts.process_deaths import ProcessKilledRule
from memwatch.alerts.recycling import RecyclingUselessRule
from memwatch.alerts.releases import ReleaseChangeRule
from memwatch.conf import Settings
from memwatch.detection.surroundings.container import container_subject
from memwatch.records import SEVERITIES
from memwatch.thresholds import Crossing

LONGEST_WORK = 400
"""Characters of what is said of views, tasks and commands."""
WARM_UP_S = 600.0
"""Imports, first requests and pools fill a process in its first minutes: growth is not counted from then."""


class Rule(Protocol):
    """Decides from values alone what is over a threshold."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterable[Finding]: ...


def subject_of(process: ProcessView) -> str:
    return f"process:{process.id}"


class HeapRule:
    """The heap of a process is near what it may grow to. Critical takes the place of the warning."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            if process.heap_percent is None:
                continue
            crossing = thresholds.full(
                "heap",
                process.heap_percent,
                process.heap_size_mb or 0.0,
                f" ({LIMIT_WORDS.get(process.heap_limit_source or '', 'limit')})",
                warning=limits.heap_warning_percent,
                critical=limits.heap_critical_percent,
                hold=fleet.hold(subject_of(process)),
            )
            advice = "See its leaks and its largest types; restart it before it runs out, or raise the limit."
            yield from _of_process(process, crossing, advice)


class ContainerRule:
    """A container is near its limit: what the OOM killer looks at. Workers share it, so it is said once for all."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        containers: dict[str, list[ProcessView]] = {}
        for process in fleet.processes:
            if process.cgroup_used_mb is not None and process.cgroup_limit_mb:
                containers.setdefault(container_subject(process.host, process.cgroup_limit_mb), []).append(process)
        for subject, members in containers.items():
            largest = max(members, key=lambda member: member.rss_mb or 0)
            crossing = thresholds.full(
                "container",
                max((member.cgroup_used_mb or 0) / (member.cgroup_limit_mb or 1) for member in members) * 100,
                largest.cgroup_limit_mb or 0.0,
                "",
                warning=limits.heap_warning_percent,
                critical=limits.heap_critical_percent,
                hold=fleet.hold(subject),
            )
            if crossing is not None:
                says = next((member.container_says for member in members if member.container_says), "")
                yield _finding(
                    crossing,
                    subject=subject,
                    service_id=largest.service_id,
                    message=(
                        f"{_named(members)} on {largest.host}: {crossing.message}; the largest process is "
                        f"{largest.slot}. Restart it or raise the limit before the kernel kills one. {says}"
                    ).rstrip(),
                )


class GrowthRateRule:
    """The memory a process never falls under rises fast, and still does."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            floors = _floors_after_warm_up(process)
            if (len(floors) - 1) * process.stretch_s < thresholds.MIN_SPAN_S:
                continue
            crossing = thresholds.growth(
                floors,
                process.stretch_s,
                threshold=limits.growth_rate_warning,
                hold=fleet.hold(subject_of(process)),
            )
            yield from _of_process(process, crossing, "See whether a leak is open for it, and compare its snapshots.")


class GcSpikeRule:
    """The collector runs far more often than this process is used to."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            if process.gc_rate is None or process.gc_average is None:
                continue
            crossing = thresholds.gc_spike(
                process.gc_rate,
                process.gc_average,
                multiplier=limits.gc_spike_threshold,
                hold=fleet.hold(subject_of(process)),
            )
            advice = "Look for code that makes many objects at once: a large query, a report, a new release."
            yield from _of_process(process, crossing, advice)


class LeakRule:
    """One alert for each type that leaks in a service: its leaks that are open or acknowledged, in all processes."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        causes: dict[str, list[LeakView]] = {}
        for leak in fleet.leaks:
            causes.setdefault(leak_subject(leak.service_id, leak.kind, leak.object_type), []).append(leak)
        for subject, leaks in causes.items():
            worst = min(leaks, key=_urgency)
            pooled = any(leak.process_id is None for leak in leaks)
            yield Finding(
                type="leak",
                subject=subject,
                severity=worst.severity,
                value=worst.growth_percent,
                threshold=limits.leak_min_growth_percent,
                service_id=worst.service_id,
                process_id=worst.process_id if len(leaks) == 1 else None,
                leak_id=worst.id,
                leak_ids=tuple(leak.id for leak in leaks),
                processes=None if pooled else len(leaks),
                message=_leak_message(leaks, worst, pooled=pooled),
            )


class DriftRule:
    """A process has moved far from its baseline, and has stayed there for half an hour."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            drift = _floor_drift(process)
            if drift is None:
                continue
            value, mb = drift
            subject = subject_of(process)
            severity_now = fleet.raised.get(("baseline_drift", subject))
            hold = fleet.hold(subject)("baseline_drift")
            critical_hold = hold if severity_now == "critical" else 1.0
            if mb < limits.drift_min_mb * hold or value < limits.drift_warning_percent * hold:
                continue
            critical = value >= limits.drift_critical_percent * critical_hold
            level, severity, threshold = (
                ("critical", "critical", limits.drift_critical_percent)
                if critical
                else ("warning", "medium", limits.drift_warning_percent)
            )
            yield Finding(
                type="baseline_drift",
                subject=subject,
                severity=severity,
                value=value,
                threshold=threshold,
                service_id=process.service_id,
                process_id=process.id,
                message=(
                    f"{process.name}: heap {value:.0f} % ({mb:.0f} MB) above its baseline for half an hour, {level} "
                    f"threshold {threshold:g} %. Compare with the baseline; reset it if this is the new normal."
                ),
            )


RULES: tuple[Rule, ...] = (
    HeapRule(),
    ContainerRule(),
    GrowthRateRule(),
    GcSpikeRule(),
    LeakRule(),
    DriftRule(),
    JobPeakRule(),
    ProcessKilledRule(),
    RecyclingUselessRule(),
    ReleaseChangeRule(),
)
"""Every rule, in the order in which their alerts are raised."""


def decide(fleet: Fleet, limits: Settings) -> list[Finding]:
    """What every rule finds, each (type, subject) once."""
    found: dict[tuple[str, str], Finding] = {}
    for rule in RULES:
        for finding in rule.findings(fleet, limits):
            found.setdefault(finding.key, finding)
    return list(found.values())


def _urgency(leak: LeakView) -> tuple[int, float, int]:
    """The least is the worst: by severity, then by the time that memory lasts."""
    left = math.inf if leak.time_to_exhaustion_s is None else leak.time_to_exhaustion_s
    return -SEVERITIES.index(leak.severity), left, leak.id


_WITHOUT_TYPE = {"untracked": "memory in untracked objects", "native": "native memory"}
"""What leaks, by the kind of a leak without a type. Its growth has a unit of its own, which the verdict says."""


def _leak_message(leaks: Sequence[LeakView], worst: LeakView, *, pooled: bool) -> str:
    place = f"{worst.slot} on {worst.host}" if worst.slot else f"service {worst.service}"
    where = place if len(leaks) == 1 else f"service {worst.service}"
    many = "" if len(leaks) == 1 or pooled else f" in {len(leaks)} processes"
    at_worst = "" if len(leaks) == 1 or not worst.slot else f" in {place}"
    work = f"{textwrap.shorten(worst.work, LONGEST_WORK, placeholder='…').rstrip('.')}. " if worst.work else ""
    untyped = _WITHOUT_TYPE.get(worst.kind)
    percent = f"{worst.growth_percent:.0f} %"
    grown = percent if untyped else f"{worst.growth_count:,} ({percent})"
    return (
        f"{where}: {untyped or worst.object_type} leaks{many}, {worst.severity} severity, grown by {grown}{at_worst}. "
        f"{worst.sentence.rstrip('.')}. {work}"
        "Open the leak to see what holds it, then acknowledge, snooze or suppress it."
    )


def _of_process(process: ProcessView, crossing: Crossing | None, advice: str) -> Iterator[Finding]:
    if crossing is not None:
        yield _finding(
            crossing,
            subject=subject_of(process),
            service_id=process.service_id,
            process_id=process.id,
            message=f"{process.name}: {crossing.message}. {advice}",
        )


def _finding(crossing: Crossing, **values: Any) -> Finding:
    return Finding(**{**dataclasses.asdict(crossing), **values})


def _named(members: list[ProcessView]) -> str:
    slots = sorted(member.slot for member in members)
    return ", ".join(slots[:3]) + (f" and {len(slots) - 3} more" if len(slots) > 3 else "")


def _floors_after_warm_up(process: ProcessView) -> list[float]:
    """Its floors in MB since the last stretch that has none."""
    usable = int((process.age_s - WARM_UP_S) // process.stretch_s) if process.age_s > WARM_UP_S else 0
    floors: list[float] = []
    for floor in reversed(process.floors_mb[max(0, len(process.floors_mb) - usable) :]):
        if floor is None:
            break
        floors.insert(0, floor)
    return floors


def _floor_drift(process: ProcessView) -> tuple[float, float] | None:
    """Percent and MB above the baseline of the last half hour's floor; ``None`` where it is not above."""
    used, percent = process.heap_used_mb, process.drift_percent
    if used is None or percent is None or percent <= 0 or process.age_s < thresholds.MIN_SPAN_S:
        return None
    baseline = used / (1 + percent / 100)
    recent = max(1, round(thresholds.MIN_SPAN_S / process.stretch_s))
    floor = min([used, *(value for value in process.floors_mb[-recent:] if value is not None)])
    if baseline <= 0 or floor <= baseline:
        return None
    return (floor - baseline) / baseline * 100, floor - baseline
