"""The fleet as an exposition wants it: twelve queries at most, and a look at the transport."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone

from memwatch import models
from memwatch.detection.deaths import REASONS
from memwatch.detection.exhaustion.outlook import exhausted_at, time_left_s
from memwatch.detection.releases.comparison import LESS, MORE, SAME
from memwatch.detection.releases.figures import COMPARED, MB_AN_HOUR
from memwatch.detection.releases.figures import MB as MB_UNIT
from memwatch.detection.surroundings.container import page_cache_mb
from memwatch.exposition.processes import CONTAINER_PARTS
from memwatch.metrics.living import LivingProcess, living
from memwatch.models import Leak
from memwatch.observation import FLEET, Backlog, Observation, Observed, ObservedWork, OpenLeak
from memwatch.queries import anomalies, work_totals
from memwatch.queries.deployment import counters
from memwatch.queries.deployment.stats import transport_state
from memwatch.queries.processes.fleet import heap_drifts, latest_censuses
from memwatch.queries.processes.surroundings import CURRENT, read
from memwatch.queries.recycling import acting
from memwatch.queries.releases.stored import running
from memwatch.queries.series.snapshot_mapping import figures_of_many
from memwatch.records import MB
from memwatch.transport import TransportUnavailable

logger = logging.getLogger(__name__)

Severities = Mapping[str, int]


class _Leak(NamedTuple):
    """One that is open."""

    service_id: int
    process_id: int | None
    kind: str
    object_type: str
    severity: str
    last_seen_at: datetime
    time_to_exhaustion_s: float | None
    growth_per_hour: float | None


def observe() -> Observation:
    """Read everything the exposition shows. Raises what the database raises when it does not answer."""
    processes = living()
    leaks = list(map(_Leak._make, Leak.objects.active().values_list(*_Leak._fields)))
    labels = {process.pk: process.labels for process in processes}
    services = {process.service_id: process.service for process in processes}
    totals = _totals()
    now = timezone.now()
    return Observation(
        source=FLEET,
        at=now,
        processes=_observed(processes, labels, leaks, now),
        service_leaks=_service_leaks(services, leaks),
        open_leaks=_open_leaks(labels, services, leaks, now),
        leaking_types=frozenset(leak.object_type for leak in leaks),
        work=_work(now),
        deaths=_deaths(totals, services.values()),
        recycles=_recycles(totals),
        recycling=[({"service": service}, stopped) for service, stopped in acting()],
        release_changes=_release_changes(),
        anomalies_open=anomalies.open_count(),
        anomaly_scores=anomalies.open_scores(),
        leak_detections=_by_label(totals, counters.LEAK_DETECTIONS, "severity"),
        rejected_reports=_by_label(totals, counters.REJECTED, "reason"),
        notifications={
            "sent": _by_label(totals, counters.NOTIFICATIONS_SENT, "channel"),
            "failed": _by_label(totals, counters.NOTIFICATIONS_FAILED, "channel"),
            "attempts": _by_label(totals, counters.ATTEMPTS_FAILED, "channel"),
        },
        totals={key: sum(value for _labels, value in totals.get(name, ())) for key, name in _PLAIN_TOTALS.items()},
        backlog=_backlog(),
    )


_PLAIN_TOTALS = {
    "reports": counters.REPORTS,
    "snapshots": counters.SNAPSHOTS,
    "duplicates": counters.DUPLICATES,
}
Totals = Mapping[str, list[tuple[Mapping[str, str], int]]]


def _observed(
    processes: Sequence[LivingProcess], labels: Mapping[int, Mapping[str, str]], leaks: Sequence[_Leak], now: datetime
) -> list[Observed]:
    measured = [(process.pk, process.last) for process in processes if process.last is not None]
    figures = dict(zip((pk for pk, _row in measured), figures_of_many(row for _pk, row in measured), strict=True))
    outside = {process.pk for process in processes if process.outside}
    uncounted = [pk for pk, figures_now in figures.items() if figures_now.total_objects is None]
    censuses = latest_censuses([pk for pk in uncounted if pk not in outside])
    for pk, census in censuses.items():
        figures[pk] = dataclasses.replace(
            figures[pk], total_objects=census.total_objects, top_objects=census.top_objects
        )
    drifts = heap_drifts(processes)
    severities: dict[int, Counter[str]] = defaultdict(Counter)
    for leak in leaks:
        if leak.process_id is not None:
            severities[leak.process_id][leak.severity] += 1
    return [
        Observed(
            labels=labels[process.pk],
            started_at=process.started_at,
            release=process.release or "",
            python=process.python,
            figures=figures.get(process.pk),
            drift_percent=drifts.get(process.pk),
            leaks=severities.get(process.pk, {}),
            dropped_snapshots=process.dropped_snapshots,
            sampling_failures=process.sampling_failures,
            refused_commands=process.refused_commands,
            counted_at=censuses[process.pk].timestamp if process.pk in censuses else None,
            growth_kib_per_hour=process.growth_kib_per_hour,
            leaks_known=None if process.outside else process.leaks_known,
            container=_container(process.surroundings, now),
            pid=process.pid,
            instance=process.key,
            resource=process.resource if isinstance(process.resource, dict) else {},
        )
        for process in processes
    ]


def _container(stored: Any, now: datetime) -> dict[str, float]:
    """Bytes by part, while the figures are of now."""
    found = read(stored)
    if found is None or found[0] < now - CURRENT:
        return {}
    figures = found[1]
    sizes = (figures.anon_mb, page_cache_mb(figures), figures.shmem_mb, figures.kernel_mb, figures.unwatched_mb)
    return {part: mb * MB for part, mb in zip(CONTAINER_PARTS, sizes, strict=True) if mb is not None}


def _service_labels(service: str) -> dict[str, str]:
    return {"service": service, "host": "", "slot": ""}


def _service_leaks(services: Mapping[int, str], leaks: Sequence[_Leak]) -> list[tuple[Mapping[str, str], Severities]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for leak in leaks:
        if leak.process_id is None and leak.service_id in services:
            found[leak.service_id][leak.severity] += 1
    return [(_service_labels(services[pk]), severities) for pk, severities in found.items()]


def _open_leaks(
    labels: Mapping[int, Mapping[str, str]], services: Mapping[int, str], leaks: Sequence[_Leak], now: datetime
) -> list[OpenLeak]:
    """Those of living processes and services."""
    found = []
    for leak in leaks:
        if leak.process_id is not None:
            named = labels.get(leak.process_id)
        else:
            named = _service_labels(services[leak.service_id]) if leak.service_id in services else None
        if named is not None:
            found.append(
                OpenLeak(
                    labels=named,
                    kind=leak.kind,
                    object_type=leak.object_type,
                    seconds=time_left_s(exhausted_at(leak.last_seen_at, leak.time_to_exhaustion_s), now),
                    growth_per_hour=leak.growth_per_hour,
                )
            )
    return found


def _work(now: datetime) -> list[ObservedWork]:
    return [
        ObservedWork(
            labels={"service": each.service, "kind": each.kind, "name": each.name},
            calls=each.calls,
            kept_bytes=each.kept_kib * 1024,
            peak_bytes=None if each.peak_kib is None else each.peak_kib * 1024,
            peak_span=each.peak_span,
        )
        for each in work_totals.totals(now)
    ]


def _totals() -> Totals:
    found: dict[str, list[tuple[Mapping[str, str], int]]] = defaultdict(list)
    for name, labels, value in models.Counter.objects.order_by().values_list("name", "labels", "value"):
        found[name].append((counters.parse_labels(labels), value))
    return found


def _deaths(totals: Totals, services: Iterable[str]) -> list[tuple[Mapping[str, str], int]]:
    """Every reason of each service that lives, with 0: a series that begins with 1 has not risen for Prometheus."""
    found = Counter({(service, reason): 0 for service in services for reason in REASONS})
    for labels, value in totals.get(counters.DEATHS, ()):
        found[labels.get("service", ""), labels.get("reason", "")] += value
    return [({"service": service, "reason": reason}, value) for (service, reason), value in sorted(found.items())]


def _recycles(totals: Totals) -> list[tuple[Mapping[str, str], int]]:
    rows = totals.get(counters.RECYCLES, ())
    return sorted(rows, key=lambda row: sorted(row[0].items()))


def _release_changes() -> list[tuple[Mapping[str, str], float]]:
    """Of figures in MB whose verdict is known."""
    found: list[tuple[Mapping[str, str], float]] = []
    sizes = {each.name for each in COMPARED.values() if each.unit in (MB_UNIT, MB_AN_HOUR)}
    for release in running():
        for name, change in (release.changes.get("figures") or {}).items():
            if name in sizes and change.get("verdict") in (MORE, LESS, SAME):
                mb = 0.0 if change["verdict"] == SAME else float(change.get("shift") or 0.0)
                labels = {"service": release.service.name, "release": release.name, "figure": name}
                found.append((labels, mb * MB))
    return found


def _by_label(totals: Totals, name: str, label: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for labels, value in totals.get(name, ()):
        found[labels.get(label, "")] += value
    return dict(found)


def _backlog() -> Backlog | None:
    """``None`` while the transport is away: its series are missing then, the rest is not."""
    try:
        state = transport_state()
    except (TransportUnavailable, OSError, ValueError) as error:
        logger.debug("the transport's state cannot be read: %s", error)
        return None
    return Backlog(
        reports=state.backlog,
        oldest_s=state.oldest_s,
        lost=state.lost,
        used_bytes=state.used_bytes,
        limit_bytes=state.limit_bytes,
    )
