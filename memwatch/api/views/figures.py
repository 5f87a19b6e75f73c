"""Snapshots, their comparison, and baselines."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch import queries
from memwatch.api.base import ReadView, documented, documented_view
from memwatch.api.filters import BaselineFilter, SnapshotFilter
from memwatch.api.pagination import is_id
from memwatch.api.serializers.figures import (
    BaselineSerializer,
    ComparisonSerializer,
    SnapshotSerializer,
    baseline_values,
    snapshot_values,
)
from memwatch.api.views.fleet import NUMBER
from memwatch.models import Baseline, Snapshot


@documented_view(list=documented(summary="Snapshots, the newest first"), retrieve=documented(summary="One snapshot"))
class SnapshotView(ReadView):
    """The figures of processes over time."""

    view_permission = "memwatch.view_snapshot"
    serializer_class = SnapshotSerializer
    filterset_class = SnapshotFilter
    queryset = Snapshot.objects.select_related("process__service")
    lookup_value_regex = NUMBER

    def present(self, rows: list[Snapshot]) -> list[dict[str, Any]]:
        return [snapshot_values(row, figures) for row, figures in zip(rows, queries.figures_of_many(rows), strict=True)]

    @documented(
        summary="Difference between two snapshots",
        parameters=[
            OpenApiParameter("from", OpenApiTypes.INT, required=True, description="Id of the earlier snapshot"),
            OpenApiParameter("to", OpenApiTypes.INT, required=True, description="Id of the later snapshot"),
        ],
        responses=ComparisonSerializer,
        filters=False,
    )
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=())
    def compare(self, request: Request) -> Response:
        """Every figure and type with its difference. The two snapshots may be of different processes."""
        before, after = (self._named(request, name) for name in ("from", "to"))
        return Response(ComparisonSerializer(queries.compare(before, after)).data)

    def _named(self, request: Request, name: str) -> Snapshot:
        text = request.query_params.get(name, "")
        if not is_id(text):
            raise ValidationError({name: ["give the id of a snapshot, e.g. ?from=1&to=2"]})
        row = self.get_queryset().filter(pk=int(text)).first()
        if row is None:
            raise NotFound(f"{name}: there is no snapshot {text}")
        return row  # type: ignore[no-any-return]


@documented_view(list=documented(summary="Baselines, the newest first"), retrieve=documented(summary="One baseline"))
class BaselineView(ReadView):
    """The figures that processes and services are or were compared with."""

    view_permission = "memwatch.view_baseline"
    serializer_class = BaselineSerializer
    filterset_class = BaselineFilter
    queryset = Baseline.objects.select_related("service", "process__service", "created_by")
    lookup_value_regex = NUMBER

    def present(self, rows: list[Baseline]) -> list[dict[str, Any]]:
        return [baseline_values(row, figures) for row, figures in zip(rows, queries.figures_of_many(rows), strict=True)]
