"""Forecasts: when memory will be exhausted, the nearest end first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import columns, formats
from memwatch.admin.anomalies import words
from memwatch.admin.panels import Line
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.models import Forecast
from memwatch.queries import anomalies


def _when(row: Forecast) -> str:
    return capfirst(words.interval(row, timezone.now()))


@admin.register(Forecast)
class ForecastAdmin(RowAdmin):
    list_display = ("what", "exhausted", "used", "limit", "made")
    list_filter = ("kind",)
    search_fields = ("host", "process__service__name")
    search_help_text = gettext_lazy("Host or service")
    about = gettext_lazy(
        "When memory will run out, if it keeps growing as before. In four of five cases it lies within the interval."
    )
    empty = gettext_lazy(
        "memwatch sees no memory that runs out within a month. A forecast needs a day of figures, and memory that has "
        "reached two fifths of its limit."
    )
    related: ClassVar = {"anomaly": "", "leak": ""}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return anomalies.forecasts()

    what = columns.text(gettext_lazy("what"), lambda row: formats.link_to(row, str(row)), "kind")
    exhausted = columns.text(gettext_lazy("exhausted"), _when, "likely")
    used = columns.figure(gettext_lazy("used"), lambda row: formats.kib(row.used_kib), "used_kib")
    limit = columns.figure(gettext_lazy("limit"), lambda row: formats.kib(row.limit_kib), "limit_kib")
    made = columns.when(gettext_lazy("made"), "made_at")

    def row_page(self, obj: Forecast, now: datetime) -> RowPage:
        return RowPage(
            title=_("Forecast"),
            subtitle=str(obj),
            sentence=_("Its memory will be exhausted: %s.") % words.interval(obj, now),
            facts=[formats.link_to(obj.process), format_html(_("made {}"), formats.when(obj.made_at, now))],
            tiles=[
                Line(label=_("Used"), value=formats.kib(obj.used_kib)),
                Line(label=_("Limit"), value=formats.kib(obj.limit_kib)),
                Line(label=_("Most likely"), value=words.clock(obj.likely, now)),
            ],
        )
