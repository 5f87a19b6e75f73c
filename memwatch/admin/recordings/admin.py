"""Recordings: the list, the page of one, and the way to a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats, runbooks
from memwatch.admin.actions import Act, one_by_one
from memwatch.admin.base import PageAdmin
from memwatch.admin.formats import name_of
from memwatch.admin.recordings import downloads, pages
from memwatch.admin.recordings.forms import CAUSE, OFFERS, RecordForm
from memwatch.models import Leak, Process, Recording, RecordingKind
from memwatch.queries import recordings as asked
from memwatch.queries.leaks import leaks_by_id
from memwatch.queries.processes.lookup import processes_by_id
from memwatch.queries.row_ids import is_id
from memwatch.services import ActionRefused
from memwatch.services.recordings import requests, triggers
from memwatch.services.recordings import storage as outcomes

CANCEL = Act(
    name="cancel",
    label=gettext_lazy("Cancel"),
    permission="record_process",
    run=one_by_one(lambda row, user, _values: requests.cancel(row, by=user)),
    done=lambda n: ngettext("%d recording was cancelled.", "%d recordings were cancelled.", n) % n,
    applies=lambda recording: recording.is_pending,
    state=lambda recording: recording.get_state_display(),
    becomes=gettext_lazy("cancelled"),
    consequence=gettext_lazy("The process stops recording and throws away what it has."),
)


@admin.register(Recording)
class RecordingAdmin(PageAdmin):
    list_display = ("what", "state_shown", "process_shown", "leak_shown", "requested", "asked_by", "took")
    list_filter = ("state", "kind", "look", "process__service", "trigger")
    search_fields = ("process__host", "process__service__name", "leak__object_type", name_of("requested_by"))
    search_help_text = gettext_lazy("Service, host, type or user")
    about = gettext_lazy(
        "What processes were asked to record of themselves: what refers to the objects that leak, and which lines "
        "allocate them."
    )
    empty = gettext_lazy(
        "Nothing was recorded yet. “Find the cause” on the page of a leak begins a recording, and so do the buttons on "
        "the page of a process."
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
        def view(function: Any) -> Any:
            return self.admin_site.admin_view(function)

        return [
            path("record/", view(self.record_view), name="memwatch_recording_record"),
            path("known-causes/", view(self.known_causes_view), name="memwatch_known_causes"),
            path("<int:pk>/flamegraph/", view(self.flamegraph_view), name="memwatch_recording_flamegraph"),
            path("<int:pk>/download/<slug:form>/", view(self.download_view), name="memwatch_recording_download"),
            path("<int:pk>/difference/", view(self.difference_view), name="memwatch_recording_difference"),
            *super().get_urls(),
        ]

    def has_record_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("memwatch.record_process") and self.has_view_permission(request)

    @admin.display(description=gettext_lazy("recording"), ordering="kind")
    def what(self, recording: Recording) -> str:
        return str(recording.get_kind_display()).capitalize()

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, recording: Recording) -> SafeString:
        return formats.state_badge(recording.state, recording.get_state_display())

    @admin.display(description=gettext_lazy("process"), ordering="process__service__name")
    def process_shown(self, recording: Recording) -> SafeString:
        return formats.link(formats.page_url("process", recording.process_id), str(recording.process))

    @admin.display(description=gettext_lazy("about"))
    def leak_shown(self, recording: Recording) -> SafeString | str:
        if recording.leak is None:
            return formats.type_name(recording.object_type) if recording.object_type else formats.NOT_MEASURED
        return formats.link(formats.page_url("leak", recording.leak_id), recording.leak.object_type)

    @admin.display(description=gettext_lazy("by"), ordering="requested_by")
    def asked_by(self, recording: Recording) -> str:
        return recording.asked_by

    @admin.display(description=gettext_lazy("requested"), ordering="requested_at")
    def requested(self, recording: Recording) -> SafeString:
        return formats.when(recording.requested_at)

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
            "title": str(recording.get_kind_display()).capitalize(),
            "subtitle": "",
            "state": formats.state_badge(recording.state, recording.get_state_display()),
            "facts": pages.facts(recording),
            "pending": pending,
            "waiting_text": self._waiting(recording),
            "missing": missing,
            "conclusion": pages.conclusion(group),
            "parts_template": f"admin/memwatch/recording/_{recording.kind}.html",
            "group": [
                {
                    "url": formats.page_url("recording", member.pk),
                    "kind": str(member.get_kind_display()).capitalize(),
                    "state": formats.state_badge(member.state, member.get_state_display()),
                    "here": member.pk == recording.pk,
                }
                for member in group
            ],
            "costs": pages.costs(recording),
            "files": pages.files(recording) if self.has_record_permission(request) else [],
            "flamegraph_url": reverse("admin:memwatch_recording_flamegraph", args=(recording.pk,)),
            "others": self._others(recording),
            **pages.context(recording, shown),
        }

    def record_view(self, request: HttpRequest) -> HttpResponse:
        """Asks first, saying what it costs; a POST that confirms begins and leads to the recording's page."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if not self.has_record_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        leak_id, process_id = _id(given.get("leak")), _id(given.get("process"))
        leak = leaks_by_id([leak_id]).get(leak_id)
        process = processes_by_id([process_id]).get(process_id)
        offer = OFFERS.get(given.get("kind") or (CAUSE if leak is not None else ""))
        if offer is None or (leak is None and process is None):
            return self._nothing_to_record(request, given, leak or process)
        subject = leak or process
        back = subject.get_absolute_url() if subject is not None else ""
        confirmed = request.method == "POST" and "confirmed" in request.POST
        may_see = requests.may_see_values(request.user)
        given_form = request.POST if confirmed else None
        form = RecordForm(given_form, kind=offer.kind, leak=leak, process=process, values=may_see)
        if confirmed and form.is_valid():
            try:
                recording = _begin(offer.kind, leak, process, request.user, form.options())
            except (ActionRefused, ValueError) as error:
                messages.error(request, str(error))
                return HttpResponseRedirect(back)
            return HttpResponseRedirect(formats.page_url("recording", recording.pk))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": offer.label if leak is not None else offer.process_label,
            "offer": offer,
            "subject": subject,
            "leak": leak,
            "process": process,
            "form": form,
            "back": back,
            "media": self.media + form.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/memwatch/recording/record.html", context)

    def _nothing_to_record(
        self, request: HttpRequest, given: Mapping[str, str], subject: Leak | Process | None
    ) -> HttpResponse:
        if subject is not None:
            messages.warning(request, _("There is no recording of that kind: choose one of the buttons."))
            return HttpResponseRedirect(subject.get_absolute_url())
        for name, kind in (("leak", _("leak")), ("process", _("process"))):
            if given.get(name):
                words = {"kind": kind, "key": given[name]}
                text = _("There is nothing to record of the %(kind)s %(key)s: it may have been pruned.") % words
                messages.warning(request, text)
                return HttpResponseRedirect(reverse(f"admin:memwatch_{name}_changelist"))
        messages.warning(request, _("Begin a recording by a button on the page of a leak or of a process."))
        return HttpResponseRedirect(reverse("admin:memwatch_recording_changelist"))

    def known_causes_view(self, request: HttpRequest) -> HttpResponse:
        """What can be said without recording."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        return runbooks.page(self, request)

    def flamegraph_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page that memray made, in a sandbox: it may run its own scripts, and neither see nor reach anything."""
        recording = self._allowed(request, pk)
        return self.gone(request, str(pk)) if recording is None else downloads.flamegraph(recording)

    def download_view(self, request: HttpRequest, pk: int, form: str) -> HttpResponse:
        """The outcome as a file."""
        recording = self._allowed(request, pk)
        if recording is None:
            return self.gone(request, str(pk))
        try:
            answer = downloads.download(recording, form, values=requests.may_see_values(request.user))
        except (ActionRefused, outcomes.OutcomeMissing) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(formats.page_url("recording", pk))
        requests.downloaded(recording, form, by=request.user)
        return answer

    def difference_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What lies between this recording and another of its kind."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
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
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Difference of two recordings"),
            "original": later,
            "object_id": str(pk),
            "media": self.media,
            "history_label": _("History"),
            "state": "",
            "facts": [
                formats.link(formats.page_url("recording", row.pk), f"{row}, {formats.exact(row.requested_at)}")
                for row in (earlier, later)
            ],
            **pages.difference(found),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/memwatch/recording/difference.html", context)

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
            return _("It records for %s; then its outcome is on its way for some seconds more.") % length
        return _("Its outcome is on its way: it takes some seconds.")

    def _others(self, recording: Recording) -> list[dict[str, Any]]:
        if recording.state != Recording.State.DONE or recording.kind == RecordingKind.FLAMEGRAPH:
            return []
        here = reverse("admin:memwatch_recording_difference", args=(recording.pk,))
        return [
            {"url": f"{here}?other={other.pk}", "name": str(other), "at": formats.when(other.requested_at)}
            for other in asked.comparable_with(recording)
        ]


def _begin(kind: str, leak: Leak | None, process: Process | None, user: Any, options: dict[str, Any]) -> Recording:
    wait_s = requests.REFUSAL_WAIT_S
    if leak is not None and kind == CAUSE:
        return triggers.investigate(leak, by=user, wait_s=wait_s)
    if leak is not None:
        return triggers.record(leak, kind, by=user, process=process, options=options, wait_s=wait_s)
    if process is None:
        raise ActionRefused("nothing was named that could be recorded")
    return requests.request(process, kind, by=user, options=options, wait_s=wait_s)


def _id(text: str | None) -> int:
    """The id in an address; 0, which no row has, where there is none."""
    return int(text) if text and is_id(text) else 0
