"""The list of leaks by cause: one row for each type that leaks in a service, with the processes that have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Case, Count, F, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.admin.actions import MOST_ROWS
from memwatch.admin.base import Listed
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.leaks.tables import each_process_url
from memwatch.models import Leak
from memwatch.queries.leaks import SEVERITY_RANK

BY = "by"
"""The parameter of the address that says whether each process has a row."""
SHOWN_MEMBERS = 20
"""Processes listed under a row, the worst first; a link leads to all."""

_CAUSE = ("service_id", "kind", "object_type")
_ENDED_LAST = Case(
    When(state=Leak.State.RESOLVED, then=Value(2)),
    When(state__in=(Leak.State.SNOOZED, Leak.State.SUPPRESSED), then=Value(1)),
    default=Value(0),
)
MOST_URGENT = (SEVERITY_RANK.desc(), F("time_to_exhaustion_s").asc(nulls_last=True))
"""An order: by severity, then by the time that memory lasts."""


class RowsFilter(ChoiceFilter):
    """A row for each cause unless asked otherwise."""

    title = gettext_lazy("rows")
    parameter_name = BY
    options = (
        ("cause", gettext_lazy("one per service and type")),
        ("process", gettext_lazy("one per process")),
    )
    usual = "cause"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


class ByCause(Listed):
    """The worst leak of each cause, with ``members``: those that the filters leave of the same cause, worst first."""

    each: QuerySet[Leak]
    """The row of each process, under the same filters."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.each = super().get_queryset(request, exclude_parameters)
        return self.each if self._by_process else _ranked(self.each).filter(place=1)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self._by_process:
            return
        self.result_list = list(self.result_list)
        shared = [leak for leak in self.result_list if leak.size > 1]
        members: dict[tuple[Any, ...], list[Leak]] = {}
        if shared:
            rows = _ranked(_of_causes(self.each, {_cause(leak) for leak in shared})).filter(place__lte=SHOWN_MEMBERS)
            for leak in rows.order_by("place"):
                members.setdefault(_cause(leak), []).append(leak)
        for leak in shared:
            leak.members = members.get(_cause(leak), [])

    def with_members(self, chosen: QuerySet[Leak]) -> QuerySet[Leak]:
        """These rows, and those of the other processes that they stand for."""
        if self._by_process:
            return chosen
        causes = set(chosen.order_by().values_list(*_CAUSE)[: MOST_ROWS + 1])
        found = _of_causes(self.each, causes).order_by().values_list("pk", *_CAUSE)
        pks = [pk for pk, *cause in found if tuple(cause) in causes]
        return self.each.filter(pk__in=pks[: MOST_ROWS + 1])

    @property
    def _by_process(self) -> bool:
        return self.params.get(BY) == "process"


def where(leak: Leak) -> SafeString:
    """The process of a row, or its processes, folded up."""
    members: Sequence[Leak] = getattr(leak, "members", ())
    if not members:
        return _place(leak)
    size = leak.size  # type: ignore[attr-defined]
    items = format_html_join(
        "",
        '<li><a href="{}">{}</a> {} <span class="mw-quiet">{}</span></li>',
        (
            (
                formats.page_url("leak", each.pk), each.process.slot if each.process else _("the whole service"),
                each.get_severity_display(), each.get_state_display() if each.state != leak.state else "",
            )
            for each in members
        ),
    )  # fmt: skip
    summary = ngettext("%s process of", "%s processes of", size) % formats.count(size)
    return format_html(
        '<details class="mw-members"><summary>{} {}</summary><ul>{}</ul><a href="{}">{}</a></details>',
        summary, leak.service.name, items, each_process_url(leak), _("Show one row per process"),
    )  # fmt: skip


def _place(leak: Leak) -> SafeString:
    name = leak.process.slot if leak.process else _("all processes of %s") % leak.service.name
    return format_html('<span title="{}">{}</span>', leak.process or leak.service, name)


def _cause(leak: Leak) -> tuple[Any, ...]:
    return tuple(getattr(leak, name) for name in _CAUSE)


def _ranked(rows: QuerySet[Leak]) -> QuerySet[Any]:
    """With ``place`` among those of the same cause, 1 for the worst, and ``size``, how many they are."""
    partition = [F(name) for name in _CAUSE]
    order = (_ENDED_LAST, *MOST_URGENT, F("pk").asc())
    return rows.annotate(
        place=Window(RowNumber(), partition_by=partition, order_by=order),
        size=Window(Count("pk"), partition_by=partition),
    )


def _of_causes(rows: QuerySet[Leak], causes: set[tuple[Any, ...]]) -> QuerySet[Leak]:
    """Those of these causes, and some more of the same services."""
    services, kinds, types = (set(values) for values in zip(*causes, strict=True)) if causes else (set(), set(), set())
    return rows.filter(service__in=services, kind__in=kinds, object_type__in=types)
