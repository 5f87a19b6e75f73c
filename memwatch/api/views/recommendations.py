"""Settings that fit each service."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ApiView, documented
from memwatch.api.filters import ServiceFilter
from memwatch.api.pagination import ByName
from memwatch.api.serializers.recommendations import RecommendationSerializer, rows_of
from memwatch.models import Service
from memwatch.queries.recommendations import advice_of_all


class FewByName(ByName):
    """Each service is calculated when it is asked for."""

    page_size = 20
    max_page_size = 100


class RecommendationView(ApiView):
    """After how many jobs to replace a worker, how many workers fit, which limit they need."""

    view_permission = "memwatch.view_service"
    serializer_class = RecommendationSerializer
    filterset_class = ServiceFilter
    pagination_class = FewByName
    queryset = Service.objects.all()

    @documented(
        summary="Settings that keep the memory of a service below the warning threshold",
        responses=RecommendationSerializer(many=True),
    )
    def list(self, request: Request, **_kwargs: Any) -> Response:
        """Calculated from the last week. A row for each setting; `page_size` counts services, by name."""
        services = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        found = [row for advice in advice_of_all(services, timezone.now()) for row in rows_of(advice)]
        return self.get_paginated_response(self.get_serializer(found, many=True).data)
