"""Anomalies and forecasts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from memwatch.api.serializers.figures import Time
from memwatch.models import Anomaly, Forecast
from memwatch.queries.series.snapshot_mapping import megabytes


class AnomalySerializer(serializers.Serializer[Anomaly]):
    """Something unusual: a hint."""

    id = serializers.IntegerField()
    service = serializers.CharField(source="service.name")
    process = serializers.IntegerField(source="process_id", allow_null=True, help_text="Null for the whole service")
    host = serializers.CharField(source="process.host", allow_null=True, default=None)
    slot = serializers.CharField(source="process.slot", allow_null=True, default=None)
    release = serializers.CharField(source="release.name", allow_null=True, default=None)
    kind = serializers.CharField(help_text=", ".join(Anomaly.Kind.values))
    state = serializers.CharField(help_text=", ".join(Anomaly.State.values))
    score = serializers.FloatField(help_text="How unusual it is, 0 to 100; an anomaly begins at 25")
    says = serializers.CharField(help_text="How it differs, in one sentence")
    figures = serializers.DictField(
        help_text="The unusual figures by name: value, usual, and ratio (1 is the limit of what is usual)"
    )
    changes = serializers.ListField(
        child=serializers.DictField(), help_text="What changed at the time: releases, restarts, settings, load"
    )
    sibling = serializers.IntegerField(
        source="sibling_id", allow_null=True, help_text="A usual process of the same service to compare it with"
    )
    since = Time(help_text="When it began to be unusual")
    detected_at = Time()
    last_seen_at = Time()
    ended_at = Time(allow_null=True)
    dismissed_at = Time(allow_null=True)
    dismissed_by = serializers.CharField(allow_null=True, help_text="User name")
    comment = serializers.CharField()


class DismissSerializer(serializers.Serializer[Any]):
    """Why it is no trouble."""

    comment = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ForecastSerializer(serializers.Serializer[Forecast]):
    """When memory will be exhausted if it goes on growing as it did."""

    id = serializers.IntegerField(help_text="Id; stays the same from hour to hour")
    kind = serializers.CharField(help_text=", ".join(Forecast.Kind.values))
    host = serializers.CharField()
    service = serializers.CharField(source="process.service.name")
    process = serializers.IntegerField(
        source="process_id", help_text="For a container, the process that reports it; for a host, its largest process"
    )
    used_mb = serializers.SerializerMethodField()
    limit_mb = serializers.SerializerMethodField()
    earliest = Time(help_text="Earliest likely time. In four of five cases memory runs out between earliest and latest")
    likely = Time()
    latest = Time(allow_null=True, help_text="Null: memory may never run out")
    made_at = Time()

    def get_used_mb(self, row: Forecast) -> float | None:
        return megabytes(row.used_kib)

    def get_limit_mb(self, row: Forecast) -> float | None:
        return megabytes(row.limit_kib)
