"""Snapshots, baselines, drift, metrics and comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC
from functools import partial
from typing import Any

from rest_framework import serializers

from memwatch.models import Baseline, Snapshot
from memwatch.records import FIGURES, MemoryMetrics, MemorySnapshot
from memwatch.records.figure import Figure

Time = partial(serializers.DateTimeField, format="iso-8601", default_timezone=UTC)
"""ISO 8601 in UTC, whatever the site's settings say."""
Megabytes = partial(serializers.FloatField, allow_null=True)
Whole = partial(serializers.IntegerField, allow_null=True)


class Counts(serializers.DictField):
    """Whole numbers by type name."""

    child = serializers.IntegerField()


class Triple(serializers.ListField):
    """One whole number for each generation."""

    child = serializers.IntegerField()


class Pair(serializers.ListField):
    """Two numbers."""

    child = serializers.FloatField()


class Pairs(serializers.ListField):
    """Several of them."""

    child = Pair(min_length=2, max_length=2)


NOT_SHOWN = ("backfill", "work")
"""Attributes of :class:`MemorySnapshot` that are between agent and server."""
_SHOWN = tuple(name for name in FIGURES if name not in NOT_SHOWN)


class BigContainerSerializer(serializers.Serializer[Any]):
    """A built-in container (no subclass) with at least 1,000 entries, or 250 and growing."""

    type = serializers.CharField()
    length = serializers.IntegerField()
    holds = serializers.CharField(allow_null=True, help_text="Type of most of the sampled entries")
    token = serializers.IntegerField(allow_null=True, help_text="Id of the container within its process")
    name = serializers.CharField(allow_null=True, help_text="The module-level name that holds it")
    entry_bytes = serializers.FloatField(allow_null=True, help_text="Mean size of the sampled entries in bytes")


class FiguresSerializer(serializers.Serializer[Any]):
    """The figures of one process at one time. ``_mb`` is 1024*1024 bytes. Null means not measured."""

    timestamp = Time(help_text="When the snapshot was taken, by the process's clock")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        own = super().get_fields()
        return {"timestamp": own.pop("timestamp"), **{name: _field(FIGURES[name]) for name in _SHOWN}, **own}


_STRUCTURED: Mapping[str, Callable[..., serializers.Field[Any, Any, Any, Any]]] = {
    "heap_limit_source": serializers.CharField,
    "top_objects": Counts,
    "type_sizes": Counts,
    "big_containers": partial(BigContainerSerializer, many=True),
    "rss_seconds": Pairs,
    "gc_threshold": partial(Triple, min_length=3, max_length=3),
    "gc_count": partial(Triple, min_length=3, max_length=3),
}


def _field(figure: Figure) -> serializers.Field[Any, Any, Any, Any]:
    number = serializers.IntegerField if figure.unit.whole else serializers.FloatField
    return _STRUCTURED.get(figure.name, number)(allow_null=figure.default is None, help_text=figure.help_text)


def figures_values(figures: MemorySnapshot) -> dict[str, Any]:
    """What :class:`FiguresSerializer` reads."""
    return {"timestamp": figures.timestamp, **{name: getattr(figures, name) for name in _SHOWN}}


CENSUS_FIGURES = ("total_objects", "top_objects", "type_sizes", "big_containers")
"""Fields that only a census measures."""


class LastSnapshotSerializer(FiguresSerializer):
    """The figures of a process's last snapshot."""

    id = serializers.IntegerField()
    census_at = Time(
        allow_null=True,
        help_text="When total_objects, top_objects and big_containers were counted: not every snapshot takes a census",
    )


class SnapshotSerializer(FiguresSerializer):
    """One snapshot with its process."""

    id = serializers.IntegerField()
    process = serializers.IntegerField(help_text="Id of the process")
    service = serializers.CharField()
    host = serializers.CharField()
    slot = serializers.CharField()
    outside = serializers.BooleanField(
        help_text="True for a process without an agent: its child reports only RSS and virtual size"
    )
    seq = serializers.IntegerField(help_text="Sequence number of the snapshot within its process")
    received_at = Time(help_text="When the server received it, by its own clock")


def snapshot_values(row: Snapshot, figures: MemorySnapshot) -> dict[str, Any]:
    """What :class:`SnapshotSerializer` reads; load the row with its process and service."""
    return {
        **figures_values(figures),
        "id": row.pk,
        "process": row.process_id,
        "service": row.process.service.name,
        "host": row.process.host,
        "slot": row.process.slot,
        "outside": row.process.outside,
        "seq": row.seq,
        "received_at": row.received_at,
    }


class BaselineSerializer(FiguresSerializer):
    """The figures that a process or a service is compared with."""

    id = serializers.IntegerField()
    service = serializers.CharField()
    process = serializers.IntegerField(allow_null=True, help_text="Null for a baseline of the whole service")
    host = serializers.CharField(allow_null=True)
    slot = serializers.CharField(allow_null=True)
    active = serializers.BooleanField(help_text="Whether this baseline is used now")
    automatic = serializers.BooleanField(help_text="Set by memwatch, after a process's warm-up")
    created_at = Time()
    created_by = serializers.CharField(allow_null=True, help_text="User name")
    reason = serializers.CharField()


def baseline_values(row: Baseline, figures: MemorySnapshot) -> dict[str, Any]:
    """What :class:`BaselineSerializer` reads; load the row with process, service and user."""
    process = row.process
    return {
        **figures_values(figures),
        "id": row.pk,
        "service": row.service.name,
        "process": row.process_id,
        "host": None if process is None else process.host,
        "slot": None if process is None else process.slot,
        "active": row.active,
        "automatic": row.automatic,
        "created_at": row.created_at,
        "created_by": None if row.created_by is None else row.created_by.get_username(),
        "reason": row.reason,
    }


class DriftSerializer(serializers.Serializer[Any]):
    """The difference of a process's last snapshot from its baseline."""

    baseline_timestamp = Time()
    current_timestamp = Time()
    heap_drift_mb = Megabytes()
    heap_drift_percent = Megabytes()
    object_drift = Whole()
    object_drift_percent = Megabytes()
    gc_frequency_change = Megabytes(help_text="Full collections per second now, divided by those at the baseline")
    significant_drifts = serializers.ListField(child=serializers.CharField())
    rss_drift_mb = Megabytes()
    rss_drift_percent = Megabytes()
    type_drifts = Counts(help_text="Difference of counts by type")


class MetricsSerializer(serializers.Serializer[Any]):
    """The current figures, as in Prometheus."""

    active_leaks = serializers.IntegerField()
    baseline_drift_percent = Megabytes()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        shared = [field.name for field in dataclasses.fields(MemoryMetrics) if field.name in FIGURES]
        return {**{name: _field(FIGURES[name]) for name in shared}, **super().get_fields()}


class DifferenceSerializer(serializers.Serializer[Any]):
    """One figure or type on both sides."""

    name = serializers.CharField()
    before = Megabytes()
    after = Megabytes()
    difference = Megabytes()
    percent = Megabytes()


class ComparisonSerializer(serializers.Serializer[Any]):
    """What changed between two snapshots."""

    before = FiguresSerializer()
    after = FiguresSerializer()
    figures = DifferenceSerializer(many=True)
    types = DifferenceSerializer(many=True, help_text="The largest growth first")
