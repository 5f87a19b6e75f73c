"""The fleet as an exposition wants it: six queries and a look at the transport."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping

from memwatch import models
from memwatch.models import Leak, Process
from memwatch.observation import FLEET, Backlog, Observation, Observed, OpenLeak
from memwatch.queries import counters
from memwatch.queries.baselines import baselines_of, heap_drift_percent
from memwatch.queries.figures import figures_of_many
from memwatch.queries.stats import transport_state
from memwatch.transport import TransportUnavailable

logger = logging.getLogger(__name__)

Severities = Mapping[str, int]


def observe() -> Observation:
    """Read everything the exposition shows. Raises what the database raises when it does not answer."""
    processes = list(Process.objects.alive().select_related("service", "release", "last_snapshot"))
    leaks = list(Leak.objects.active().select_related(None).only(*_LEAK_COLUMNS))
    labels = {process.pk: _labels(process) for process in processes}
    services = {process.service_id: process.service.name for process in processes}
    totals = _totals()
    return Observation(
        source=FLEET,
        processes=_observed(processes, labels, leaks),
        service_leaks=_service_leaks(services, leaks),
        open_leaks=_open_leaks(labels, services, leaks),
        leaking_types=frozenset(leak.object_type for leak in leaks),
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


_LEAK_COLUMNS = (
    "service_id", "process_id", "kind", "object_type", "severity", "time_to_exhaustion_s", "growth_per_hour",
)  # fmt: skip
_PLAIN_TOTALS = {
    "reports": counters.REPORTS,
    "snapshots": counters.SNAPSHOTS,
    "duplicates": counters.DUPLICATES,
}
Totals = Mapping[str, list[tuple[Mapping[str, str], int]]]


def _labels(process: Process) -> dict[str, str]:
    return {"service": process.service.name, "host": process.host, "slot": process.slot}


def _observed(processes: list[Process], labels: Mapping[int, Mapping[str, str]], leaks: list[Leak]) -> list[Observed]:
    measured = [(process, process.last_snapshot) for process in processes if process.last_snapshot is not None]
    figures = dict(
        zip((process.pk for process, _row in measured), figures_of_many(row for _process, row in measured), strict=True)
    )
    baselines = baselines_of(processes, columns=("heap_used_kib",))
    severities: dict[int, Counter[str]] = defaultdict(Counter)
    for leak in leaks:
        if leak.process_id is not None:
            severities[leak.process_id][leak.severity] += 1
    found = []
    for process in processes:
        baseline, row = baselines.get(process.pk), process.last_snapshot
        drift = None
        if baseline is not None and row is not None:
            drift = heap_drift_percent(baseline.heap_used_kib, row.heap_used_kib)
        found.append(
            Observed(
                labels=labels[process.pk],
                started_at=process.started_at,
                release=process.release.name if process.release else "",
                python=process.python,
                figures=figures.get(process.pk),
                drift_percent=drift,
                leaks=severities.get(process.pk, {}),
                dropped_snapshots=process.dropped_snapshots,
                sampling_failures=process.sampling_failures,
                refused_commands=process.refused_commands,
            )
        )
    return found


def _service_labels(service: str) -> dict[str, str]:
    return {"service": service, "host": "", "slot": ""}


def _service_leaks(services: Mapping[int, str], leaks: list[Leak]) -> list[tuple[Mapping[str, str], Severities]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for leak in leaks:
        if leak.process_id is None and leak.service_id in services:
            found[leak.service_id][leak.severity] += 1
    return [(_service_labels(services[pk]), severities) for pk, severities in found.items()]


def _open_leaks(
    labels: Mapping[int, Mapping[str, str]], services: Mapping[int, str], leaks: list[Leak]
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
                    seconds=leak.time_to_exhaustion_s,
                    growth_per_hour=leak.growth_per_hour,
                )
            )
    return found


def _totals() -> Totals:
    found: dict[str, list[tuple[Mapping[str, str], int]]] = defaultdict(list)
    for name, labels, value in models.Counter.objects.order_by().values_list("name", "labels", "value"):
        found[name].append((counters.parse_labels(labels), value))
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
