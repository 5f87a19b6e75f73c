"""Recordings: the list, the page of one, and the way to a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from memwatch.admin import columns, formats
from memwatch.admin.actions import Act, one_by_one
from memwatch.admin.base import PageAdmin
from memwatch.admin.formats import name_of
from memwatch.admin.recordings import begin, difference, downloads, heap, pages
from memwatch.models import Recording, RecordingKind
from memwatch.queries.diagnosis import recordings as asked
from memwatch.queries.diagnosis.known_causes import all_causes
from memwatch.queries.row_ids import is_id
from memwatch.services import ActionRefused
from memwatch.services.recordings import heap_analyses, requests
from memwatch.services.recordings import storage as outcomes

PATIENCE_S = 3.0
"""The page of a heap dump waits so long for the analysis before it says how far that is."""
CANCEL = Act(
    name="cancel",
    label=gettext_lazy("Cancel"),
    permission="record_process",
    run=one_by_one(requests.cancel),
    done=ngettext_lazy("%d recording was cancelled.", "%d recordings were cancelled."),
    applies=lambda recording: recording.is_pending,
    state=lambda recording: recording.get_state_display(),
    becomes=gettext_lazy("cancelled"),
    consequence=gettext_lazy("The process stops recording and discards what it has recorded."),
)


@admin.register(Recording)
class RecordingAdmin(PageAdmin):
    list_display = ("what", "state_shown", "process_shown", "leak_shown", "requested", "asked_by", "took")
    list_filter = ("state", "kind", "look", "process__service", "trigger")
    search_fields = ("process__host", "process__service__name", "leak__object_type", name_of("requested_by"))
    search_help_text = gettext_lazy("Service, host, type or user")
    about = gettext_lazy(
        "Details that a process recorded about itself: which references keep objects alive, and which"
        " lines allocate memory. A button on the page of a leak or a process starts one."
    )
    empty = gettext_lazy(
        "No recording yet. Start one with “Find the cause” on the page of a leak, or with a button on"
        " the page of a process."
    )
    acts = (CANCEL,)
    related: ClassVar = {"trigger": "", "command": ""}
    page_template = "admin/memwatch/recording/page.html"
    change_list_template = "admin/memwatch/recording/list.html"

    class Media:
        css = {"all": ("memwatch/recordings.css",)}  # noqa: RUF012 - Django reads a plain dict

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recording]:
        rows: QuerySet[Recording] = asked.listed()
        return rows

    def get_urls(self) -> list[URLPattern]:
        views: list[tuple[str, Any, str]] = [
            ("record/", self.admin_site.admin_view(self.record_view), "recording_record"),
            ("known-causes/", self.for_viewers(self.known_causes_view), "known_causes"),
            ("<int:pk>/flamegraph/", self.admin_site.admin_view(self.flamegraph_view), "recording_flamegraph"),
            ("<int:pk>/download/<slug:form>/", self.admin_site.admin_view(self.download_view), "recording_download"),
            ("<int:pk>/heap/", self.for_viewers(self.heap_view), "recording_heap"),
            ("<int:pk>/heap/cancel/", self.admin_site.admin_view(self.heap_cancel_view), "recording_heap_cancel"),
            ("<int:pk>/difference/", self.for_viewers(self.difference_view), "recording_difference"),
        ]
        return [*(path(route, view, name=f"memwatch_{name}") for route, view, name in views), *super().get_urls()]

    def has_record_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("memwatch.record_process") and self.has_view_permission(request)

    what = columns.text(gettext_lazy("recording"), lambda row: capfirst(row.get_kind_display()), "kind")
    state_shown = columns.state()
    process_shown = columns.link(gettext_lazy("process"), "process", "process__service__name")
    asked_by = columns.text(gettext_lazy("by"), lambda row: row.asked_by, "requested_by")
    requested = columns.when(gettext_lazy("requested"), "requested_at")

    @admin.display(description=gettext_lazy("about"))
    def leak_shown(self, recording: Recording) -> SafeString | str:
        if recording.leak is None:
            return formats.type_name(recording.object_type) if recording.object_type else formats.NOT_MEASURED
        return formats.link_to(recording.leak, recording.leak.what)

    @admin.display(description=gettext_lazy("took"))
    def took(self, recording: Recording) -> SafeString:
        seconds = recording.measured.get("duration_s") if isinstance(recording.measured, Mapping) else None
        return formats.number(formats.duration(seconds) if isinstance(seconds, int | float) else formats.NOT_MEASURED)

    def page_object(self, request: HttpRequest, object_id: str) -> Recording | None:
        if not is_id(object_id):
            return None
        return asked.listed().defer(None).filter(pk=int(object_id)).first()

    def page(self, request: HttpRequest, recording: Recording) -> Mapping[str, Any]:
        group = asked.group_of(recording)
        pending = any(member.is_pending or member.and_then for member in group)
        shown, missing = self._result(recording)
        if not requests.may_see_values(request.user):
            shown = asked.without_values(shown)
        return {
            "title": capfirst(recording.get_kind_display()),
            "subtitle": "",
            "state": formats.state_of(recording),
            "facts": pages.facts(recording),
            "pending": pending,
            "waiting_text": self._waiting(recording),
            "missing": missing,
            "conclusion": pages.conclusion(group),
            "parts_template": f"admin/memwatch/recording/_{recording.kind}.html",
            "group": [
                {
                    "url": formats.page_url("recording", member.pk),
                    "kind": capfirst(member.get_kind_display()),
                    "state": formats.state_of(member),
                    "here": member.pk == recording.pk,
                }
                for member in group
            ],
            "costs": pages.costs(recording),
            "files": pages.files(recording) if self._may_download(request, recording) else [],
            "flamegraph_url": reverse("admin:memwatch_recording_flamegraph", args=(recording.pk,)),
            "others": self._others(recording) if requests.may_read(request.user, recording) else [],
            **pages.context(recording, shown, may_open=requests.may_read(request.user, recording)),
        }

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def record_view(self, request: HttpRequest) -> HttpResponse:
        """A new recording."""
        if not self.has_record_permission(request):
            raise PermissionDenied
        return begin.page(self, request)

    def known_causes_view(self, request: HttpRequest) -> HttpResponse:
        """Every cause that is known without recording, with its source."""
        context = {"title": _("Known causes"), "causes": all_causes()}
        return self.rendered(request, "admin/memwatch/recording/known_causes.html", context)

    def flamegraph_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page that memray made, in a sandbox: it may run its own scripts, and neither see nor reach anything."""
        recording = self._allowed(request, pk)
        return self.gone(request, str(pk)) if recording is None else downloads.flamegraph(recording)

    def download_view(self, request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
        """The outcome as a file."""
        recording = self._allowed(request, pk)
        if recording is None:
            return self.gone(request, str(pk))
        if not requests.may_read(request.user, recording):
            raise PermissionDenied
        try:
            answer = downloads.download(recording, form, values=requests.may_see_values(request.user))
        except (ActionRefused, outcomes.OutcomeMissing) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(formats.page_url("recording", pk))
        requests.downloaded(recording, form, by=request.user)
        return answer

    def difference_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What lies between this recording and another of its kind."""
        later = self.page_object(request, str(pk))
        earlier = self.page_object(request, request.GET.get("other", ""))
        if later is None or earlier is None:
            return self.gone(request, request.GET.get("other", "") if later else str(pk))
        try:
            found = asked.difference_of(earlier, outcomes.result_of(earlier), later, outcomes.result_of(later))
        except (ValueError, outcomes.OutcomeMissing) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(formats.page_url("recording", pk))
        context = {
            "title": _("Difference of two recordings"),
            "original": later,
            "object_id": str(pk),
            "facts": [formats.link_to(row, f"{row}, {formats.exact(row.requested_at)}") for row in (earlier, later)],
            **difference.tables_of(found),
        }
        return self.rendered(request, "admin/memwatch/recording/difference.html", context)

    def heap_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a heap dump contains, or what is new in it since another one."""
        if not requests.may_dump(request.user):
            raise PermissionDenied
        recording = self.page_object(request, str(pk))
        if recording is None:
            return self.gone(request, str(pk))
        given = request.GET
        earlier = self.page_object(request, given["against"]) if "against" in given else None
        if not all(requests.may_read(request.user, each) for each in (recording, earlier) if each is not None):
            raise PermissionDenied
        title = _("Heap of %s") % recording.process
        try:
            found = heap_analyses.analysis(recording, PATIENCE_S)
            if earlier is not None:
                title = _("Difference of two heap dumps")
                shown = heap.difference(heap_analyses.analysis(earlier, PATIENCE_S), found)
                shown["facts"] = [
                    formats.link_to(row, f"{row}, {formats.exact(row.requested_at)}") for row in (earlier, recording)
                ]
            else:
                shown = {**heap.context(found, given), "facts": heap.facts(recording, found)}
        except heap_analyses.BeingAnalysed as analysed:
            shown = {"facts": heap.facts(recording), **heap.waiting(earlier or recording, analysed.percent)}
        except (ActionRefused, outcomes.OutcomeMissing) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(formats.page_url("recording", pk))
        page = {"title": title, "original": recording, "object_id": str(pk), **shown}
        return self.rendered(request, "admin/memwatch/recording/heap.html", page)

    @method_decorator(require_POST)
    def heap_cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End the analysis of a heap dump."""
        recording = self._allowed(request, pk)
        if recording is None:
            return self.gone(request, str(pk))
        if not requests.may_read(request.user, recording):
            raise PermissionDenied
        try:
            heap_analyses.cancel(recording, by=request.user)
            messages.success(request, _("The analysis was cancelled."))
        except ActionRefused as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(formats.page_url("recording", pk))

    def _may_download(self, request: HttpRequest, recording: Recording) -> bool:
        return self.has_record_permission(request) and requests.may_read(request.user, recording)

    def _allowed(self, request: HttpRequest, pk: int) -> Recording | None:
        """Outcomes may hold values and file names: they are for those who may record. ``None``: it is not there."""
        if not self.has_record_permission(request):
            raise PermissionDenied
        return self.page_object(request, str(pk))

    def _result(self, recording: Recording) -> tuple[dict[str, Any] | None, str]:
        try:
            return outcomes.result_of(recording), ""
        except outcomes.OutcomeMissing as error:
            return None, str(error)

    def _waiting(self, recording: Recording) -> str:
        if not recording.is_pending:
            return ""
        seconds = recording.options.get("duration_s")
        if recording.kind in (RecordingKind.ALLOCATIONS, RecordingKind.FLAMEGRAPH):
            length = formats.duration(float(seconds) if isinstance(seconds, int | float) else 30.0)
            return _("The process records for %s. The result arrives a few seconds later.") % length
        if recording.kind == RecordingKind.HEAP_DUMP:
            return _dump_progress(recording)
        return _("The result arrives within seconds.")

    def _others(self, recording: Recording) -> list[dict[str, Any]]:
        if recording.state != Recording.State.DONE or recording.kind in _NOT_COMPARED:
            return []
        view, name = ("heap", "against") if recording.kind == RecordingKind.HEAP_DUMP else ("difference", "other")
        here = reverse(f"admin:memwatch_recording_{view}", args=(recording.pk,))
        return [
            {"url": f"{here}?{name}={other.pk}", "name": str(other), "at": formats.when(other.requested_at)}
            for other in asked.comparable_with(recording)
        ]


_NOT_COMPARED = (RecordingKind.FLAMEGRAPH,)


def _dump_progress(recording: Recording) -> str:
    """How far it is: written by the process, then sent in parts."""
    received, parts = asked.parts_received(recording)
    if parts:
        words = {"received": formats.count(received), "parts": formats.count(parts)}
        return _("The dump is being sent: %(received)s of %(parts)s parts have arrived.") % words
    objects = recording.measured.get("objects") if isinstance(recording.measured, Mapping) else None
    if isinstance(objects, int | float) and objects:
        return _("A copy of the process writes the dump: %s objects so far.") % formats.count(int(objects))
    return _("A copy of the process writes the dump. This takes some seconds for a million objects.")
