"""The page that asks before a recording begins, and its beginning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from memwatch.admin import formats
from memwatch.admin.fleet.allocator import expected_call
from memwatch.admin.guard import GuardedAdmin
from memwatch.admin.recordings.forms import CAUSE, OFFERS, RecordForm
from memwatch.models import Leak, Process, Recording, RecordingKind
from memwatch.queries.leaks import leaks_by_id
from memwatch.queries.processes.lookup import processes_by_id
from memwatch.queries.row_ids import is_id
from memwatch.services import ActionRefused
from memwatch.services.recordings import requests, triggers


def page(admin: GuardedAdmin, request: HttpRequest) -> HttpResponse:
    """Asks first, saying what it costs; a POST that confirms begins and leads to the recording's page.

    Permissions are the caller's.
    """
    given = request.POST if request.method == "POST" else request.GET
    leak_id, process_id = _id(given.get("leak")), _id(given.get("process"))
    leak = leaks_by_id([leak_id]).get(leak_id)
    process = processes_by_id([process_id]).get(process_id)
    subject = leak or process
    offer = OFFERS.get(given.get("kind") or (CAUSE if leak is not None else ""))
    if offer is None or subject is None:
        return _nothing_to_record(request, given, subject)
    if offer.kind in requests.forbidden_kinds(request.user):
        raise PermissionDenied
    back = subject.get_absolute_url()
    confirmed = request.method == "POST" and "confirmed" in request.POST
    form = RecordForm(
        request.POST if confirmed else None,
        kind=offer.kind, leak=leak, process=process, values=requests.may_see_values(request.user),
        keys=requests.may_name_keys(request.user),
    )  # fmt: skip
    if confirmed and form.is_valid():
        try:
            recording = _begin(offer.kind, leak, process, request.user, form.options())
        except (ActionRefused, ValueError) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(back)
        return HttpResponseRedirect(formats.page_url("recording", recording.pk))
    context = {
        "title": offer.label if leak is not None else offer.process_label,
        "offer": offer,
        "subject": subject,
        "leak": leak,
        "process": process,
        "expected": expected_call(process) if process is not None and offer.kind == RecordingKind.TRIM else "",
        "form": form,
        "back": back,
        "media": admin.media + form.media,
    }
    return admin.rendered(request, "admin/memwatch/recording/record.html", context)


def _nothing_to_record(request: HttpRequest, given: Mapping[str, str], subject: Leak | Process | None) -> HttpResponse:
    if subject is not None:
        messages.warning(request, _("There is no recording of that kind. Use one of the buttons on this page."))
        return HttpResponseRedirect(subject.get_absolute_url())
    for name, kind in (("leak", _("leak")), ("process", _("process"))):
        if given.get(name):
            words = {"kind": kind, "key": given[name]}
            text = _("There is no %(kind)s %(key)s to record. It may have been pruned.") % words
            messages.warning(request, text)
            return HttpResponseRedirect(formats.changelist(name))
    messages.warning(request, _("Start a recording with a button on the page of a leak or a process."))
    return HttpResponseRedirect(formats.changelist("recording"))


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
