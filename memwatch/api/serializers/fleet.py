"""Services, processes, commands and memwatch's own state."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from memwatch.api.filters import PROCESS_STATES
from memwatch.api.serializers.container import ContainerSerializer, container_values
from memwatch.api.serializers.figures import CENSUS_FIGURES, LastSnapshotSerializer, Time, figures_values
from memwatch.models import Command
from memwatch.queries import ProcessFigures
from memwatch.queries.processes.surroundings import reported_by
from memwatch.records import KIB_PER_MB
from memwatch.records.distributions import Distribution


class ServiceSerializer(serializers.Serializer[Any]):
    """A group of processes that run the same thing."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    created_at = Time(help_text="When it was first seen")
    processes_alive = serializers.IntegerField()
    open_leaks = serializers.IntegerField(help_text="Open and acknowledged leaks")
    baseline = serializers.IntegerField(allow_null=True, help_text="Id of the service's own baseline")


class ProcessSerializer(serializers.Serializer[ProcessFigures]):
    """One run of one operating-system process, with the figures of its last snapshot."""

    id = serializers.IntegerField(source="process.pk")
    service = serializers.CharField(source="process.service.name")
    host = serializers.CharField(source="process.host")
    slot = serializers.CharField(source="process.slot", help_text="Small stable name, e.g. web-1")
    state = serializers.ChoiceField(source="process.state", choices=PROCESS_STATES)
    pid = serializers.IntegerField(source="process.pid")
    program = serializers.CharField(source="process.program")
    command_line = serializers.CharField(source="process.command_line")
    parent_pid = serializers.IntegerField(source="process.parent_pid", allow_null=True)
    release = serializers.CharField(source="process.release.name", allow_null=True)
    python = serializers.CharField(source="process.python")
    agent_version = serializers.CharField(source="process.agent_version")
    census_method = serializers.CharField(
        source="process.census_method", help_text="How its objects are counted; empty if its agent does not report it"
    )
    cpu_budget_percent = serializers.FloatField(
        source="process.cpu_budget_percent",
        allow_null=True,
        help_text="Percent of one CPU for looking at the heap; it limits how often objects are counted",
    )
    start_method = serializers.CharField(
        source="process.start_method",
        help_text="fork, forkserver or spawn; empty for a program that was started by itself",
    )
    frozen_objects = serializers.IntegerField(
        source="process.frozen_objects",
        allow_null=True,
        help_text="Objects that gc.freeze() has set apart; null if its agent does not report it",
    )
    allocator_settings = serializers.DictField(
        source="process.allocator_settings",
        child=serializers.CharField(),
        allow_null=True,
        help_text="Variables of its environment that the allocators read, e.g. MALLOC_ARENA_MAX; LD_PRELOAD without "
        "folders. Null if its agent does not report them",
    )
    resource = serializers.DictField(
        source="process.resource",
        child=serializers.CharField(),
        help_text="Attributes of its OpenTelemetry resource: from OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, its "
        "container and its pod",
    )
    outside = serializers.BooleanField(
        source="process.outside", help_text="The process has no agent; its child process reports it"
    )
    started_at = Time(source="process.started_at")
    first_seen_at = Time(source="process.first_seen_at")
    last_seen_at = Time(source="process.last_seen_at")
    ended_at = Time(source="process.ended_at", allow_null=True)
    end_reason = serializers.CharField(source="process.end_reason")
    dropped_snapshots = serializers.IntegerField(source="process.dropped_snapshots")
    sampling_failures = serializers.IntegerField(source="process.sampling_failures")
    refused_commands = serializers.IntegerField(source="process.refused_commands")
    open_leaks = serializers.IntegerField(help_text="Open and acknowledged leaks of this process")
    leaks_known = serializers.BooleanField(
        source="process.leaks_known", help_text="Whether its objects were counted often enough to say if it leaks"
    )
    census_interval_s = serializers.FloatField(
        source="process.census_interval_s", allow_null=True, help_text="Mean seconds between two counts of its objects"
    )
    growing_since = Time(
        source="process.growing_since",
        allow_null=True,
        help_text="When steady growth of its resident memory began, whatever the cause; null without such growth",
    )
    growth_mb_per_hour = serializers.SerializerMethodField()
    baseline_drift_percent = serializers.FloatField(source="drift_percent", allow_null=True)
    container = serializers.SerializerMethodField()
    last_snapshot = serializers.SerializerMethodField()

    @cached_property
    def _figures(self) -> LastSnapshotSerializer:
        """One for all rows: each that is made copies every one of its fields."""
        return LastSnapshotSerializer()

    def get_growth_mb_per_hour(self, item: ProcessFigures) -> float | None:
        """Growth of resident memory in MB per hour, while it grows steadily."""
        rate = item.process.growth_kib_per_hour
        return None if rate is None else rate / KIB_PER_MB

    @extend_schema_field(ContainerSerializer(allow_null=True))
    def get_container(self, item: ProcessFigures) -> dict[str, Any] | None:
        """Memory of its container. The process with the oldest agent reports it; null for the others."""
        found = reported_by(item.process)
        return None if found is None else container_values(found)

    @extend_schema_field(LastSnapshotSerializer(allow_null=True))
    def get_last_snapshot(self, item: ProcessFigures) -> dict[str, Any] | None:
        """Figures of the last snapshot, with counts of objects from the last census. Null before the first snapshot."""
        if item.figures is None:
            return None
        values = {"id": item.process.last_snapshot_id, **figures_values(item.figures), "census_at": None}
        if item.census is not None and item.census.total_objects is not None:
            values |= {name: getattr(item.census, name) for name in CENSUS_FIGURES}
            values["census_at"] = item.census.timestamp
        return self._figures.to_representation(values)


class DistributionSerializer(serializers.Serializer[Distribution]):
    """What pip installed, as the process found it."""

    name = serializers.CharField(help_text="Normalized: lower case, `-` between words")
    version = serializers.CharField()
    imported = serializers.BooleanField(
        help_text="Whether the process, or another one of its service with the same distributions, imported it"
    )


class CommandSerializer(serializers.Serializer[Command]):
    """A command to a process, and its outcome."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    process = serializers.IntegerField(source="process_id")
    service = serializers.CharField(source="process.service.name")
    host = serializers.CharField(source="process.host")
    slot = serializers.CharField(source="process.slot")
    state = serializers.ChoiceField(choices=Command.State.choices)
    detail = serializers.CharField()
    snapshot = serializers.IntegerField(source="snapshot_id", allow_null=True, help_text="The snapshot taken for it")
    created_at = Time()
    answered_at = Time(allow_null=True)
    expires_at = Time()
    created_by = serializers.CharField(allow_null=True, help_text="User name")


class TransportSerializer(serializers.Serializer[Any]):
    """The transport between agents and server."""

    kind = serializers.CharField()
    available = serializers.BooleanField()
    problem = serializers.CharField(required=False, help_text="Why it is not available")
    backlog = serializers.IntegerField(required=False)
    oldest_s = serializers.FloatField(required=False, allow_null=True)
    lost = serializers.IntegerField(required=False)
    used_bytes = serializers.IntegerField(required=False, allow_null=True)
    limit_bytes = serializers.IntegerField(required=False, allow_null=True)


class CostSerializer(serializers.Serializer[Any]):
    """The cost of watching, over the last snapshots of the running processes."""

    census_pause_ms_mean = serializers.FloatField(allow_null=True)
    census_pause_ms_max = serializers.FloatField(allow_null=True)
    snapshot_cpu_ms_mean = serializers.FloatField(allow_null=True)
    snapshot_cpu_ms_max = serializers.FloatField(allow_null=True)


class ExpectedGrowthStatsSerializer(serializers.Serializer[Any]):
    """Expected growth, and how much of it there was."""

    rules = serializers.IntegerField()
    rules_in_force = serializers.IntegerField()
    leaks_held_back = serializers.IntegerField()
    verdicts_suppressed = serializers.IntegerField(help_text="One for each suppressed leak and each time it was judged")
    last_at = Time(allow_null=True)


class StatsSerializer(serializers.Serializer[Any]):
    """The state of memwatch itself."""

    services = serializers.IntegerField()
    processes = serializers.IntegerField()
    processes_alive = serializers.IntegerField()
    processes_silent = serializers.IntegerField(
        help_text="Running, but without a report for two snapshot intervals and 30 s"
    )
    processes_growing = serializers.IntegerField(
        help_text="Processes whose resident memory grows steadily, whatever the cause"
    )
    processes_not_known = serializers.IntegerField(
        help_text="Processes whose objects were not yet counted often enough to say if they leak"
    )
    reports = serializers.IntegerField()
    reports_rejected = serializers.IntegerField()
    rejected_by_reason = serializers.DictField(child=serializers.IntegerField())
    snapshots_stored = serializers.IntegerField()
    snapshots_duplicate = serializers.IntegerField()
    snapshots_dropped = serializers.IntegerField()
    sampling_failures = serializers.IntegerField()
    commands_refused = serializers.IntegerField()
    open_leaks = serializers.DictField(child=serializers.IntegerField(), help_text="By severity")
    expected_growth = ExpectedGrowthStatsSerializer()
    alerts_raised = serializers.IntegerField()
    snapshot_interval_s = serializers.FloatField()
    last_report_at = Time(allow_null=True)
    lag_s = serializers.FloatField(allow_null=True, help_text="Age of the newest report")
    transport = TransportSerializer()
    cost = CostSerializer()
