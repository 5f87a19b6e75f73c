"""The page *Recycling*: the policies above, and the workers that were recycled, or would have been, below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import columns, formats
from memwatch.admin.base import BoundedPaginator
from memwatch.admin.panels import Line, Table
from memwatch.admin.recycling import words
from memwatch.admin.recycling.policies import PERMISSION
from memwatch.admin.row_page import RowAdmin, RowPage, Text
from memwatch.conf import get_settings
from memwatch.models import Recycle
from memwatch.queries import recycling
from memwatch.services.recycling import policies

_GREW_BACK = gettext_lazy("The successor was due again within the interval.")


@admin.register(Recycle)
class RecycleAdmin(RowAdmin):
    change_list_template = "admin/memwatch/recycling/list.html"
    list_display = ("worker", "chosen", "state_shown", "because_shown", "before", "gained", "result")
    list_filter = ("state", "because", "service")
    search_fields = ("name", "service__name", "release__name", "result")
    search_help_text = gettext_lazy("Service, worker, host, release, or words of the result")
    paginator = BoundedPaginator
    about = gettext_lazy(
        "Workers that memwatch recycled, or would have recycled while a policy rehearses. A worker finishes its job "
        "and ends, and its server starts a successor."
    )
    empty = gettext_lazy(
        "No worker was recycled. Add a policy for a service whose workers grow, and rehearse it first."
    )
    related: ClassVar = {"recyclingpolicy": "", "service": "", "notification": "recycle"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recycle]:
        return (
            super()
            .get_queryset(request)
            .select_related(
                "service", "process__service", "successor__service", "release", "recording__process__service", "leak"
            )
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.stop_view)
        return [path("stop-all/", view, name="memwatch_recycle_stop_all"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        shown = request.user.has_perm("memwatch.view_recyclingpolicy")
        may = shown and request.user.has_perm(PERMISSION)
        rows = list(recycling.policies()) if shown else []
        own: dict[str, Any] = {
            "title": _("Recycling"),
            "about": "",
            "said": self.about,
            "policies": _policies(rows) if shown else None,
            "add_url": reverse("admin:memwatch_recyclingpolicy_add") if may else "",
            "stop_url": reverse("admin:memwatch_recycle_stop_all") if may and any(_is_on(row) for row in rows) else "",
            "switched_off": "" if get_settings().recycling else words.SWITCHED_OFF,
        }
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """Asks first; a POST switches every policy off."""
        if not self.has_view_permission(request) or not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        back = reverse("admin:memwatch_recycle_changelist")
        if request.method == "POST":
            stopped = policies.stop_all(by=request.user)
            text = ngettext("%d policy was switched off.", "%d policies were switched off.", stopped)
            messages.success(request, text % stopped)
            return HttpResponseRedirect(back)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        context: Mapping[str, Any] = {
            "title": _("Stop all recycling"),
            "names": [row.service.name for row in recycling.policies() if _is_on(row)],
            "back": back,
        }
        return self.rendered(request, "admin/memwatch/recycling/stop.html", context)

    worker = columns.text(gettext_lazy("worker"), lambda row: row.name, "name")
    chosen = columns.when(gettext_lazy("chosen"), "at")
    state_shown = columns.text(gettext_lazy("state"), words.state, "state")
    because_shown = columns.text(gettext_lazy("cause"), lambda row: str(row.get_because_display()), "because")
    before = columns.figure(
        gettext_lazy("private before"), lambda row: formats.kib(row.private_before_kib), "private_before_kib"
    )
    gained = columns.figure(gettext_lazy("gained"), lambda row: formats.kib(row.gained_kib), "gained_kib")

    def row_page(self, obj: Recycle, now: datetime) -> RowPage:
        return RowPage(
            title=obj.name,
            subtitle=_("worker of %s") % obj.service,
            state=words.state(obj),
            sentence=obj.result or _would(obj),
            tone=words.TONES.get(obj.state, ""),
            facts=[
                formats.link_to(obj.service),
                *([formats.link_to(obj.process)] if obj.process else []),
                *([formats.link_to(obj.release, _("release %s") % obj.release.name)] if obj.release else []),
                format_html(_("chosen {}"), formats.when(obj.at, now)),
                *([format_html(_("ordered {}"), formats.when(obj.ordered_at, now))] if obj.ordered_at else []),
                *([format_html(_("over {}"), formats.when(obj.ended_at, now))] if obj.ended_at else []),
            ],
            tiles=_tiles(obj),
            texts=[Text(title=_("Why it was chosen"), text=obj.why, hint=str(_GREW_BACK) if obj.grew_back else "")],
        )


def _would(recycle: Recycle) -> str:
    if recycle.state == Recycle.State.REHEARSED:
        return _("It would have been recycled. The policy rehearses, so it was left alone.")
    if recycle.state == Recycle.State.EVIDENCE:
        return _("What its memory is made of is being recorded. It gets its order after that.")
    return _("It has its order, and finishes what it is doing.")


def _tiles(recycle: Recycle) -> list[Line]:
    found = [
        Line(label=_("Private memory before"), value=formats.kib(recycle.private_before_kib)),
        Line(label=_("Gained"), value=formats.kib(recycle.gained_kib), hint=_("against its successor")),
    ]
    if recycle.successor is not None:
        url = formats.page_url("process", recycle.successor.pk)
        found.append(Line(label=_("Successor"), value=str(recycle.successor.slot), url=url))
    if recycle.recording is not None:
        url = formats.page_url("recording", recycle.recording.pk)
        kind = capfirst(str(recycle.recording.get_kind_display()))
        found.append(Line(label=_("Evidence"), value=kind, hint=recycle.recording.get_state_display(), url=url))
    if recycle.leak is not None:
        url = formats.page_url("leak", recycle.leak.pk)
        found.append(Line(label=_("Leak"), value=formats.type_name(recycle.leak.what), url=url))
    return found


def _is_on(policy: Any) -> bool:
    return bool(policy.mode != policy.Mode.OFF)


def _policies(rows: list[Any]) -> Table:
    return Table(
        title=_("Policies"),
        names=[_("Service"), _("Mode"), _("A worker is due at"), _("Last check"), _("Result")],
        cells=[
            [
                formats.link_to(row, row.service.name),
                words.mode(row),
                words.condition(row),
                formats.when(row.checked_at) if row.checked_at else formats.NOT_MEASURED,
                words.said(row),
            ]
            for row in rows
        ],
        empty=_("No service has a policy: no worker is recycled."),
    )
