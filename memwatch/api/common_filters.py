"""The kinds of values that lists can be narrowed by, and the filters that many lists have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django_filters as filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField

TIME_ERRORS = {"invalid": "give a time with zone in ISO 8601, e.g. 2026-01-31T12:00:00Z"}
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def named(choices: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """The message for a value that is none of the choices."""
    return {"invalid_choice": f"%(value)s is none of: {', '.join(key for key, _label in choices)}"}


class AnyOf(filters.BaseInFilter, filters.ChoiceFilter):
    """One or several of the choices."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("lookup_expr", "in")
        kwargs.setdefault("error_messages", named(kwargs["choices"]))
        super().__init__(*args, **kwargs)


class TypeFilter(filters.CharFilter):
    """A type name; ``*`` at either end stands for anything."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        lookup = {(False, False): "exact", (True, False): "endswith", (False, True): "startswith"}
        stars = (value.startswith("*"), value.endswith("*"))
        if not value or value == "*":
            return qs
        return qs.filter(**{f"{self.field_name}__{lookup.get(stars, 'contains')}": value.strip("*")})


def service(path: str = "service__name") -> filters.CharFilter:
    return filters.CharFilter(field_name=path, label="Name of the service")


def host(path: str = "process__host") -> filters.CharFilter:
    return filters.CharFilter(field_name=path, label="Host")


def process() -> filters.NumberFilter:
    return filters.NumberFilter(field_name="process_id", label="Id of the process", min_value=1, max_value=2**63 - 1)


def outside(path: str = "outside") -> filters.BooleanFilter:
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


def since(path: str) -> TimeFilter:
    return TimeFilter(
        field_name=path, lookup_expr="gte", label="From this time on, ISO 8601", error_messages=TIME_ERRORS
    )


def until(path: str) -> TimeFilter:
    return TimeFilter(field_name=path, lookup_expr="lt", label="Before this time, ISO 8601", error_messages=TIME_ERRORS)
