"""What lists can be narrowed by. Several values of a choice are separated by commas."""

from __future__ import annotations

from datetime import UTC, datetime

import django_filters as filters
from django.db.models import Q, QuerySet

from memwatch.api import common_filters as common
from memwatch.models import (
    Alert,
    Anomaly,
    Baseline,
    Forecast,
    Leak,
    Notification,
    Process,
    Recording,
    RecordingKind,
    Recycle,
    RecyclingPolicy,
    Release,
    Service,
    Severity,
    Snapshot,
    WorkName,
    WorkRollup,
)
from memwatch.queries import work
from memwatch.queries.processes import deaths


class ServiceFilter(filters.FilterSet):
    service = filters.CharFilter(field_name="name", label="Name of the service")

    class Meta:
        model = Service
        fields: tuple[str, ...] = ()


PROCESS_STATES = (("alive", "alive"), ("ended", "ended"), ("stale", "stale"))


class ProcessFilter(filters.FilterSet):
    service = common.service()
    host = common.host("host")
    state = filters.ChoiceFilter(
        choices=PROCESS_STATES, method="with_state", label="State", error_messages=common.named(PROCESS_STATES)
    )
    outside = common.outside()
    program = filters.CharFilter(label="Program, e.g. gunicorn worker")
    release = filters.CharFilter(field_name="release__name", label="Release")
    since = common.since("started_at")
    until = common.until("started_at")

    class Meta:
        model = Process
        fields: tuple[str, ...] = ()

    def with_state(self, rows: QuerySet[Process], _name: str, value: str) -> QuerySet[Process]:
        if value == "alive":
            return rows.filter(ended_at=None)
        ended = rows.filter(ended_at__isnull=False)
        stale = Q(end_reason__in=Process.SILENT_ENDS)
        return ended.filter(stale if value == "stale" else ~stale)


class DeathFilter(filters.FilterSet):
    service = common.service()
    reason = common.AnyOf(
        field_name="end_reason",
        choices=Process.End.choices,
        label=f"Reason; if not given, those that were not meant: {', '.join(Process.DEATHS)}",
    )
    since = common.since("ended_at")
    until = common.until("ended_at")

    class Meta:
        model = Process
        fields: tuple[str, ...] = ()

    def filter_queryset(self, queryset: QuerySet[Process]) -> QuerySet[Process]:
        rows: QuerySet[Process] = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data["reason"] else deaths.unwanted(rows)


class SnapshotFilter(filters.FilterSet):
    service = common.service("process__service__name")
    host = common.host()
    process = common.process()
    outside = common.outside("process__outside")
    since = common.since("timestamp")
    until = common.until("timestamp")

    class Meta:
        model = Snapshot
        fields: tuple[str, ...] = ()


class LeakFilter(filters.FilterSet):
    service = common.service()
    host = common.host()
    process = common.process()
    state = common.AnyOf(choices=Leak.State.choices, label="State")
    severity = common.AnyOf(choices=Severity.choices, label="Severity")
    kind = common.AnyOf(choices=Leak.Kind.choices, label="Kind")
    type = common.TypeFilter(field_name="object_type", label="Type; * at either end stands for anything")
    since = common.since("detected_at")
    until = common.until("detected_at")

    class Meta:
        model = Leak
        fields: tuple[str, ...] = ()


ALERT_STATES = (("raised", "raised"), ("cleared", "cleared"))


class AlertFilter(filters.FilterSet):
    service = common.service()
    host = common.host()
    process = common.process()
    state = filters.ChoiceFilter(
        choices=ALERT_STATES, method="with_state", label="State", error_messages=common.named(ALERT_STATES)
    )
    severity = common.AnyOf(choices=Severity.choices, label="Severity")
    type = common.AnyOf(choices=Alert.Type.choices, label="Type")
    since = common.since("raised_at")
    until = common.until("raised_at")

    class Meta:
        model = Alert
        fields: tuple[str, ...] = ()

    def with_state(self, rows: QuerySet[Alert], _name: str, value: str) -> QuerySet[Alert]:
        return rows.filter(cleared_at__isnull=value == "raised")


class AnomalyFilter(filters.FilterSet):
    service = common.service()
    host = common.host()
    process = common.process()
    kind = common.AnyOf(choices=Anomaly.Kind.choices, label="Kind")
    state = common.AnyOf(choices=Anomaly.State.choices, label="State")
    since = common.since("detected_at")
    until = common.until("detected_at")

    class Meta:
        model = Anomaly
        fields: tuple[str, ...] = ()


class ForecastFilter(filters.FilterSet):
    service = common.service("process__service__name")
    host = common.host("host")
    process = common.process()
    kind = common.AnyOf(choices=Forecast.Kind.choices, label="Kind")

    class Meta:
        model = Forecast
        fields: tuple[str, ...] = ()


class NotificationFilter(filters.FilterSet):
    service = filters.CharFilter(method="of_service", label="Name of the service")
    alert = filters.NumberFilter(field_name="alert_id", label="Id of the alert", min_value=1, max_value=2**63 - 1)
    recycle = filters.NumberFilter(field_name="recycle_id", label="Id of the recycle", min_value=1, max_value=2**63 - 1)
    state = common.AnyOf(choices=Notification.State.choices, label="State")
    event = common.AnyOf(choices=Notification.Event.choices, label="Event")
    channel = filters.CharFilter(label="Name of the channel, e.g. mailto:ops@example.org")
    since = common.since("created_at")
    until = common.until("created_at")

    class Meta:
        model = Notification
        fields: tuple[str, ...] = ()

    def of_service(self, queryset: QuerySet[Notification], _name: str, value: str) -> QuerySet[Notification]:
        return queryset.filter(Q(alert__service__name=value) | Q(recycle__service__name=value))


class BaselineFilter(filters.FilterSet):
    service = common.service()
    host = common.host()
    process = common.process()
    active = filters.BooleanFilter(label="The one that counts now")
    since = common.since("created_at")
    until = common.until("created_at")

    class Meta:
        model = Baseline
        fields: tuple[str, ...] = ()


class RecordingFilter(filters.FilterSet):
    service = common.service("process__service__name")
    host = common.host()
    process = common.process()
    leak = filters.NumberFilter(field_name="leak_id", label="Id of the leak", min_value=1, max_value=2**63 - 1)
    kind = common.AnyOf(choices=RecordingKind.choices, label="Kind")
    state = common.AnyOf(choices=Recording.State.choices, label="State")
    since = common.since("requested_at")
    until = common.until("requested_at")

    class Meta:
        model = Recording
        fields: tuple[str, ...] = ()


class RecyclingPolicyFilter(filters.FilterSet):
    service = common.service()
    mode = common.AnyOf(choices=RecyclingPolicy.Mode.choices, label="Mode")

    class Meta:
        model = RecyclingPolicy
        fields: tuple[str, ...] = ()


class RecycleFilter(filters.FilterSet):
    service = common.service()
    process = common.process()
    state = common.AnyOf(choices=Recycle.State.choices, label="State")
    because = common.AnyOf(choices=Recycle.Because.choices, label="What made it due")
    since = common.since("at")
    until = common.until("at")

    class Meta:
        model = Recycle
        fields: tuple[str, ...] = ()


class ReleaseFilter(filters.FilterSet):
    service = common.service()
    since = common.since("first_seen_at")
    until = common.until("first_seen_at")

    class Meta:
        model = Release
        fields: tuple[str, ...] = ()


class WorkFilter(filters.FilterSet):
    service = common.service()
    kind = common.AnyOf(field_name="work__kind", choices=WorkName.Kind.choices, label="Kind")
    name = common.TypeFilter(field_name="work__name", label="Name; * at either end stands for anything")
    since = common.TimeFilter(
        label="From the hour of this time on, ISO 8601; a day before until by default",
        error_messages=common.TIME_ERRORS,
    )
    until = common.TimeFilter(label="Before this time, ISO 8601; now by default", error_messages=common.TIME_ERRORS)

    class Meta:
        model = WorkRollup
        fields: tuple[str, ...] = ()

    def is_valid(self) -> bool:
        """Also whether the range has a length."""
        valid: bool = super().is_valid()
        if valid and self._since >= self._until:
            self.form.add_error("until", "give a time after since")
            return False
        return valid

    def filter_queryset(self, queryset: QuerySet[WorkRollup]) -> QuerySet[WorkRollup]:
        for name in ("service", "kind", "name"):
            queryset = self.filters[name].filter(queryset, self.form.cleaned_data[name])
        return work.within(queryset, self._since, self._until)

    @property
    def _until(self) -> datetime:
        return self.form.cleaned_data["until"] or datetime.now(UTC)

    @property
    def _since(self) -> datetime:
        return self.form.cleaned_data["since"] or self._until - work.USUAL
