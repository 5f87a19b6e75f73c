"""Views, tasks and commands, summed up."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ApiView, documented
from memwatch.api.filters import WorkFilter
from memwatch.api.pagination import Sorted
from memwatch.api.serializers.work import WorkSerializer
from memwatch.models import WorkRollup
from memwatch.queries import work

USUAL = "-calls"
_ORDERS = [sign + name for name in work.ORDERS for sign in ("", "-")]
_ORDERING = OpenApiParameter(
    "ordering",
    OpenApiTypes.STR,
    enum=_ORDERS,
    default=USUAL,
    description="Name of a field, with - before it for the highest first; what was not measured comes last",
)


class WorkView(ApiView):
    """Which view, task or command keeps memory or needs much of it."""

    view_permission = "memwatch.view_workrollup"
    serializer_class = WorkSerializer
    filterset_class = WorkFilter
    pagination_class = Sorted
    queryset = WorkRollup.objects.all()

    @documented(
        summary="Views, tasks and commands: what their calls took and kept",
        parameters=[_ORDERING],
        responses=WorkSerializer(many=True),
    )
    def list(self, request: Request, **_kwargs: Any) -> Response:
        """Sums of whole hours: the first is that of `since`. Hours older than `RETENTION_HOURLY_DAYS` are in days."""
        order = request.query_params.get("ordering") or USUAL
        if order not in _ORDERS:
            raise ValidationError({"ordering": f"{order[:40]} is none of: {', '.join(_ORDERS)}"})
        rows = self.filter_queryset(self.get_queryset())
        found = work.ordered(rows, order.removeprefix("-"), reverse=order.startswith("-"))
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(work.measured(rows, page), many=True).data)
