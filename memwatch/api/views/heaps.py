"""What a heap dump contains: its analysis, asked piece by piece."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ReadView, documented
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.heapdump import results
from memwatch.models import Recording, RecordingKind
from memwatch.queries.row_ids import is_id
from memwatch.services.recordings import heap_analyses, requests, storage

PERMISSIONS = dict.fromkeys(
    ("heap", "heap_types", "heap_dominators", "heap_paths", "heap_diff"), ("memwatch.dump_heap",)
)
"""By action: an analysis takes a process of its own for seconds."""
_ANSWERS = {
    200: OpenApiTypes.OBJECT,
    404: OpenApiResponse(ErrorSerializer, description="It is no heap dump, or has no such object or type"),
    409: OpenApiResponse(ErrorSerializer, description="The dump cannot be analysed now"),
}


class HeapViews(ReadView):
    """Routes below ``heap/`` of a recording that is a heap dump. Sizes are in bytes."""

    @documented(summary="What a heap dump contains", responses=_ANSWERS)
    @action(detail=True, methods=["get"], url_path="heap")
    def heap(self, request: Request, **_kwargs: Any) -> Response:
        """Findings, packages, modules, roots, equal texts, containers, what only frames or caches hold, and garbage.

        The first question begins the analysis. While that goes on, the answer is 409 with `Retry-After`.
        """
        found = _analysis(request, self.get_object())
        return Response({name: value for name, value in found.items() if name not in ("dominators", "paths", "types")})

    @documented(
        summary="Types of a heap dump",
        parameters=[OpenApiParameter("search", OpenApiTypes.STR, description="Part of the name of a type")],
        responses=_ANSWERS,
    )
    @action(detail=True, methods=["get"], url_path="heap/types")
    def heap_types(self, request: Request, **_kwargs: Any) -> Response:
        """Those whose objects retain most first; `has_paths` says whether `heap/paths/` knows the type."""
        found = _analysis(request, self.get_object())
        rows = results.types(found, request.query_params.get("search", "")[:300])
        return Response({"types": [{**row, "has_paths": row["name"] in found["paths"]} for row in rows]})

    @documented(
        summary="Dominators of a heap dump",
        parameters=[OpenApiParameter("node", OpenApiTypes.INT, description="Id of an object; leave out for all roots")],
        responses=_ANSWERS,
    )
    @action(detail=True, methods=["get"], url_path="heap/dominators")
    def heap_dominators(self, request: Request, **_kwargs: Any) -> Response:
        """An object and those that would be freed with it, the largest first. `more` adds up those not listed."""
        key = request.query_params.get("node", "")
        if key and not is_id(key):
            raise ValidationError({"node": "give the number of an object"})
        found = results.dominators(_analysis(request, self.get_object()), int(key) if key else None)
        if found is None:
            raise NotFound(f"Object {key} is not listed: it retains little, or is not in the dump")
        return Response(found)

    @documented(
        summary="What keeps the objects of a type alive",
        parameters=[OpenApiParameter("type", OpenApiTypes.STR, required=True, description="Full name of the type")],
        responses=_ANSWERS,
    )
    @action(detail=True, methods=["get"], url_path="heap/paths")
    def heap_paths(self, request: Request, **_kwargs: Any) -> Response:
        """Shortest paths from the roots, one for each way in which objects are kept."""
        name = request.query_params.get("type", "")
        if not name:
            raise ValidationError({"type": "give the name of a type"})
        found = results.paths(_analysis(request, self.get_object()), name)
        if found is None:
            raise NotFound("The paths of this type were not kept: ask memwatch heap report FILE --type for them")
        return Response(found)

    @documented(
        summary="Difference of two heap dumps",
        parameters=[OpenApiParameter("against", OpenApiTypes.INT, required=True, description="Id of the earlier one")],
        responses={**_ANSWERS, 400: OpenApiResponse(ErrorSerializer, description="The two cannot be compared")},
    )
    @action(detail=True, methods=["get"], url_path="heap/diff")
    def heap_diff(self, request: Request, **_kwargs: Any) -> Response:
        """What is new by type, root and path: of one process, of two workers, or of two releases."""
        later = self.get_object()
        key = request.query_params.get("against", "")
        dumps = self.get_queryset().filter(kind=RecordingKind.HEAP_DUMP)
        earlier = dumps.filter(pk=int(key)).first() if is_id(key) else None
        if earlier is None:
            raise ValidationError({"against": "give the id of another heap dump"})
        return Response(results.difference(_analysis(request, earlier), _analysis(request, later)))


def _analysis(request: Request, recording: Recording) -> dict[str, Any]:
    if not requests.may_read(request.user, recording):
        raise PermissionDenied(requests.WHO_READS)
    try:
        return heap_analyses.analysis(recording)
    except storage.OutcomeMissing as error:
        raise NotFound(str(error)) from None
