"""Recycling: policies, and the workers that were recycled."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from memwatch.api.serializers.figures import Time
from memwatch.models import Recycle, RecyclingPolicy, Service
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.services.recycling import policies

MODES = ", ".join(RecyclingPolicy.Mode.values)


class RecyclingPolicySerializer(serializers.ModelSerializer[RecyclingPolicy]):
    """When workers of a service are recycled."""

    service = serializers.SlugRelatedField(
        slug_field="name", queryset=Service.objects.all(), help_text="Name of the service; it has one policy"
    )
    mode = serializers.CharField(required=False, help_text=f"{MODES}; off if you do not give it")
    rehearsed_at = Time(read_only=True, allow_null=True, help_text="When it first rehearsed; before that it cannot act")
    stopped_at = Time(read_only=True, allow_null=True, help_text="When it stopped itself; any change starts it again")
    stopped_why = serializers.CharField(read_only=True)
    checked_at = Time(read_only=True, allow_null=True)
    said = serializers.CharField(read_only=True, help_text="Result of the last check")
    changed_at = Time(read_only=True)
    changed_by = serializers.CharField(read_only=True, allow_null=True, help_text="User name")

    class Meta:
        model = RecyclingPolicy
        fields = (
            "id", "service", *policies.FIELDS, "rehearsed_at", "stopped_at", "stopped_reason", "stopped_why",
            "checked_at", "said", "changed_at", "changed_by",
        )  # fmt: skip
        read_only_fields = ("stopped_reason",)

    def validate_service(self, service: Service) -> Service:
        if self.instance is not None and service.pk != self.instance.service_id:
            raise serializers.ValidationError("a policy stays with its service: make another one")
        return service

    def validate_mode(self, mode: str) -> str:
        if mode not in RecyclingPolicy.Mode.values:
            raise serializers.ValidationError(f"{mode[:40]} is none of: {MODES}")
        return mode

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = self.instance or RecyclingPolicy()
        values = {name: attrs.get(name, getattr(known, name)) for name in policies.FIELDS}
        rehearsed = self.instance is not None and self.instance.rehearsed_at is not None
        if wrong := policies.problems(values, rehearsed=rehearsed):
            raise serializers.ValidationError(wrong)
        return attrs


class RecycleSerializer(serializers.Serializer[Recycle]):
    """A worker that was recycled, or would have been. Null means not known."""

    id = serializers.IntegerField()
    service = serializers.CharField(source="service.name")
    process = serializers.IntegerField(source="process_id", allow_null=True)
    name = serializers.CharField(help_text="Slot and host of the worker")
    release = serializers.CharField(source="release.name", allow_null=True, default=None)
    state = serializers.ChoiceField(choices=Recycle.State.choices)
    because = serializers.ChoiceField(choices=Recycle.Because.choices)
    why = serializers.CharField(help_text="Figures for which the worker was chosen")
    result = serializers.CharField(help_text="Result of the recycle")
    at = Time(help_text="When the worker was chosen")
    ordered_at = Time(allow_null=True)
    ended_at = Time(allow_null=True)
    private_before_mb = serializers.SerializerMethodField()
    successor = serializers.IntegerField(source="successor_id", allow_null=True, help_text="Id of the successor")
    gained_mb = serializers.SerializerMethodField()
    grew_back = serializers.BooleanField(help_text="Whether the successor was due again within the interval")
    leak = serializers.IntegerField(source="leak_id", allow_null=True)
    recording = serializers.IntegerField(
        source="recording_id", allow_null=True, help_text="Id of the recording made before it"
    )

    def get_private_before_mb(self, recycle: Recycle) -> float | None:
        return megabytes(recycle.private_before_kib)

    def get_gained_mb(self, recycle: Recycle) -> float | None:
        return megabytes(recycle.gained_kib)
