"""What is unusual, and when memory will be exhausted."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ReadView, documented, documented_view
from memwatch.api.filters import AnomalyFilter, ForecastFilter
from memwatch.api.serializers.anomalies import AnomalySerializer, DismissSerializer, ForecastSerializer
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.views.fleet import NUMBER
from memwatch.models import Anomaly, Forecast
from memwatch.queries import anomalies
from memwatch.services.anomalies import actions


@documented_view(
    list=documented(summary="Anomalies, the newest first", responses=AnomalySerializer(many=True)),
    retrieve=documented(summary="One anomaly", responses=AnomalySerializer),
)
class AnomalyView(ReadView):
    """Processes that are unlike their siblings, and services that are unlike their own week."""

    view_permission = "memwatch.view_anomaly"
    action_permissions = MappingProxyType({"dismiss": ("memwatch.dismiss_anomaly",)})
    serializer_class = AnomalySerializer
    filterset_class = AnomalyFilter
    queryset = Anomaly.objects.all()
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[Anomaly]:
        return anomalies.listed()

    @documented(
        summary="Dismiss the anomaly",
        request=DismissSerializer,
        responses={
            200: AnomalySerializer,
            409: OpenApiResponse(ErrorSerializer, description="The anomaly is already dismissed"),
        },
        examples=[OpenApiExample("Dismiss", value={"comment": "this worker serves the reports"}, request_only=True)],
    )
    @action(detail=True, methods=["post"], serializer_class=DismissSerializer)
    def dismiss(self, request: Request, **_kwargs: Any) -> Response:
        """memwatch does not show the same in this service again, unless it becomes half as much again."""
        row = self.get_object()
        actions.dismiss(row, by=request.user, **self.checked(request))
        return Response(AnomalySerializer(row).data)


@documented_view(
    list=documented(summary="Forecasts of exhausted memory", responses=ForecastSerializer(many=True)),
    retrieve=documented(summary="One forecast", responses=ForecastSerializer),
)
class ForecastView(ReadView):
    """When the memory of a process, a container or a host will be exhausted, made again each hour."""

    view_permission = "memwatch.view_forecast"
    serializer_class = ForecastSerializer
    filterset_class = ForecastFilter
    queryset = Forecast.objects.all()
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[Forecast]:
        return anomalies.forecasts()
