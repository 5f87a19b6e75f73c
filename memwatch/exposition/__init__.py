"""Every metric name with its HELP and TYPE, once, for ``/metrics``, the fleet exporter and the stand-alone one.

Pure functions from values to prometheus_client's metric families. The reference's names start with
``<namespace>_memory_`` and keep its units (MB, percent); the series that start with ``memwatch_`` follow Prometheus'
conventions (bytes, seconds, ratios). A figure that was not measured has no sample.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

from memwatch.observation import SELF, Observation, Observed, ObservedWork
from memwatch.records import FIGURES, SEVERITIES

OTHER_TYPES = "other"
"""The ``object_type`` of everything beyond the limit."""

REFERENCE_FIGURES = {figure.name: figure.reference_help for figure in FIGURES.values() if figure.reference_help}
"""HELP of the reference's gauges that are figures of a snapshot, by the attribute they are named after."""

OWN_FIGURES = tuple(
    (each.metric, each.name, each.unit.base, each.metric_help or f"{each.help_text}.")
    for each in FIGURES.values()
    if each.metric
)  # fmt: skip
"""Beside the reference's, in base units: name after ``memwatch_``, attribute of the snapshot, factor, HELP."""

KEPT_TOTALS = (
    (
        "snapshots_dropped_total",
        "dropped_snapshots",
        "Snapshots that the agent dropped while the transport was away.",
    ),
    ("sampling_failures_total", "sampling_failures", "Snapshots that failed with an error."),
    ("commands_refused_total", "refused_commands", "Commands refused: unsigned, expired, repeated or unknown."),
)
"""Counters of a process that are there before its first snapshot: name, attribute of :class:`Observed`, HELP."""

TOTALS = {
    "reports": ("reports_ingested_total", "Reports read from the transport."),
    "snapshots": ("snapshots_ingested_total", "Snapshots stored."),
    "duplicates": ("snapshots_repeated_total", "Snapshots that were delivered a second time and not stored again."),
}
"""Totals of the deployment by their key in ``Observation.totals``: name and HELP."""

NOTIFICATIONS = {
    "sent": ("notifications_sent_total", "Alert messages delivered, by channel."),
    "failed": ("notifications_failed_total", "Alert messages given up, by channel."),
    "attempts": (
        "notification_attempts_failed_total",
        "Failed attempts to deliver a message, which are repeated, by channel.",
    ),
}

CONTAINER_PARTS = ("anonymous", "page_cache", "shared", "kernel", "unwatched_processes")
"""What the memory of a container is: the last one is contained in the others."""

_UP = "1 if memwatch's figures could be read, else 0."


class _Families:
    """Metric families in the order of their making."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{namespace}_memory_"
        self.made: list[Metric] = []

    def reference(self, name: str, text: str) -> Metric:
        return self._make(self._prefix + name, text)

    def own(self, name: str, text: str) -> Metric:
        return self._make(f"memwatch_{name}", text)

    def _make(self, name: str, text: str) -> Metric:
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family: Metric = kind(name, text, labels=())
        self.made.append(family)
        return family


_Labelled = tuple[Mapping[str, str], float | None]


def _add(family: Metric, labels: Mapping[str, str], value: float | None) -> None:
    if value is not None:
        family.samples.append(Sample(_sample_name(family), labels, value))  # type: ignore[arg-type]  # it reads them only


def _add_all(family: Metric, values: Iterable[_Labelled], factor: float = 1) -> None:
    name = _sample_name(family)
    family.samples += [
        Sample(name, labels, value * factor)  # type: ignore[arg-type]  # it reads them only
        for labels, value in values
        if value is not None
    ]


def _sample_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def families(
    observation: Observation, *, namespace: str = "fogcompute", type_limit: int = 100, up: bool = True
) -> list[Metric]:
    """The whole exposition, ``memwatch_up`` included. Each name comes once, with or without samples."""
    made = _Families(namespace)
    _add_process_series(made, observation)
    _add_object_counts(made, observation, type_limit)
    _add_leaks(made, observation)
    _add_work(made, observation.work)
    ended = made.own("process_deaths_total", "Ends of processes that memwatch could explain, by reason.")
    _add_all(ended, observation.deaths)
    recycled = made.own("recycles_total", "Workers that a policy chose to recycle, by reason and result.")
    _add_all(recycled, observation.recycles)
    stopped = made.own("recycling_stopped", "1 if the policy of the service has stopped itself, 0 while it acts.")
    _add_all(stopped, ((labels, int(has_stopped)) for labels, has_stopped in observation.recycling))
    changed = made.own(
        "release_change_bytes",
        "How much more memory a worker of the newest release takes than one of the release before, where enough "
        "processes of both are known; growth is in bytes an hour.",
    )
    _add_all(changed, observation.release_changes)
    scores = made.own("anomaly_score", "How unusual a slot or, with an empty slot, a service is: 25 to 100.")
    _add_all(scores, observation.anomaly_scores)
    unusual = made.own("anomalies_open", "Anomalies that go on and were not dismissed.")
    _add_all(unusual, [({}, observation.anomalies_open)])
    _add_operations(made, observation)
    source = made.own(
        "exporter_source", "Source of the figures: the fleet, a transport, or the exporter's own process."
    )
    _add(source, {"source": observation.source}, 1)
    _add(made.own("up", _UP), {}, int(up))
    return made.made


def site_up(*, up: bool) -> list[Metric]:
    """Whether the metrics of the site that share an exposition with memwatch's could be read."""
    text = "1 if the site's own metrics could be read, else 0."
    return [GaugeMetricFamily("memwatch_site_metrics_up", text, value=int(up))]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class OtlpState:
    """What became of the data of one signal since the exporter started."""

    signal: str
    """``metrics`` or ``logs``."""
    sent: int
    dropped: int
    failing: bool


def otlp(states: Iterable[OtlpState]) -> list[Metric]:
    """How sending over OTLP goes; nothing where nothing is sent."""
    states = list(states)
    if not states:
        return []
    made = _Families("")
    sent = made.own("otlp_sent_total", "Points of metrics and records of events that arrived over OTLP, by signal.")
    dropped = made.own("otlp_dropped_total", "Points of metrics that did not arrive over OTLP and were given up.")
    failing = made.own("otlp_failing", "1 if the last export over OTLP did not arrive, else 0, by signal.")
    for each in states:
        labels = {"signal": each.signal}
        _add(sent, labels, each.sent)
        _add(dropped, labels, each.dropped)
        _add(failing, labels, int(each.failing))
    return made.made


def down() -> list[Metric]:
    """What is left to show when the figures cannot be read."""
    return [GaugeMetricFamily("memwatch_up", _UP, value=0)]


def _add_process_series(made: _Families, observation: Observation) -> None:
    measured = [(each.labels, each.figures) for each in observation.processes if each.figures is not None]
    columns = [(made.reference(name, text), name, 1.0) for name, text in REFERENCE_FIGURES.items()]
    columns += [(made.own(name, text), attribute, factor) for name, attribute, factor, text in OWN_FIGURES]
    for family, attribute, factor in columns:
        _add_all(family, ((labels, getattr(figures, attribute)) for labels, figures in measured), factor)
    taken = made.own("last_snapshot_timestamp_seconds", "Time of the last snapshot, by the process's own clock.")
    collections = made.reference("gc_collections_total", "Total GC collections by generation.")
    _add_all(taken, ((labels, figures.timestamp.timestamp()) for labels, figures in measured))
    by_generation = [(number, f"gc_collections_gen{number}") for number in "012"]
    _add_all(
        collections,
        (
            ({**labels, "generation": number}, getattr(figures, attribute))
            for labels, figures in measured
            for number, attribute in by_generation
        ),
    )
    _add_known_process_series(made, observation.processes)


def _add_known_process_series(made: _Families, processes: Sequence[Observed]) -> None:
    """What is known of a process before its first snapshot."""
    leaks = made.reference("active_leaks", "Active leak count: open or acknowledged, neither snoozed nor suppressed.")
    drift = made.reference("baseline_drift_percent", "Drift of the used heap from the baseline in percent.")
    started = made.own(
        "process_start_time_seconds",
        "Start time of the process. A slot is reused by the next process: judge growth only since this time.",
    )
    info = made.own("process_info", "Always 1; the labels give the release of the code and the Python version.")
    kept = [(made.own(name, text), attribute) for name, attribute, text in KEPT_TOTALS]
    shared = [(observed.labels, observed) for observed in processes]
    _add_all(info, (({**labels, "release": each.release, "python": each.python}, 1) for labels, each in shared))
    _add_all(leaks, ((labels, sum(each.leaks.values())) for labels, each in shared if each.leaks is not None))
    _add_all(drift, ((labels, each.drift_percent) for labels, each in shared))
    _add_all(started, ((labels, each.started_at.timestamp()) for labels, each in shared if each.started_at is not None))
    for family, attribute in kept:
        _add_all(family, ((labels, getattr(each, attribute)) for labels, each in shared))
    counted = made.own(
        "object_counts_timestamp_seconds", "Time of the last census of objects, by the process's own clock."
    )
    growth = made.own(
        "process_growth_bytes_per_hour",
        "Growth of resident memory while it is steady, whatever the cause; no sample otherwise.",
    )
    judged = made.own(
        "process_leaks_known", "1 if the objects were counted often enough to say whether the process leaks, else 0."
    )
    container = made.own(
        "container_memory_bytes",
        "Memory of the container by what it is; only of the process that reports its container. Memory of unwatched "
        "processes is contained in the other parts.",
    )
    for labels, each in shared:
        for part in CONTAINER_PARTS:
            _add(container, {**labels, "part": part}, each.container.get(part))
        at = each.counted_at
        if at is None and each.figures is not None and each.figures.total_objects is not None:
            at = each.figures.timestamp
        _add(counted, labels, None if at is None else at.timestamp())
        _add(growth, labels, None if each.growth_kib_per_hour is None else each.growth_kib_per_hour * 1024)
        _add(judged, labels, None if each.leaks_known is None else int(each.leaks_known))


def _add_object_counts(made: _Families, observation: Observation, limit: int) -> None:
    family = made.reference("object_count", "Count by type: the largest types and the largest growers.")
    reported = [
        (observed.labels, observed.figures.top_objects)
        for observed in observation.processes
        if observed.figures is not None and observed.figures.top_objects
    ]
    named = shown_types((counts for _labels, counts in reported), limit, observation.leaking_types)
    _add_all(family, _counts(reported, named - {OTHER_TYPES}))


def _counts(
    reported: Iterable[tuple[Mapping[str, str], Mapping[str, int]]], named: Collection[str]
) -> Iterator[_Labelled]:
    for labels, counts in reported:
        other, beyond = 0, False
        for name, count in counts.items():
            if name in named:
                yield {**labels, "object_type": name}, count
            else:
                other, beyond = other + count, True
        if beyond:
            yield {**labels, "object_type": OTHER_TYPES}, other


def shown_types(counts: Iterable[Mapping[str, int]], limit: int, first: Collection[str] = ()) -> frozenset[str]:
    """The ``limit`` types that get a label of their own: those of ``first``, then the largest over all processes.

    The same rows give the same choice, whichever worker renders them.
    """
    totals: Counter[str] = Counter()
    for mapping in counts:
        totals.update(mapping)
    if len(totals) <= limit:
        return frozenset(totals)
    ranked = sorted(totals, key=lambda name: (name not in first, -totals[name], name))
    return frozenset(ranked[:limit])


def _add_leaks(made: _Families, observation: Observation) -> None:
    detections = made.reference("leak_detections_total", "Total leak detections by severity.")
    for severity, count in _by_severity(observation.leak_detections):
        _add(detections, {"severity": severity}, count)
    leaks = made.own("leaks_open", "Open leaks by severity; host and slot are empty for leaks of a whole service.")
    for observed in observation.processes:
        for severity, count in _by_severity(observed.leaks):
            _add(leaks, {**observed.labels, "severity": severity}, count)
    for labels, by_severity in observation.service_leaks:
        for severity, count in _by_severity(by_severity):
            _add(leaks, {**labels, "severity": severity}, count)
    left = made.own("leak_time_to_exhaustion_seconds", "Time until an open leak exhausts the memory.")
    grows = made.own(
        "leak_growth_per_hour", "Growth of an open leak per hour: objects, blocks (untracked) or KB (native)."
    )
    for leak in observation.open_leaks:
        labels = {**leak.labels, "kind": leak.kind, "object_type": leak.object_type}
        _add(left, labels, leak.seconds)
        _add(grows, labels, leak.growth_per_hour)


def _add_work(made: _Families, work: Sequence[ObservedWork]) -> None:
    calls = made.own("work_calls_total", "Calls of a view, task or command that have ended.")
    kept = made.own(
        "work_kept_bytes_total",
        "Resident memory that the calls kept: measured, and scaled to all calls that ran alone. What they gave back is "
        "subtracted within an hour.",
    )
    peak = made.own("work_peak_bytes", "The most that resident memory rose during a call, in this hour or the last.")
    _add_all(calls, ((each.labels, each.calls) for each in work))
    _add_all(kept, ((each.labels, each.kept_bytes) for each in work))
    _add_all(peak, ((each.labels, each.peak_bytes) for each in work))


def _by_severity(counts: Mapping[str, int] | None) -> Iterator[tuple[str, int]]:
    """Every severity, with 0 where there is none; nothing if leaks are not judged."""
    if counts is not None:
        yield from ((severity, counts.get(severity, 0)) for severity in SEVERITIES)


def _add_operations(made: _Families, observation: Observation) -> None:
    rejected = made.own("reports_rejected_total", "Reports that were rejected, by reason.")
    for reason, count in sorted(observation.rejected_reports.items()):
        _add(rejected, {"reason": reason}, count)
    for became, (name, text) in NOTIFICATIONS.items():
        family = made.own(name, text)
        for channel, count in sorted(observation.notifications.get(became, {}).items()):
            _add(family, {"channel": channel}, count)
    for key, (name, text) in TOTALS.items():
        _add(made.own(name, text), {}, observation.totals.get(key))
    if observation.source != SELF:
        alive = made.own("processes_alive", "Processes that are watched now.")
        for service, count in sorted(Counter(observed.labels["service"] for observed in observation.processes).items()):
            _add(alive, {"service": service}, count)
    backlog = observation.backlog
    if backlog is None:
        return
    _add(made.own("transport_backlog", "Reports that wait to be stored."), {}, backlog.reports)
    _add(made.own("transport_lost_total", "Reports dropped unread because the transport was full."), {}, backlog.lost)
    for name, text, value in (
        ("transport_oldest_seconds", "Age of the oldest waiting report.", backlog.oldest_s),
        ("transport_used_bytes", "Space that waiting reports use.", backlog.used_bytes),
        ("transport_limit_bytes", "Space for waiting reports in total.", backlog.limit_bytes),
    ):
        _add(made.own(name, text), {}, value)
