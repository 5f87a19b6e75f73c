"""Outcomes of recordings as answers of the web server: never as something the browser may trust."""

from __future__ import annotations

import json
from typing import TypeVar

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from memwatch.models import Recording, RecordingKind
from memwatch.profiles.forms import FORMS as PROFILES
from memwatch.queries.diagnosis.recordings import without_values
from memwatch.services import ActionRefused
from memwatch.services.recordings import flamegraphs, heap_analyses, heap_dumps, profiles, storage
from memwatch.transport.recordings import HEAP_DUMP

_Answer = TypeVar("_Answer", bound=HttpResponseBase)
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""memray's page draws with scripts of its own, all inside it. Without ``allow-same-origin`` it has no origin: no
cookie, no storage, no admin; without sources, no network."""
HEAP_FORMS = {
    "heap": HEAP_DUMP,
    "heapsnapshot": "application/json",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}


def flamegraph(recording: Recording) -> HttpResponse:
    """memray's page for the frame on the recording's page, or a sentence why there is none."""
    try:
        page = flamegraphs.render(recording, "html")
    except (ActionRefused, storage.OutcomeMissing) as error:
        sentence = str(error)
        page = render_to_string("admin/memwatch/recording/no_flamegraph.html", {"sentence": sentence}).encode()
    answer = HttpResponse(page, content_type="text/html; charset=utf-8")
    answer["Content-Security-Policy"] = SANDBOX
    answer["X-Frame-Options"] = "SAMEORIGIN"
    return _private(answer)


def download(recording: Recording, form: str, *, values: bool) -> HttpResponseBase:
    """The outcome as an attachment. Raises :class:`ActionRefused` and :class:`storage.OutcomeMissing`."""
    stem = f"memwatch-{recording.kind}-{recording.pk}"
    if recording.state != Recording.State.DONE:
        raise ActionRefused(f"{recording} is {recording.get_state_display()}: there is nothing to download")
    if form in PROFILES and recording.kind in profiles.KINDS:
        known = PROFILES[form]
        return _attachment(profiles.made(recording, form), known.content_type, f"{stem}.{known.suffix}")
    if recording.kind == RecordingKind.HEAP_DUMP:
        return _heap_dump(recording, form, stem)
    if recording.kind != RecordingKind.FLAMEGRAPH:
        if form != "json":
            forms = f"json, {', '.join(PROFILES)}" if recording.kind in profiles.KINDS else "json only"
            raise ActionRefused(f"{recording} can be downloaded as {forms}")
        result = storage.result_of(recording)
        shown = result if values else without_values(result)
        content = json.dumps(shown, indent=2, ensure_ascii=False).encode()
        return _attachment(content, "application/json", f"{stem}.json")
    if form == "bin":
        return _attachment(storage.read(recording), "application/octet-stream", f"{stem}.bin")
    if form == "txt":
        return _attachment(flamegraphs.render(recording, "txt"), "text/plain; charset=utf-8", f"{stem}.txt")
    if form == "html":
        answer = _attachment(flamegraphs.render(recording, "html"), "text/html; charset=utf-8", f"{stem}.html")
        answer["Content-Security-Policy"] = SANDBOX
        return answer
    raise ActionRefused(f"{recording} can be downloaded as html, bin, {', '.join(PROFILES)}")


def _heap_dump(recording: Recording, form: str, stem: str) -> FileResponse:
    if form not in HEAP_FORMS:
        raise ActionRefused(f"{recording} can be downloaded as {', '.join([*HEAP_FORMS, *PROFILES])}")
    content = heap_dumps.opened(recording) if form == "heap" else heap_analyses.made(recording, form)
    answer = FileResponse(content, as_attachment=True, filename=f"{stem}.{form}")
    answer["Content-Type"] = HEAP_FORMS[form]
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    return _private(answer)


def _attachment(content: bytes, content_type: str, name: str) -> HttpResponse:
    answer = HttpResponse(content, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return _private(answer)


def _private(answer: _Answer) -> _Answer:
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Referrer-Policy"] = "no-referrer"
    answer["Cache-Control"] = "private, no-store"
    return answer
