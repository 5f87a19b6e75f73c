"""The list of the services with their numbers, and the page of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from memwatch.admin import columns, formats
from memwatch.admin.base import Listed
from memwatch.admin.recommendations import page
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.models import Recommendation
from memwatch.queries.recommendations import advice_of, advice_of_all


class AdviceList(Listed):
    """With the advice for each service of the page: as many queries for many as for one."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        for row, advice in zip(rows, advice_of_all(rows, timezone.now()), strict=True):
            row.advice = advice
        self.result_list = rows


@admin.register(Recommendation)
class RecommendationAdmin(RowAdmin):
    list_display = ("service", "says", "jobs", "now", "expected", "recycles")
    search_fields = ("name",)
    search_help_text = gettext_lazy("Part of the name of the service")
    list_per_page = 20
    about = gettext_lazy(
        "After how many jobs to replace a worker, how many workers fit, and which container limit they need: "
        "calculated from the last week, so that memory stays below the warning threshold."
    )
    empty = gettext_lazy("No service yet. The numbers need processes that report.")
    related: ClassVar = {"service": "", "workrollup": ""}

    service = columns.text(gettext_lazy("service"), lambda row: row.name, "name")
    says = columns.text(gettext_lazy("result"), lambda row: page.state_badge(row.advice))
    jobs = columns.figure(gettext_lazy("jobs a worker, recommended"), lambda row: page.jobs_text(row.advice))
    now = columns.figure(gettext_lazy("jobs a worker, now"), lambda row: page.current_jobs_text(row.advice))
    expected = columns.figure(gettext_lazy("expected peak"), lambda row: page.peak_text(row.advice))
    recycles = columns.figure(gettext_lazy("workers replaced a day"), lambda row: page.recycles_text(row.advice))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("memwatch.view_service")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AdviceList

    def row_page(self, obj: Recommendation, now: datetime) -> RowPage:
        return page.page(obj, advice_of(obj, now))


def url(service: int) -> str:
    """The address of the page of one service."""
    return formats.page_url("recommendation", service)
