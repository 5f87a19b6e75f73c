"""The page *Deaths*: ended processes, usually those alone that were not meant to end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext_lazy

from memwatch.admin import columns, formats
from memwatch.admin.base import BoundedPaginator, Listed, ReadOnlyAdmin
from memwatch.admin.deaths import words
from memwatch.admin.deaths.evidence import Evidence
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.process_tables import slot_name
from memwatch.models import Death
from memwatch.queries.processes import deaths

DAY, DAY_LENGTH = "24h", timedelta(hours=24)


class TimeFilter(ChoiceFilter):
    title = gettext_lazy("time")
    parameter_name = "time"
    lengths: ClassVar = {DAY: DAY_LENGTH, "7d": timedelta(days=7), "30d": timedelta(days=30)}
    options = (
        (DAY, gettext_lazy("Last 24 h")),
        ("7d", gettext_lazy("Last 7 days")),
        ("30d", gettext_lazy("Last 30 days")),
        ("all", gettext_lazy("All")),
    )
    usual = "7d"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        length = self.lengths.get(self.chosen)
        return queryset.filter(ended_at__gte=timezone.now() - length) if length else queryset


class ReasonFilter(ChoiceFilter):
    title = gettext_lazy("reason")
    parameter_name = "reason"
    options = (
        ("unwanted", gettext_lazy("Unwanted ends")),
        *((key, word) for key, (word, _tone) in words.REASONS.items()),
        ("all", gettext_lazy("All")),
    )
    usual = "unwanted"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.chosen == "unwanted":
            return deaths.unwanted(queryset)
        return queryset if self.chosen == "all" else queryset.filter(end_reason=self.chosen)


class DeathList(Listed):
    """A row leads to the page of its process, which explains its end."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        earlier = deaths.earlier_of(rows, timezone.now())
        for row in rows:
            row.shown, row.earlier = Evidence(row.end_evidence), earlier.get(row.pk, "")
        self.result_list = rows

    def url_for_result(self, result: Model) -> str:
        return formats.page_url("process", result.pk)


@admin.register(Death)
class DeathAdmin(ReadOnlyAdmin):
    list_display = ("slot_name", "when", "reason", "job", "memory", "earlier")
    list_filter = (ReasonFilter, TimeFilter, "service")
    search_fields = ("service__name", "host", "=pid", "release__name", "end_evidence__job__name")
    search_help_text = gettext_lazy("Service, host, pid, release or job")
    paginator = BoundedPaginator
    about = gettext_lazy(
        "Processes that ended although they were not meant to: out of memory, killed, crashed, or silent without a "
        "known cause. Use the filter “reason” to see restarts as well."
    )
    empty = gettext_lazy(
        "No process died in the last 7 days. Processes that were stopped, recycled or replaced are left out: use the "
        "filter “reason” to see them."
    )
    related: ClassVar = {"process": "", "alert": ""}

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("memwatch.view_process")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Death]:
        rows: QuerySet[Death] = super().get_queryset(request).select_related("service", "release")
        return rows.filter(ended_at__isnull=False)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeathList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(formats.page_url("process", object_id))

    slot_name = columns.text(gettext_lazy("process"), slot_name, "service__name")
    when = columns.when(gettext_lazy("ended"), "ended_at")
    reason = columns.text(gettext_lazy("reason"), words.reason, "end_reason")
    job = columns.text(gettext_lazy("job that was running"), lambda row: words.job(row.shown))
    memory = columns.text(gettext_lazy("RSS"), lambda row: words.memory(row.shown))
    earlier = columns.text(gettext_lazy("earlier"), lambda row: words.earlier(row.earlier))


def url(service: int | None = None, **filters: str) -> str:
    """The address of the page, for a service."""
    return formats.changelist("death", **({"service__id__exact": service} if service else {}), **filters)
