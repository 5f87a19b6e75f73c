"""Anomalies: the list, the page of one, and dismissing it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from memwatch.admin import columns, formats, panels
from memwatch.admin.actions import Act, ConfirmForm, one_by_one
from memwatch.admin.base import BoundedPaginator
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.panels import Line, Table
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.detection.anomalies.figures import WATCHED
from memwatch.models import Anomaly, Recording
from memwatch.queries import anomalies
from memwatch.records.json_record import parse_time
from memwatch.services.anomalies import actions


class DismissForm(ConfirmForm):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("E.g. “this worker serves the reports”."),
    )


def _state(anomaly: Anomaly) -> str:
    return str(anomaly.get_state_display())


_AnomalyAct = functools.partial(Act, state=_state)

DISMISS = _AnomalyAct(
    name="dismiss",
    label=gettext_lazy("Dismiss"),
    permission="dismiss_anomaly",
    becomes=Anomaly.State.DISMISSED.label,
    run=one_by_one(actions.dismiss),
    done=ngettext_lazy("%d anomaly was dismissed.", "%d anomalies were dismissed."),
    applies=lambda row: row.state != Anomaly.State.DISMISSED,
    consequence=gettext_lazy(
        "memwatch does not show the same in this service for half a year, unless it becomes half as much again."
    ),
    form=DismissForm,
)
RECORD = _AnomalyAct(
    name="record",
    label=gettext_lazy("Record both heaps"),
    permission="record_process",
    run=one_by_one(actions.record_both),
    done=ngettext_lazy("Recordings of %d anomaly were started.", "Recordings of %d anomalies were started."),
    applies=lambda row: row.process is not None and row.process.is_alive and row.state == Anomaly.State.OPEN,
    consequence=gettext_lazy(
        "A heap summary of the unusual process and one of a usual sibling. Their difference shows what it has more of."
    ),
)


class StateFilter(ChoiceFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    options = (*Anomaly.State.choices, ("all", gettext_lazy("all")))
    usual = Anomaly.State.OPEN

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.chosen == "all" else queryset.filter(state=self.chosen)


def _where(anomaly: Anomaly) -> SafeString:
    return formats.link_to(anomaly.process if anomaly.process is not None else anomaly.service)


@admin.register(Anomaly)
class AnomalyAdmin(RowAdmin):
    page_template = "admin/memwatch/anomaly/page.html"
    list_display = ("shown", "where", "score_shown", "state_shown", "began")
    list_filter = (StateFilter, "kind", "service")
    search_fields = ("says", "service__name", "process__host")
    search_help_text = gettext_lazy("Words of the description, service or host")
    paginator = BoundedPaginator
    acts = (DISMISS, RECORD)
    about = gettext_lazy(
        "Processes that differ from their siblings, and services that differ from the same hour of earlier weeks. "
        "These are hints: they raise no alert and send no notification."
    )
    empty = gettext_lazy(
        "Nothing is unusual. To compare processes, memwatch needs three of the same service, release and age. To "
        "compare a service with its own week, it needs about five days."
    )
    related: ClassVar = {"forecast": "", "service": ""}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Anomaly]:
        return anomalies.listed()

    shown = columns.text(gettext_lazy("description"), lambda row: row.says, "says")
    where = columns.text(gettext_lazy("where"), _where, "service__name")
    score_shown = columns.figure(gettext_lazy("score"), lambda row: f"{row.score:.0f}", "score")
    state_shown = columns.state()
    began = columns.when(gettext_lazy("since"), "since")

    def page(self, request: HttpRequest, obj: Any) -> Mapping[str, Any]:
        found: dict[str, Any] = dict(super().page(request, obj))
        if not request.user.has_perm("memwatch.view_recording"):
            found["advice"] = []
        return found

    def row_page(self, obj: Anomaly, now: datetime) -> RowPage:
        over = [format_html(_("ended {}"), formats.when(obj.ended_at, now))] if obj.ended_at else []
        return RowPage(
            title=capfirst(obj.get_kind_display()),
            subtitle=str(obj.process or obj.service),
            state=formats.state_of(obj),
            sentence=obj.says,
            tone="medium" if obj.state == Anomaly.State.OPEN else "",
            facts=[
                _where(obj),
                *([formats.link_to(obj.release, _("release %s") % obj.release.name)] if obj.release else []),
                format_html(_("unusual since {}"), formats.when(obj.since, now)),
                format_html(_("noticed {}"), formats.when(obj.detected_at, now)),
                *over,
                *_dismissed(obj, now),
            ],
            tiles=_tiles(obj),
            advice=_advice(anomalies.recordings_of(obj)),
            tables=[_figures(obj), _changes(obj, now)],
        )


def _dismissed(anomaly: Anomaly, now: datetime) -> list[SafeString]:
    if anomaly.dismissed_at is None:
        return []
    by = str(anomaly.dismissed_by or _("somebody"))
    fact = format_html(_("dismissed by {} {}"), by, formats.when(anomaly.dismissed_at, now))
    return [fact, format_html("{}", anomaly.comment)] if anomaly.comment else [fact]


def _tiles(anomaly: Anomaly) -> list[Line]:
    found = [
        Line(label=_("Score"), value=f"{anomaly.score:.0f}", hint=_("25 is the least that is shown, 100 the most"))
    ]
    if anomaly.sibling is not None:
        url = formats.page_url("process", anomaly.sibling.pk)
        found.append(Line(label=_("Usual sibling"), value=str(anomaly.sibling), url=url))
    return found


def _advice(recorded: list[Recording]) -> list[str | SafeString]:
    """Its recordings, and the difference of the two once both are done."""
    done = [row for row in recorded if row.state == Recording.State.DONE]
    found: list[str | SafeString] = [
        format_html("{}: {}", formats.link_to(row), row.get_state_display()) for row in recorded
    ]
    if len(done) > 1:
        url = f"{reverse('admin:memwatch_recording_difference', args=(done[0].pk,))}?other={done[1].pk}"
        found.insert(0, formats.link(url, _("Show what the unusual process has more of than its sibling")))
    return found


def _figures(anomaly: Anomaly) -> Table:
    rows = [(WATCHED[name], each) for name, each in anomaly.figures.items() if name in WATCHED]
    return Table(
        title=_("Unusual figures"),
        names=[_("Figure"), _("Value"), _("Usual"), _("Times the usual spread")],
        cells=[
            [
                watched.label,
                panels.figure(f"{formats.decimal(each['value'])} {watched.unit}".rstrip(), each["value"]),
                panels.figure(f"{formats.decimal(each['usual'])} {watched.unit}".rstrip(), each["usual"]),
                panels.figure(formats.decimal(each["ratio"]), each["ratio"]),
            ]
            for watched, each in rows
        ],
        empty=_("None is watched any more."),
    )


def _changes(anomaly: Anomaly, now: datetime) -> Table:
    return Table(
        title=_("What changed at the time"),
        names=[_("When"), _("Change")],
        cells=[[formats.when(parse_time("at", change["at"]), now), change["says"]] for change in anomaly.changes],
        empty=_("Nothing that memwatch knows of: no release, no restart, no setting, no load."),
    )
