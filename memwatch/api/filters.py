"""What lists can be narrowed by. Several values of a choice are separated by commas."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django_filters as filters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django_filters.fields import IsoDateTimeField

from memwatch.models import (
    Alert,
    Baseline,
    Leak,
    Notification,
    Process,
    Recording,
    RecordingKind,
    Recycle,
    RecyclingPolicy,
    Service,
    Severity,
    Snapshot,
    WorkName,
    WorkRollup,
)
from memwatch.queries import work
from memwatch.queries.processes import deaths


def _named(choices: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """The message for a value that is none of the choices."""
    return {"invalid_choice": f"%(value)s is none of: {', '.join(key for key, _label in choices)}"}


class AnyOf(filters.BaseInFilter, filters.ChoiceFilter):
    """One or several of the choices."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("lookup_expr", "in")
        kwargs.setdefault("error_messages", _named(kwargs["choices"]))
        super().__init__(*args, **kwargs)


class TypeFilter(filters.CharFilter):
    """A type name; ``*`` at either end stands for anything."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        lookup = {(False, False): "exact", (True, False): "endswith", (False, True): "startswith"}
        stars = (value.startswith("*"), value.endswith("*"))
        if not value or value == "*":
            return qs
        return qs.filter(**{f"{self.field_name}__{lookup.get(stars, 'contains')}": value.strip("*")})


_TIME = {"invalid": "give a time with zone in ISO 8601, e.g. 2026-01-31T12:00:00Z"}


def _service(path: str = "service__name") -> filters.CharFilter:
    return filters.CharFilter(field_name=path, label="Name of the service")


def _host(path: str = "process__host") -> filters.CharFilter:
    return filters.CharFilter(field_name=path, label="Host")


def _process() -> filters.NumberFilter:
    return filters.NumberFilter(field_name="process_id", label="Id of the process", min_value=1, max_value=2**63 - 1)


_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _outside(path: str = "outside") -> filters.BooleanFilter:
    return filters.BooleanFilter(
        field_name=path, label="true: only processes seen from outside, without heap figures; false: without these"
    )


class _TimeField(IsoDateTimeField):
    """A time that every database and zone knows."""

    def clean(self, value: Any) -> datetime | None:
        found: datetime | None = super().clean(value)
        if found is not None and not _FIRST <= found <= _LAST:
            raise ValidationError("give a time from 1970 to 2200")
        return found


class TimeFilter(filters.IsoDateTimeFilter):
    """A time with zone."""

    field_class = _TimeField


def _since(path: str) -> TimeFilter:
    return TimeFilter(field_name=path, lookup_expr="gte", label="From this time on, ISO 8601", error_messages=_TIME)


def _until(path: str) -> TimeFilter:
    return TimeFilter(field_name=path, lookup_expr="lt", label="Before this time, ISO 8601", error_messages=_TIME)


class ServiceFilter(filters.FilterSet):
    service = filters.CharFilter(field_name="name", label="Name of the service")

    class Meta:
        model = Service
        fields: tuple[str, ...] = ()


PROCESS_STATES = (("alive", "alive"), ("ended", "ended"), ("stale", "stale"))


class ProcessFilter(filters.FilterSet):
    service = _service()
    host = _host("host")
    state = filters.ChoiceFilter(
        choices=PROCESS_STATES, method="with_state", label="State", error_messages=_named(PROCESS_STATES)
    )
    outside = _outside()
    program = filters.CharFilter(label="Program, e.g. gunicorn worker")
    release = filters.CharFilter(field_name="release__name", label="Release")
    since = _since("started_at")
    until = _until("started_at")

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
    service = _service()
    reason = AnyOf(
        field_name="end_reason",
        choices=Process.End.choices,
        label=f"Reason; if not given, those that were not meant: {', '.join(Process.DEATHS)}",
    )
    since = _since("ended_at")
    until = _until("ended_at")

    class Meta:
        model = Process
        fields: tuple[str, ...] = ()

    def filter_queryset(self, queryset: QuerySet[Process]) -> QuerySet[Process]:
        rows: QuerySet[Process] = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data["reason"] else deaths.unwanted(rows)


class SnapshotFilter(filters.FilterSet):
    service = _service("process__service__name")
    host = _host()
    process = _process()
    outside = _outside("process__outside")
    since = _since("timestamp")
    until = _until("timestamp")

    class Meta:
        model = Snapshot
        fields: tuple[str, ...] = ()


class LeakFilter(filters.FilterSet):
    service = _service()
    host = _host()
    process = _process()
    state = AnyOf(choices=Leak.State.choices, label="State")
    severity = AnyOf(choices=Severity.choices, label="Severity")
    kind = AnyOf(choices=Leak.Kind.choices, label="Kind")
    type = TypeFilter(field_name="object_type", label="Type; * at either end stands for anything")
    since = _since("detected_at")
    until = _until("detected_at")

    class Meta:
        model = Leak
        fields: tuple[str, ...] = ()


ALERT_STATES = (("raised", "raised"), ("cleared", "cleared"))


class AlertFilter(filters.FilterSet):
    service = _service()
    host = _host()
    process = _process()
    state = filters.ChoiceFilter(
        choices=ALERT_STATES, method="with_state", label="State", error_messages=_named(ALERT_STATES)
    )
    severity = AnyOf(choices=Severity.choices, label="Severity")
    type = AnyOf(choices=Alert.Type.choices, label="Type")
    since = _since("raised_at")
    until = _until("raised_at")

    class Meta:
        model = Alert
        fields: tuple[str, ...] = ()

    def with_state(self, rows: QuerySet[Alert], _name: str, value: str) -> QuerySet[Alert]:
        return rows.filter(cleared_at__isnull=value == "raised")


class NotificationFilter(filters.FilterSet):
    service = filters.CharFilter(method="of_service", label="Name of the service")
    alert = filters.NumberFilter(field_name="alert_id", label="Id of the alert", min_value=1, max_value=2**63 - 1)
    recycle = filters.NumberFilter(field_name="recycle_id", label="Id of the recycle", min_value=1, max_value=2**63 - 1)
    state = AnyOf(choices=Notification.State.choices, label="State")
    event = AnyOf(choices=Notification.Event.choices, label="Event")
    channel = filters.CharFilter(label="Name of the channel, e.g. mailto:ops@example.org")
    since = _since("created_at")
    until = _until("created_at")

    class Meta:
        model = Notification
        fields: tuple[str, ...] = ()

    def of_service(self, queryset: QuerySet[Notification], _name: str, value: str) -> QuerySet[Notification]:
        return queryset.filter(Q(alert__service__name=value) | Q(recycle__service__name=value))


class BaselineFilter(filters.FilterSet):
    service = _service()
    host = _host()
    process = _process()
    active = filters.BooleanFilter(label="The one that counts now")
    since = _since("created_at")
    until = _until("created_at")

    class Meta:
        model = Baseline
        fields: tuple[str, ...] = ()


class RecordingFilter(filters.FilterSet):
    service = _service("process__service__name")
    host = _host()
    process = _process()
    leak = filters.NumberFilter(field_name="leak_id", label="Id of the leak", min_value=1, max_value=2**63 - 1)
    kind = AnyOf(choices=RecordingKind.choices, label="Kind")
    state = AnyOf(choices=Recording.State.choices, label="State")
    since = _since("requested_at")
    until = _until("requested_at")

    class Meta:
        model = Recording
        fields: tuple[str, ...] = ()


class RecyclingPolicyFilter(filters.FilterSet):
    service = _service()
    mode = AnyOf(choices=RecyclingPolicy.Mode.choices, label="Mode")

    class Meta:
        model = RecyclingPolicy
        fields: tuple[str, ...] = ()


class RecycleFilter(filters.FilterSet):
    service = _service()
    process = _process()
    state = AnyOf(choices=Recycle.State.choices, label="State")
    because = AnyOf(choices=Recycle.Because.choices, label="What made it due")
    since = _since("at")
    until = _until("at")

    class Meta:
        model = Recycle
        fields: tuple[str, ...] = ()


class WorkFilter(filters.FilterSet):
    service = _service()
    kind = AnyOf(field_name="work__kind", choices=WorkName.Kind.choices, label="Kind")
    name = TypeFilter(field_name="work__name", label="Name; * at either end stands for anything")
    since = TimeFilter(
        label="From the hour of this time on, ISO 8601; a day before until by default", error_messages=_TIME
    )
    until = TimeFilter(label="Before this time, ISO 8601; now by default", error_messages=_TIME)

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
