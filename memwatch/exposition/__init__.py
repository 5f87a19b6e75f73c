"""Every metric name with its HELP and TYPE, once, for ``/metrics``, the fleet exporter and the stand-alone one.

Pure functions from values to prometheus_client's metric families. The reference's names start with
``<namespace>_memory_`` and keep its units (MB, percent); the series that start with ``memwatch_`` follow Prometheus'
conventions (bytes, seconds, ratios). A figure that was not measured has no sample.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from memwatch.exposition.processes import add_object_counts, add_process_series
from memwatch.exposition.samples import Families, add, add_all
from memwatch.observation import SELF, Observation, ObservedWork
from memwatch.records import SEVERITIES

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

_UP = "1 if memwatch's figures could be read, else 0."


def families(
    observation: Observation, *, namespace: str = "fogcompute", type_limit: int = 100, up: bool = True
) -> list[Metric]:
    """The whole exposition, ``memwatch_up`` included. Each name comes once, with or without samples."""
    made = Families(namespace)
    add_process_series(made, observation)
    add_object_counts(made, observation, type_limit)
    _add_leaks(made, observation)
    _add_work(made, observation.work)
    ended = made.own("process_deaths_total", "Ends of processes that memwatch could explain, by reason.")
    add_all(ended, observation.deaths)
    recycled = made.own("recycles_total", "Workers that a policy chose to recycle, by reason and result.")
    add_all(recycled, observation.recycles)
    stopped = made.own("recycling_stopped", "1 if the policy of the service has stopped itself, 0 while it acts.")
    add_all(stopped, ((labels, int(has_stopped)) for labels, has_stopped in observation.recycling))
    changed = made.own(
        "release_change_bytes",
        "How much more memory a worker of the newest release takes than one of the release before, where enough "
        "processes of both are known; growth is in bytes an hour.",
    )
    add_all(changed, observation.release_changes)
    scores = made.own("anomaly_score", "How unusual a slot or, with an empty slot, a service is: 25 to 100.")
    add_all(scores, observation.anomaly_scores)
    unusual = made.own("anomalies_open", "Anomalies that go on and were not dismissed.")
    add_all(unusual, [({}, observation.anomalies_open)])
    _add_operations(made, observation)
    source = made.own(
        "exporter_source", "Source of the figures: the fleet, a transport, or the exporter's own process."
    )
    add(source, {"source": observation.source}, 1)
    add(made.own("up", _UP), {}, int(up))
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
    made = Families("")
    sent = made.own("otlp_sent_total", "Points of metrics and records of events that arrived over OTLP, by signal.")
    dropped = made.own("otlp_dropped_total", "Points of metrics that did not arrive over OTLP and were given up.")
    failing = made.own("otlp_failing", "1 if the last export over OTLP did not arrive, else 0, by signal.")
    for each in states:
        labels = {"signal": each.signal}
        add(sent, labels, each.sent)
        add(dropped, labels, each.dropped)
        add(failing, labels, int(each.failing))
    return made.made


def down() -> list[Metric]:
    """What is left to show when the figures cannot be read."""
    return [GaugeMetricFamily("memwatch_up", _UP, value=0)]


def _add_leaks(made: Families, observation: Observation) -> None:
    detections = made.reference("leak_detections_total", "Total leak detections by severity.")
    for severity, count in _by_severity(observation.leak_detections):
        add(detections, {"severity": severity}, count)
    leaks = made.own("leaks_open", "Open leaks by severity; host and slot are empty for leaks of a whole service.")
    for observed in observation.processes:
        for severity, count in _by_severity(observed.leaks):
            add(leaks, {**observed.labels, "severity": severity}, count)
    for labels, by_severity in observation.service_leaks:
        for severity, count in _by_severity(by_severity):
            add(leaks, {**labels, "severity": severity}, count)
    left = made.own("leak_time_to_exhaustion_seconds", "Time until an open leak exhausts the memory.")
    grows = made.own(
        "leak_growth_per_hour", "Growth of an open leak per hour: objects, blocks (untracked) or KB (native)."
    )
    for leak in observation.open_leaks:
        labels = {**leak.labels, "kind": leak.kind, "object_type": leak.object_type}
        add(left, labels, leak.seconds)
        add(grows, labels, leak.growth_per_hour)


def _add_work(made: Families, work: Sequence[ObservedWork]) -> None:
    calls = made.own("work_calls_total", "Calls of a view, task or command that have ended.")
    kept = made.own(
        "work_kept_bytes_total",
        "Resident memory that the calls kept: measured, and scaled to all calls that ran alone. What they gave back is "
        "subtracted within an hour.",
    )
    peak = made.own("work_peak_bytes", "The most that resident memory rose during a call, in this hour or the last.")
    add_all(calls, ((each.labels, each.calls) for each in work))
    add_all(kept, ((each.labels, each.kept_bytes) for each in work))
    add_all(peak, ((each.labels, each.peak_bytes) for each in work))


def _by_severity(counts: Mapping[str, int] | None) -> Iterator[tuple[str, int]]:
    """Every severity, with 0 where there is none; nothing if leaks are not judged."""
    if counts is not None:
        yield from ((severity, counts.get(severity, 0)) for severity in SEVERITIES)


def _add_operations(made: Families, observation: Observation) -> None:
    rejected = made.own("reports_rejected_total", "Reports that were rejected, by reason.")
    for reason, count in sorted(observation.rejected_reports.items()):
        add(rejected, {"reason": reason}, count)
    for became, (name, text) in NOTIFICATIONS.items():
        family = made.own(name, text)
        for channel, count in sorted(observation.notifications.get(became, {}).items()):
            add(family, {"channel": channel}, count)
    for key, (name, text) in TOTALS.items():
        add(made.own(name, text), {}, observation.totals.get(key))
    if observation.source != SELF:
        alive = made.own("processes_alive", "Processes that are watched now.")
        for service, count in sorted(Counter(observed.labels["service"] for observed in observation.processes).items()):
            add(alive, {"service": service}, count)
    backlog = observation.backlog
    if backlog is None:
        return
    add(made.own("transport_backlog", "Reports that wait to be stored."), {}, backlog.reports)
    add(made.own("transport_lost_total", "Reports dropped unread because the transport was full."), {}, backlog.lost)
    for name, text, value in (
        ("transport_oldest_seconds", "Age of the oldest waiting report.", backlog.oldest_s),
        ("transport_used_bytes", "Space that waiting reports use.", backlog.used_bytes),
        ("transport_limit_bytes", "Space for waiting reports in total.", backlog.limit_bytes),
    ):
        add(made.own(name, text), {}, value)
