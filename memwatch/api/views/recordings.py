"""Recordings: asked for, followed, cancelled, downloaded, compared."""

from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType
from typing import Any

from django.core.files.base import File
from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import documented, documented_view
from memwatch.api.filters import RecordingFilter
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.serializers.recordings import RecordingDetailSerializer, RecordingSerializer, RecordSerializer
from memwatch.api.views import heaps
from memwatch.api.views.fleet import NUMBER
from memwatch.api.views.heaps import HeapViews
from memwatch.models import Recording, RecordingKind
from memwatch.profiles.forms import FORMS as PROFILES
from memwatch.queries.diagnosis import recordings as asked
from memwatch.queries.diagnosis import trims
from memwatch.queries.diagnosis.recordings import conclude
from memwatch.queries.row_ids import is_id
from memwatch.services.recordings import flamegraphs, heap_analyses, heap_dumps, profiles, requests, storage, triggers
from memwatch.transport.recordings import HEAP_DUMP

FORMS = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "bin": "application/octet-stream",
    "heap": HEAP_DUMP,
    "heapsnapshot": "application/json",
    "csv": "text/csv; charset=utf-8",
    **{name: form.content_type for name, form in PROFILES.items()},
}
_OWN_FORMS = {
    RecordingKind.FLAMEGRAPH: ("html", "txt", "bin"),
    RecordingKind.HEAP_DUMP: ("heap", "heapsnapshot", "html", "csv"),
}
_LOCATION = OpenApiParameter(
    "Location", OpenApiTypes.URI_REF, OpenApiParameter.HEADER, description="Of the recording", response=[202]
)
_REFUSED = OpenApiResponse(
    ErrorSerializer,
    description="It cannot be recorded now: it has ended, is being recorded, or its service was recorded too often",
)


@documented_view(list=documented(summary="Recordings, the newest first", responses=RecordingSerializer(many=True)))
class RecordingView(HeapViews):
    """Diagnoses on demand: what refers to a type, where it is allocated, flame graphs, heaps, allocator checks."""

    view_permission = "memwatch.view_recording"
    action_permissions = MappingProxyType(
        {**dict.fromkeys(("create", "cancel", "download"), ("memwatch.record_process",)), **heaps.PERMISSIONS}
    )
    without_body = ("cancel",)
    serializer_class = RecordingSerializer
    filterset_class = RecordingFilter
    queryset = Recording.objects.all()
    lookup_value_regex = NUMBER

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """``format`` names the form of a download, which no renderer writes."""
        return super().perform_content_negotiation(request, force or self.action == "download")

    def get_queryset(self) -> QuerySet[Recording]:
        return asked.listed()

    @documented(summary="One recording with its result", responses=RecordingDetailSerializer)
    def retrieve(self, request: Request, **_kwargs: Any) -> Response:
        """Poll it until its state is `done`, `failed` or `cancelled`."""
        return self._detail(self.get_object())

    @documented(
        summary="Record a process",
        request=RecordSerializer,
        responses={
            202: OpenApiResponse(
                RecordingDetailSerializer, description="The recording has begun; `Location` is its address"
            ),
            400: OpenApiResponse(ErrorSerializer, description="Invalid options"),
            409: _REFUSED,
        },
        parameters=[_LOCATION],
        examples=[
            OpenApiExample("The cause of a leak", value={"leak": 17}, request_only=True),
            OpenApiExample(
                "Is it the allocator? Needs the permission trim_memory too",
                value={"process": 4, "kind": "trim", "options": {"watch_minutes": 5}},
                request_only=True,
            ),
            OpenApiExample(
                "Every object, to be read with `memwatch heap`. Needs the permission dump_heap too",
                value={"process": 4, "kind": "heap_dump", "options": {"max_mb": 64}},
                request_only=True,
            ),
            OpenApiExample(
                "Where a process allocates",
                value={"process": 4, "kind": "allocations", "options": {"duration_s": 30, "frames": 5}},
                request_only=True,
            ),
        ],
    )
    def create(self, request: Request, **_kwargs: Any) -> Response:
        """With only a leak, memwatch chooses the process, and records who refers to the objects, then allocations."""
        row = _begin(self.checked_by(RecordSerializer(data=request.data)), request.user)
        answer = self._detail(self.get_queryset().get(pk=row.pk))
        answer.status_code = status.HTTP_202_ACCEPTED
        answer["Location"] = self.address_of("recording-detail", row.pk)
        return answer

    @documented(
        summary="Cancel the recording",
        request=None,
        responses={
            200: RecordingDetailSerializer,
            409: OpenApiResponse(ErrorSerializer, description="The recording is over"),
        },
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **_kwargs: Any) -> Response:
        """The process stops recording and discards what it has."""
        recording = self.get_object()
        requests.cancel(recording, by=request.user)
        return self._detail(self.get_queryset().get(pk=recording.pk))

    @documented(
        summary="Download the result as a file",
        parameters=[
            OpenApiParameter(
                "as",
                OpenApiTypes.STR,
                enum=list(FORMS),
                description="For a flame graph: html (the default), bin (memray's capture), txt (collapsed stacks). "
                "Of a heap dump (needs the permission dump_heap): heap (for `memwatch heap`), heapsnapshot (for Chrome "
                "DevTools), html (a report), csv (types). Of all others: json. Of flame graphs, allocations, heap "
                "summaries and heap dumps also: pprof, speedscope, collapsed (stacks). `format` means the same",
            )
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            404: OpenApiResponse(ErrorSerializer, description="There is no result, not yet or no longer"),
            409: OpenApiResponse(ErrorSerializer, description="The flame graph cannot be rendered now"),
        },
    )
    @action(detail=True, methods=["get"])
    def download(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        """Answers with an attachment."""
        recording = self.get_object()
        own = _forms_of(recording)
        form = request.query_params.get("as") or request.query_params.get("format") or own[0]
        if form not in own:
            raise ValidationError({"as": f"{form[:20]} is none of: {', '.join(own)}"})
        if not requests.may_read(request.user, recording):
            raise PermissionDenied(requests.WHO_READS)
        content = _content(recording, form, values=requests.may_see_values(request.user))
        requests.downloaded(recording, form, by=request.user)
        answer = _answer(content, FORMS[form])
        answer["Content-Disposition"] = (
            f'attachment; filename="memwatch-{recording.kind}-{recording.pk}.{_suffix(form)}"'
        )
        answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Cache-Control"] = "private, no-store"
        return answer

    @documented(
        summary="Difference from an earlier recording of the same kind",
        parameters=[
            OpenApiParameter("other", OpenApiTypes.INT, required=True, description="Id of the earlier recording")
        ],
        responses={
            200: OpenApiTypes.OBJECT,
            400: OpenApiResponse(ErrorSerializer, description="The two cannot be compared"),
        },
    )
    @action(detail=True, methods=["get"])
    def difference(self, request: Request, **_kwargs: Any) -> Response:
        """Has the shape of the kind's result, with the values before and after, and their difference."""
        later = self.get_object()
        key = request.query_params.get("other", "")
        earlier = self.get_queryset().filter(pk=int(key)).first() if is_id(key) else None
        if earlier is None:
            raise ValidationError({"other": "give the id of another recording of this kind"})
        try:
            found = asked.difference_of(earlier, _result(earlier), later, _result(later))
        except ValueError as error:
            raise ValidationError({"other": str(error)}) from None
        return Response(asked.without_values(found))

    def _detail(self, recording: Recording) -> Response:
        group = asked.group_of(recording)
        result = _followed(recording, _result(recording))
        values = RecordingSerializer(recording).data
        allowed = requests.may_see_values(self.request.user)
        values["result"] = result if allowed else asked.without_values(result)
        values["followed_by"] = [row.pk for row in group if row.follows_id == recording.pk]
        found = conclude(group, asked.container_of(recording.leak))
        values["conclusion"] = dataclasses.asdict(found)
        return Response(values)


def _forms_of(recording: Recording) -> tuple[str, ...]:
    own = _OWN_FORMS.get(RecordingKind(recording.kind), ("json",))
    return (*own, *PROFILES) if recording.kind in profiles.KINDS else own


def _suffix(form: str) -> str:
    return PROFILES[form].suffix if form in PROFILES else form


def _begin(given: dict[str, Any], user: Any) -> Recording:
    process, leak, kind, options = given["process"], given["leak"], given["kind"], given["options"]
    wait_s = requests.REFUSAL_WAIT_S
    if leak is not None and kind is None:
        return triggers.investigate(leak, by=user, wait_s=wait_s)
    if leak is not None:
        return triggers.record(leak, kind, by=user, process=process, options=options, wait_s=wait_s)
    return requests.request(process, kind, by=user, options=options, wait_s=wait_s)


def _followed(recording: Recording, result: dict[str, Any] | None) -> dict[str, Any] | None:
    return trims.followed(recording, result) if result and recording.kind == RecordingKind.TRIM else result


def _result(recording: Recording) -> dict[str, Any] | None:
    try:
        return storage.result_of(recording)
    except storage.OutcomeMissing:
        return None


def _answer(content: bytes | File, content_type: str) -> HttpResponseBase:  # type: ignore[type-arg]
    if isinstance(content, bytes):
        return HttpResponse(content, content_type=content_type)
    return FileResponse(content, content_type=content_type)


def _content(recording: Recording, form: str, *, values: bool) -> bytes | File:  # type: ignore[type-arg]
    """Raises :class:`NotFound` where there is none, and :class:`ActionRefused` for one that cannot be rendered."""
    try:
        if recording.state != Recording.State.DONE:
            raise storage.OutcomeMissing(f"{recording} is {recording.get_state_display()}")
        if form in PROFILES:
            return profiles.made(recording, form)
        if form == "heap":
            return heap_dumps.opened(recording)
        if recording.kind == RecordingKind.HEAP_DUMP:
            return heap_analyses.made(recording, form)
        if form == "json":
            result = storage.result_of(recording)
            return json.dumps(result if values else asked.without_values(result), ensure_ascii=False).encode()
        return storage.read(recording) if form == "bin" else flamegraphs.render(recording, form)
    except storage.OutcomeMissing as error:
        raise NotFound(str(error)) from None
