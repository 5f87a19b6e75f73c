"""The rules: each a small class with one verb, ``findings``, a pure function of values. ``RULES`` lists them all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from memwatch.alerts.inputs import Finding, Fleet, LeakView, ProcessView, leak_subject
from memwatch.conf import Settings
from memwatch.records import SEVERITIES

WARM_UP_S = 600.0
"""Imports, first requests and pools fill a process in its first minutes: growth is not counted from then."""
MIN_SPAN_S = 1800.0
"""A growth rate needs floors at least half an hour apart: one batch job is no trend."""
MIN_GROWTH_MB = 4.0
"""Growth of less between two floors is a late import or a fragmented arena, whatever its percentage."""
STILL_GROWING = 0.3
"""The last stretch must grow at this share of the whole span's rate: a step that is over is no growth."""
GC_MIN_RATE = 0.2
"""Collections a second under which a spike costs nothing worth a word."""

_LIMITS = {
    "setting": "HEAP_LIMIT_MB",
    "cgroup": "container limit",
    "rlimit": "the process's own limit",
    "host": "the host's memory",
}


class Rule(Protocol):
    """Decides from values alone what is over a threshold."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterable[Finding]: ...


def subject_of(process: ProcessView) -> str:
    return f"process:{process.id}"


class HeapRule:
    """The heap of a process is near what it may grow to. Critical takes the place of the warning."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            value = process.heap_percent
            if value is None:
                continue
            subject = subject_of(process)
            for level, severity, threshold in _levels(limits):
                if value < threshold * fleet.hold(f"heap_{level}", subject):
                    continue
                yield Finding(
                    type=f"heap_{level}",
                    subject=subject,
                    severity=severity,
                    value=value,
                    threshold=threshold,
                    service_id=process.service_id,
                    process_id=process.id,
                    message=(
                        f"{process.name}: heap at {value:.1f} % of {process.heap_size_mb:.0f} MB "
                        f"({_LIMITS.get(process.heap_limit_source or '', 'limit')}), "
                        f"{level} threshold {threshold:g} %. "
                        "See its leaks and its largest types; restart it before it runs out, or raise the limit."
                    ),
                )
                break


class ContainerRule:
    """A container is near its limit: what the OOM killer looks at. Workers share it, so it is said once for all."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        containers: dict[str, list[ProcessView]] = {}
        for process in fleet.processes:
            if process.cgroup_used_mb is not None and process.cgroup_limit_mb:
                containers.setdefault(f"container:{process.host}:{process.cgroup_limit_mb:.0f}", []).append(process)
        for subject, members in containers.items():
            fullest = max(members, key=lambda member: (member.cgroup_used_mb or 0) / (member.cgroup_limit_mb or 1))
            largest = max(members, key=lambda member: member.rss_mb or 0)
            value = (fullest.cgroup_used_mb or 0) / (fullest.cgroup_limit_mb or 1) * 100
            for level, severity, threshold in _levels(limits):
                if value < threshold * fleet.hold(f"container_{level}", subject):
                    continue
                yield Finding(
                    type=f"container_{level}",
                    subject=subject,
                    severity=severity,
                    value=value,
                    threshold=threshold,
                    service_id=largest.service_id,
                    message=(
                        f"Container of {_named(members)} on {largest.host}: {value:.1f} % of "
                        f"{largest.cgroup_limit_mb:.0f} MB in use, {level} threshold {threshold:g} %; the largest "
                        f"process is {largest.slot}. Restart it or raise the limit before the kernel kills one."
                    ),
                )
                break


class GrowthRateRule:
    """The memory a process never falls under rises fast, and still does."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            growth = _floor_growth(process)
            if growth is None:
                continue
            first_mb, last_mb, hours = growth
            value = (last_mb - first_mb) / first_mb * 100 / hours
            subject, threshold = subject_of(process), limits.growth_rate_warning
            if value < threshold * fleet.hold("growth_rate", subject):
                continue
            yield Finding(
                type="growth_rate",
                subject=subject,
                severity="medium",
                value=value,
                threshold=threshold,
                service_id=process.service_id,
                process_id=process.id,
                message=(
                    f"{process.name}: memory floor grows by {value:.1f} % an hour ({first_mb:.0f} MB to "
                    f"{last_mb:.0f} MB in {hours * 60:.0f} minutes), threshold {threshold:g} % an hour. "
                    "See whether a leak is open for it, and compare its snapshots."
                ),
            )


class GcSpikeRule:
    """The collector runs far more often than this process is used to."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for process in fleet.processes:
            rate, average = process.gc_rate, process.gc_average
            if rate is None or average is None:
                continue
            subject = subject_of(process)
            hold = fleet.hold("gc_spike", subject)
            threshold = max(average * limits.gc_spike_threshold, GC_MIN_RATE)
            if rate <= threshold * hold:
                continue
            yield Finding(
                type="gc_spike",
                subject=subject,
                severity="medium",
                value=rate,
                threshold=threshold,
                service_id=process.service_id,
                process_id=process.id,
                message=(
                    f"{process.name}: {rate:.2f} collections of generations 1 and 2 a second against {average:.2f} "
                    f"before, threshold {threshold:.2f}. Look for code that makes many objects at once: "
                    "a large query, a report, a new release."
                ),
            )


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
            hold = fleet.hold("baseline_drift", subject)
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


RULES: tuple[Rule, ...] = (HeapRule(), ContainerRule(), GrowthRateRule(), GcSpikeRule(), LeakRule(), DriftRule())
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


def _leak_message(leaks: Sequence[LeakView], worst: LeakView, *, pooled: bool) -> str:
    place = f"{worst.slot} on {worst.host}" if worst.slot else f"service {worst.service}"
    where = place if len(leaks) == 1 else f"service {worst.service}"
    many = "" if len(leaks) == 1 or pooled else f" in {len(leaks)} processes"
    at_worst = "" if len(leaks) == 1 or not worst.slot else f" in {place}"
    return (
        f"{where}: {worst.object_type} leaks{many}, {worst.severity} severity, grown by {worst.growth_count:,} "
        f"({worst.growth_percent:.0f} %){at_worst}. {worst.sentence.rstrip('.')}. "
        "Open the leak to see what holds it, then acknowledge, snooze or suppress it."
    )


def _levels(limits: Settings) -> tuple[tuple[str, str, float], ...]:
    return (
        ("critical", "critical", limits.heap_critical_percent),
        ("warning", "medium", limits.heap_warning_percent),
    )


def _named(members: list[ProcessView]) -> str:
    slots = sorted(member.slot for member in members)
    return ", ".join(slots[:3]) + (f" and {len(slots) - 3} more" if len(slots) > 3 else "")


def _floor_growth(process: ProcessView) -> tuple[float, float, float] | None:
    """First floor, last floor (MB) and the hours between; ``None`` where nothing grows or too little is known."""
    stretches = len(process.floors_mb)
    usable = int((process.age_s - WARM_UP_S) // process.stretch_s) if process.age_s > WARM_UP_S else 0
    floors: list[float] = []
    for floor in reversed(process.floors_mb[max(0, stretches - usable) :]):
        if floor is None:
            break
        floors.insert(0, floor)
    hours = (len(floors) - 1) * process.stretch_s / 3600
    if hours * 3600 < MIN_SPAN_S or floors[0] <= 0:
        return None
    gain = floors[-1] - floors[0]
    last_gain = floors[-1] - floors[-2]
    if gain < MIN_GROWTH_MB or last_gain < STILL_GROWING * gain / (len(floors) - 1):
        return None
    return floors[0], floors[-1], hours


def _floor_drift(process: ProcessView) -> tuple[float, float] | None:
    """Percent and MB above the baseline of the last half hour's floor; ``None`` where it is not above."""
    used, percent = process.heap_used_mb, process.drift_percent
    if used is None or percent is None or percent <= 0 or process.age_s < MIN_SPAN_S:
        return None
    baseline = used / (1 + percent / 100)
    recent = max(1, round(MIN_SPAN_S / process.stretch_s))
    floor = min([used, *(value for value in process.floors_mb[-recent:] if value is not None)])
    if baseline <= 0 or floor <= baseline:
        return None
    return (floor - baseline) / baseline * 100, floor - baseline
