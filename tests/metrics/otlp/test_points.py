"""What arrives at a collector: names, units, kinds, resources, and the values of the exposition."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import NumberDataPoint
from opentelemetry.semconv.schemas import Schemas
from prometheus_client.core import Metric

from memwatch.exposition import families
from memwatch.metrics.otlp.config import config
from memwatch.metrics.otlp.deltas import Deltas
from memwatch.metrics.otlp.instruments import CONVENTIONS, NOT_SENT, SCHEMA_URL
from memwatch.metrics.otlp.outlet import metrics_outlet
from memwatch.metrics.otlp.points import Reading, batches, nanoseconds
from memwatch.observation import FLEET, Observation, Observed, ObservedWork
from memwatch.sampling.resource import surroundings_of
from tests.metrics.otlp.conventions import attribute_names, metric_conventions, values_of
from tests.metrics.otlp.receiver import Point, Receiver
from tests.monitoring.files import whole_observation
from tests.test_exposition import figures

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PREFIX = "fogcompute_memory_"
WEB_1 = {"service": "web", "host": "a", "slot": "web-1"}
SAID = {
    "service.name": "shop", "service.namespace": "acme", "service.instance.id": "of-all-workers",
    "deployment.environment.name": "production", "k8s.pod.name": "shop-7d9f", "container.id": "c" * 64,
}  # fmt: skip


def known() -> Observation:
    """Everything is known, also what its environment says of a process."""
    seen = whole_observation()
    process = dataclasses.replace(
        seen.processes[0], pid=4711, instance="a:4711:1.000:n", resource=SAID,
        container={"anonymous": 5.0}, counted_at=NOON,
    )  # fmt: skip
    return dataclasses.replace(seen, processes=[process])


def reading(seen: Observation, *, at: datetime = NOON, since: datetime | None = NOON - timedelta(days=9)) -> Reading:
    return Reading(families=families(seen), observation=seen, at=at, since=since, prefix=PREFIX)


def sent(receiver: Receiver, one: Reading) -> list[Point]:
    """What of a reading arrives."""
    signal = config(os.environ).metrics
    assert signal is not None
    outlet = metrics_outlet(signal)
    try:
        for batch in batches(one):
            assert outlet.send(batch.data, batch.points)
        assert outlet.sent == len(receiver.points)
    finally:
        outlet.close()
    return receiver.points


def test_names_units_and_kinds_are_those_of_the_conventions(receiver: Receiver) -> None:
    conventions = metric_conventions()
    arrived = {(point.name, point.kind, point.unit) for point in sent(receiver, reading(known()))}
    for name, kind, unit in arrived:
        if name.startswith("memwatch."):
            assert name not in conventions
        else:
            assert (kind, unit) == conventions[name], name
    assert {name for name, _kind, _unit in arrived if not name.startswith("memwatch.")} == {
        "process.memory.usage", "process.memory.virtual", "process.thread.count", "process.paging.faults",
        "process.cpu.time", "process.unix.file_descriptor.count", "process.context_switches",
        "process.uptime", "cpython.gc.collections",
    }  # fmt: skip


def test_attributes_are_those_of_the_conventions_or_our_own(receiver: Receiver) -> None:
    names = {
        name for point in sent(receiver, reading(known())) for name in (*point.attributes, *point.resource)
    }  # fmt: skip
    assert {name for name in names if not name.startswith("memwatch.")} <= attribute_names()


def test_attributes_have_the_types_and_values_that_the_conventions_list(receiver: Receiver) -> None:
    points = sent(receiver, reading(known()))
    pairs = {item for point in points for item in (*point.attributes.items(), *point.resource.items())}
    of_numbers = {"process.pid", "cpython.gc.generation"}
    assert {name for name, value in pairs if isinstance(value, int)} == of_numbers
    listed = {name for name, _value in pairs if not name.startswith("memwatch.") and values_of(name)}
    assert listed == {
        "cpython.gc.generation", "deployment.environment.name", "system.paging.fault.type", "cpu.mode",
        "process.context_switch.type",
    }  # fmt: skip
    assert [pair for pair in pairs if pair[0] in listed and pair[1] not in values_of(pair[0])] == []


def test_what_a_process_finds_out_of_its_surroundings_has_names_of_the_conventions() -> None:
    pod, container = "01234567-89ab-cdef-0123-456789abcdef", "c" * 64
    found = surroundings_of(
        cgroup=f"0::/docker/{container}\n", pod="shop-7d9f", namespace="acme",
        mounts=f"1 1 0:1 /var/lib/kubelet/pods/{pod}/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n",
    )  # fmt: skip
    assert set(found) == {"container.id", "k8s.pod.uid", "k8s.pod.name", "k8s.namespace.name"}
    assert set(found) <= attribute_names()


def test_the_schema_names_a_version_that_the_package_knows(receiver: Receiver) -> None:
    sent(receiver, reading(known()))
    assert {each.schema_url for each in receiver.metrics[0].resource_metrics} == {SCHEMA_URL}
    assert SCHEMA_URL in {each.value for each in Schemas}
    assert CONVENTIONS in SCHEMA_URL


def _series(name: str, point: Point) -> str:
    """The name that a collector makes for Prometheus."""
    ends = {"By": "_bytes", "s": "_seconds", "By/h": "_bytes_per_hour"}
    end = "_ratio" if point.unit == "1" and point.kind == "gauge" else ends.get(point.unit, "")
    return name.replace(".", "_") + end + ("_total" if point.kind == "counter" else "")


def _labels(point: Point) -> dict[str, str]:
    own = {name.removeprefix("memwatch."): str(value) for name, value in point.attributes.items()}
    slot = point.resource.get("memwatch.slot")
    if slot is not None:
        return {**WEB_1, **own}
    service = point.resource["service.name"]
    return own if service == "memwatch" else {"service": service, **own}


def _samples(made: list[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in made
        for sample in family.samples
    }


def test_values_are_those_of_the_exposition_at_the_same_moment(receiver: Receiver) -> None:
    seen = dataclasses.replace(known(), processes=[dataclasses.replace(known().processes[0], resource={})])
    expected = _samples(families(seen))
    own = [point for point in sent(receiver, reading(seen)) if point.name.startswith("memwatch.")]
    compared = set()
    for point in own:
        key = _series(point.name, point), frozenset(_labels(point).items())
        if key in expected:
            assert point.value == pytest.approx(expected[key])
            compared.add(key)
    left_out = {name for name, labels in expected.keys() - compared if name.startswith("memwatch_")} - NOT_SENT
    assert left_out == {
        "memwatch_process_resident_memory_bytes", "memwatch_process_virtual_memory_bytes",
        "memwatch_process_threads", "memwatch_process_major_page_faults_total",
        "memwatch_process_cpu_user_seconds_total", "memwatch_process_cpu_system_seconds_total",
        "memwatch_process_open_file_descriptors", "memwatch_process_voluntary_context_switches_total",
        "memwatch_process_involuntary_context_switches_total",
    }, "these have names of the conventions"  # fmt: skip
    found = {(point.name, *point.attributes.values()): point.value for point in receiver.points}
    of = {name: value for (name, _labels), value in expected.items()}
    assert found["process.memory.usage",] == of["memwatch_process_resident_memory_bytes"]
    assert found["process.memory.virtual",] == of["memwatch_process_virtual_memory_bytes"]
    assert found["process.thread.count",] == of["memwatch_process_threads"]
    assert found["process.paging.faults", "major"] == of["memwatch_process_major_page_faults_total"]
    assert found["process.unix.file_descriptor.count",] == of["memwatch_process_open_file_descriptors"]
    for mode in ("user", "system"):
        assert found["process.cpu.time", mode] == of[f"memwatch_process_cpu_{mode}_seconds_total"]
    for kind in ("voluntary", "involuntary"):
        assert found["process.context_switches", kind] == of[f"memwatch_process_{kind}_context_switches_total"]
    assert found["cpython.gc.collections", 2] == of[f"{PREFIX}gc_collections_total"]
    assert found["memwatch.object_count", "dict"] == of[f"{PREFIX}object_count"]
    assert found["memwatch.heap_utilization",] == pytest.approx(of[f"{PREFIX}heap_percent"] / 100)
    assert found["memwatch.baseline_drift",] == pytest.approx(of[f"{PREFIX}baseline_drift_percent"] / 100)
    assert found["memwatch.active_leaks",] == of[f"{PREFIX}active_leaks"]
    assert found["memwatch.leak_detections", "high"] == of[f"{PREFIX}leak_detections_total"]


def test_a_process_has_the_resource_that_its_traces_have(receiver: Receiver) -> None:
    points = sent(receiver, reading(known()))
    (resource,) = [point.resource for point in points if point.name == "process.memory.usage"]
    assert resource == {
        **SAID,
        "service.version": "2.4",
        "service.instance.id": "a:4711:1.000:n",
        "host.name": "a",
        "process.pid": 4711,
        "process.runtime.name": "cpython",
        "process.runtime.version": "3.11.7",
        "memwatch.slot": "web-1",
    }
    (service,) = {tuple(sorted(point.resource.items())) for point in points if point.name == "memwatch.work_calls"}
    assert dict(service) == {
        "service.name": "shop",
        "service.namespace": "acme",
        "deployment.environment.name": "production",
    }
    assert {point.resource["service.name"] for point in points if point.name == "memwatch.up"} == {"memwatch"}


def test_cpu_time_is_not_rounded_and_both_modes_are_points_of_one_metric(receiver: Receiver) -> None:
    seen = Observation(
        source=FLEET, processes=[Observed(labels=WEB_1, figures=figures(cpu_user_s=4.254321, cpu_system_s=0.5))]
    )  # fmt: skip
    sent(receiver, reading(seen))
    (metric,) = [
        metric
        for resource in receiver.metrics[0].resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "process.cpu.time"
    ]
    assert [point.as_double for point in metric.sum.data_points] == [4.254321, 0.5]
    assert metric.description == "CPU time of all threads since the process started, by mode."


def test_a_worker_that_took_a_slot_begins_its_counters_again(receiver: Receiver) -> None:
    def collections(started_at: datetime, count: int) -> Point:
        seen = Observation(
            source=FLEET,
            processes=[Observed(labels=WEB_1, started_at=started_at, figures=figures(gc_collections_gen2=count))],
        )
        receiver.metrics.clear()
        points = sent(receiver, reading(seen))
        (found,) = [point for point in points if point.attributes == {"cpython.gc.generation": 2}]
        return found

    first = collections(NOON - timedelta(hours=1), 40)
    later = collections(NOON - timedelta(minutes=1), 3)
    assert (first.start, first.value) == (nanoseconds(NOON - timedelta(hours=1)), 40)
    assert (later.start, later.value) == (nanoseconds(NOON - timedelta(minutes=1)), 3)
    assert first.at == later.at == nanoseconds(NOON)


def test_totals_count_since_the_first_service_whenever_the_exporter_was_started(receiver: Receiver) -> None:
    points = sent(receiver, reading(known()))
    assert {point.start for point in points if point.name == "memwatch.leak_detections"} == {
        nanoseconds(NOON - timedelta(days=9))
    }


def test_the_peak_of_a_job_has_the_span_of_its_call_as_exemplar(receiver: Receiver) -> None:
    span = f"{5:032x}-{7:016x}"
    work = [
        ObservedWork(
            labels={"service": "web", "kind": "task", "name": name}, calls=5, kept_bytes=9, peak_bytes=4096,
            peak_span=of,
        )
        for name, of in (("shop.sync", span), ("shop.mail", ""))
    ]  # fmt: skip
    points = sent(receiver, reading(Observation(source=FLEET, work=work)))
    found = {point.attributes["memwatch.name"]: point.spans for point in points if point.name == "memwatch.work_peak"}
    assert found == {"shop.sync": (span,), "shop.mail": ()}
    assert {point.spans for point in points if point.name != "memwatch.work_peak"} == {()}


def test_a_large_fleet_goes_in_several_requests(receiver: Receiver) -> None:
    processes = [
        Observed(labels={"service": "web", "host": "a", "slot": f"web-{number}"}, started_at=NOON, figures=figures())
        for number in range(20)
    ]
    one = reading(Observation(source=FLEET, processes=processes))
    whole = list(batches(one))
    parts = list(batches(one, most=50))
    assert len(whole) == 1
    assert 5 < len(parts) < 20
    assert sum(part.points for part in parts) == whole[0].points
    owners = [tuple(each.resource.attributes.items()) for part in parts for each in part.data.resource_metrics]
    assert len(owners) == len(set(owners)), "a process is in one request"


class TestDelta:
    """With ``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta``."""

    def observed(self, count: int, *, started_at: datetime = NOON + timedelta(seconds=1)) -> Observation:
        process = Observed(labels=WEB_1, started_at=started_at, figures=figures(gc_collections_gen2=count))
        return Observation(source=FLEET, processes=[process], leak_detections={"high": count})

    def points(self, deltas: Deltas, seen: Observation, minute: int, *, arrives: bool = True) -> dict[str, Point]:
        at, collector = NOON + timedelta(minutes=minute), Receiver()
        collector.metrics += [encode_metrics(batch.data) for batch in batches(reading(seen, at=at), deltas)]
        if arrives:
            deltas.commit()
            deltas.finish(nanoseconds(at))
        else:
            deltas.discard()
        wanted = {"cpython.gc.generation": 2}, {"memwatch.severity": "high"}
        return {
            point.name: point for point in collector.points if point.kind == "counter" and point.attributes in wanted
        }

    def test_counters_say_what_was_added_and_nothing_is_lost_while_the_collector_is_away(self) -> None:
        deltas = Deltas(nanoseconds(NOON))
        first = self.points(deltas, self.observed(10), 1)["cpython.gc.collections"]
        assert (first.value, first.delta) == (10, True)
        assert first.start == nanoseconds(NOON + timedelta(seconds=1))
        assert self.points(deltas, self.observed(14), 2, arrives=False)["cpython.gc.collections"].value == 4
        third = self.points(deltas, self.observed(15), 3)["cpython.gc.collections"]
        assert (third.value, third.start) == (5, nanoseconds(NOON + timedelta(minutes=1)))

    def test_what_was_counted_before_the_exporter_started_is_not_sent_again(self) -> None:
        deltas, old = Deltas(nanoseconds(NOON)), NOON - timedelta(hours=1)
        assert not self.points(deltas, self.observed(10, started_at=old), 1)
        found = self.points(deltas, self.observed(12, started_at=old), 2)
        assert {point.value for point in found.values()} == {2}

    def test_a_process_that_takes_the_slot_begins_at_its_own_start(self) -> None:
        deltas = Deltas(nanoseconds(NOON))
        self.points(deltas, self.observed(10), 1)
        born = NOON + timedelta(seconds=90)
        found = self.points(deltas, self.observed(3, started_at=born), 2)["cpython.gc.collections"]
        assert (found.value, found.start) == (3, nanoseconds(born))

    def test_what_is_no_counter_stays_cumulative(self) -> None:
        deltas = Deltas(nanoseconds(NOON))
        for batch in batches(reading(self.observed(1)), deltas):
            metrics = [
                metric
                for resource in batch.data.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            ]
        (usage,) = [metric.data for metric in metrics if metric.name == "process.memory.usage"]
        assert usage.aggregation_temporality.name == "CUMULATIVE"  # type: ignore[union-attr]


def test_a_total_whose_beginning_becomes_known_says_only_what_was_added() -> None:
    """The first reading of an exporter does not know it yet: its lifetime's sum was counted by somebody else."""
    deltas, owner = Deltas(nanoseconds(NOON)), ("", "web", "")

    def told(start: int, minute: int, value: int) -> list[tuple[int, float]]:
        at = nanoseconds(NOON + timedelta(minutes=minute))
        points = [NumberDataPoint({}, start, at, value)]
        made = [(each.start_time_unix_nano, each.value) for each in deltas.of(owner, "memwatch.deaths", points)]
        deltas.commit()
        deltas.finish(at)
        return made

    assert told(0, 1, 500) == []
    began = nanoseconds(NOON - timedelta(days=9))
    assert told(began, 2, 503) == [(nanoseconds(NOON + timedelta(minutes=1)), 3)]
    assert told(began, 3, 504) == [(nanoseconds(NOON + timedelta(minutes=2)), 1)]
