"""The families of one reading as OTLP's points: the values of the exposition, and nothing else.

They are built from the SDK's data classes without its instruments: those belong to the process that they measure, and
would need a provider for each watched process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtlpMetric
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from memwatch import __version__
from memwatch.metrics.otlp.deltas import Deltas
from memwatch.metrics.otlp.instruments import SCHEMA_URL, UPTIME_INSTRUMENT, Instrument, Kind, instrument
from memwatch.metrics.otlp.resources import OWNER_LABELS, Owner, Resources, owner_of
from memwatch.observation import Observation, ObservedWork
from memwatch.records import traces

SCOPE = InstrumentationScope("memwatch", __version__, SCHEMA_URL)
POINTS_AT_ONCE = 8_000
"""In one request: between one and two megabytes."""

_CUMULATIVE, _DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA
_PEAK = "memwatch.work_peak"
_ATTRIBUTES = {"generation": "cpython.gc.generation"}
"""Labels with a name in the conventions."""

_Samples = dict[Owner, list[tuple[Instrument, Sample]]]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was read at one time."""

    families: Sequence[Metric]
    observation: Observation | None
    """``None`` while the figures cannot be read; the families say so."""
    at: datetime
    since: datetime | None = None
    """Since when the totals of services and of the deployment count."""
    prefix: str = "fogcompute_memory_"
    """Of the reference's names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """One request."""

    data: MetricsData
    points: int


def batches(reading: Reading, deltas: Deltas | None = None, *, most: int = POINTS_AT_ONCE) -> Iterator[Batch]:
    """All points of a reading, the resources whole. With ``deltas`` counters say what was added since the last time.

    Call :meth:`Deltas.commit` when a batch has arrived, before the next one is asked for.
    """
    samples, starts = _samples(reading.families, reading.prefix), _starts(reading)
    spans = {id(each.labels): each.peak_span for each in _work(reading) if each.peak_span}
    samples.update({owner: [] for owner in starts.keys() - samples.keys()})
    resources = Resources(reading.observation.processes if reading.observation is not None else ())
    made: list[ResourceMetrics] = []
    count = 0
    while samples:
        owner, found = samples.popitem()
        metrics = []
        for each, points in _points(found, reading, starts.get(owner), spans):
            kept = points if deltas is None or each.kind is not Kind.COUNTER else deltas.of(owner, each.name, points)
            count += len(kept)
            if kept:
                metrics.append(_metric(each, kept, _CUMULATIVE if deltas is None else _DELTA))
        made.append(ResourceMetrics(resources.of(owner), [ScopeMetrics(SCOPE, metrics, SCHEMA_URL)], SCHEMA_URL))
        if count >= most:
            yield Batch(MetricsData(made), count)
            made, count = [], 0
    if made:
        yield Batch(MetricsData(made), count)


def _metric(each: Instrument, points: list[NumberDataPoint], temporality: AggregationTemporality) -> OtlpMetric:
    data: Gauge | Sum
    if each.kind is Kind.GAUGE:
        data = Gauge(points)
    elif each.kind is Kind.COUNTER:
        data = Sum(points, temporality, is_monotonic=True)
    else:
        data = Sum(points, _CUMULATIVE, is_monotonic=False)
    return OtlpMetric(each.name, each.description, each.unit, data)


def _samples(families: Sequence[Metric], prefix: str) -> _Samples:
    """Those that are sent, by whose they are. Points are made of one batch at a time: they take far more memory."""
    made: _Samples = {}
    owners: dict[int, list[tuple[Instrument, Sample]]] = {}
    for family in families:
        each = instrument(family, prefix)
        if each is None:
            continue
        for sample in family.samples:
            known = owners.get(id(sample.labels))  # those of a process are the same object in family after family
            if known is None:
                known = owners[id(sample.labels)] = made.setdefault(owner_of(sample.labels), [])
            known.append((each, sample))
    return made


def _points(
    samples: Sequence[tuple[Instrument, Sample]], reading: Reading, start: int | None, spans: Mapping[int, str]
) -> Iterator[tuple[Instrument, list[NumberDataPoint]]]:
    """By instrument. ``start``: that of the process; ``spans``: of the calls with the peaks, by their labels."""
    at = nanoseconds(reading.at)
    since = nanoseconds(reading.since) if reading.since is not None else 0
    made: dict[str, tuple[Instrument, list[NumberDataPoint]]] = {}
    attributes: dict[int, Mapping[str, str | int]] = {}
    for each, sample in samples:
        labels = sample.labels
        own = attributes.get(id(labels))
        if own is None:
            own = attributes[id(labels)] = _attributes(labels)
        value = sample.value * each.factor
        point = NumberDataPoint(
            {**dict(each.attributes), **own} if each.attributes else own,
            None if each.kind is Kind.GAUGE else since if start is None else start,  # type: ignore[arg-type]  # no start
            at,
            round(value) if each.whole else float(value),
            _exemplars(spans[id(labels)], value, at) if each.name == _PEAK and id(labels) in spans else (),
        )
        if each.name in made:
            made[each.name][1].append(point)
        else:
            made[each.name] = each, [point]
    yield from made.values()
    if start is not None:
        age = NumberDataPoint({}, None, at, max(at - start, 0) / 1e9)  # type: ignore[arg-type]  # a gauge has no start
        yield UPTIME_INSTRUMENT, [age]


def _work(reading: Reading) -> Sequence[ObservedWork]:
    return reading.observation.work if reading.observation is not None else ()


def _exemplars(span: str, value: float, at: int) -> Sequence[Exemplar]:
    """The call that had this peak, by its span. It ended within the last two hours."""
    return [Exemplar({}, round(value), at, int(traces.span_id(span), 16), int(traces.trace_id(span), 16))]


def _starts(reading: Reading) -> dict[Owner, int]:
    if reading.observation is None:
        return {}
    return {
        owner_of(each.labels): nanoseconds(each.started_at)
        for each in reading.observation.processes
        if each.started_at is not None
    }


def _attributes(labels: Mapping[str, str]) -> dict[str, str | int]:
    return {
        _ATTRIBUTES.get(name, f"memwatch.{name}"): int(value) if name == "generation" else value
        for name, value in labels.items()
        if name not in OWNER_LABELS
    }


def nanoseconds(at: datetime) -> int:
    """Since 1970, without the rounding of a float."""
    return round(at.timestamp() * 1_000_000) * 1000
