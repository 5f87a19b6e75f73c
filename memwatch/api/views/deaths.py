"""Why processes ended."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ApiView, documented
from memwatch.api.filters import DeathFilter
from memwatch.api.pagination import NewestEnd
from memwatch.api.serializers.deaths import DeathSerializer
from memwatch.queries.processes import deaths


class DeathView(ApiView):
    """What killed the worker."""

    view_permission = "memwatch.view_process"
    serializer_class = DeathSerializer
    filterset_class = DeathFilter
    pagination_class = NewestEnd
    queryset = deaths.ended()

    @documented(summary="Processes that were killed, crashed or vanished", responses=DeathSerializer(many=True))
    def list(self, request: Request, **_kwargs: Any) -> Response:
        """Why each ended, the last one first, with what it was doing. With `reason`, ends that were meant as well."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        rows = deaths.deaths_of(page, timezone.now())
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
