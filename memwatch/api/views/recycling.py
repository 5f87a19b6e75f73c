"""Recycling: policies, and the workers that were recycled."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ReadView, documented, documented_view
from memwatch.api.filters import RecycleFilter, RecyclingPolicyFilter
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.serializers.recycling import RecycleSerializer, RecyclingPolicySerializer
from memwatch.api.views.fleet import NUMBER
from memwatch.models import Recycle, RecyclingPolicy
from memwatch.queries import recycling
from memwatch.services.recycling import policies

_WRONG = OpenApiResponse(
    ErrorSerializer, description="The policy is contradictory, or has not rehearsed before it acts"
)
_MAY = ("memwatch.recycle_workers",)


class StoppedSerializer(serializers.Serializer[Any]):
    """What "stop all" has changed."""

    stopped = serializers.IntegerField(help_text="Policies that were on")


@documented_view(list=documented(summary="Recycling policies", responses=RecyclingPolicySerializer(many=True)))
class RecyclingPolicyView(ReadView):
    """When workers of a service are recycled. A service without a policy is left alone."""

    view_permission = "memwatch.view_recyclingpolicy"
    action_permissions = MappingProxyType(dict.fromkeys(("create", "partial_update", "stop_all"), _MAY))
    without_body = ("stop_all",)
    serializer_class = RecyclingPolicySerializer
    filterset_class = RecyclingPolicyFilter
    queryset = RecyclingPolicy.objects.all()
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[RecyclingPolicy]:
        return recycling.policies()

    @documented(summary="One policy", responses=RecyclingPolicySerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """With the result of its last check."""
        return super().retrieve(request, *args, **kwargs)

    @documented(
        summary="Create the policy of a service",
        request=RecyclingPolicySerializer,
        responses={201: RecyclingPolicySerializer, 400: _WRONG},
        examples=[
            OpenApiExample(
                "Rehearse first", value={"service": "web", "mode": "rehearse", "limit_mb": 300}, request_only=True
            )
        ],
    )
    def create(self, request: Request, **_kwargs: Any) -> Response:
        """It cannot act before it has rehearsed: create it with the mode `rehearse`, or `off`."""
        given = self.checked_by(self.get_serializer(data=request.data))
        row = policies.save(RecyclingPolicy(**given), by=request.user)
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @documented(
        summary="Change a policy",
        request=RecyclingPolicySerializer(partial=True),
        responses={200: RecyclingPolicySerializer, 400: _WRONG},
    )
    def partial_update(self, request: Request, **_kwargs: Any) -> Response:
        """Fields that you leave out stay. A policy that has stopped itself starts again."""
        row = self.get_object()
        given = self.checked_by(self.get_serializer(row, data=request.data, partial=True))
        for name, value in given.items():
            setattr(row, name, value)
        return Response(self.get_serializer(policies.save(row, by=request.user)).data)

    @documented(summary="Stop all recycling", request=None, responses={200: StoppedSerializer})
    @action(detail=False, methods=["post"], url_path="stop-all")
    def stop_all(self, request: Request, **_kwargs: Any) -> Response:
        """Switches every policy off. A worker that has its order finishes its job and ends."""
        return Response({"stopped": policies.stop_all(by=request.user)})


@documented_view(list=documented(summary="Recycled workers, the newest first", responses=RecycleSerializer(many=True)))
class RecycleView(ReadView):
    """Workers that were recycled, or, while a policy rehearses, would have been."""

    view_permission = "memwatch.view_recycle"
    serializer_class = RecycleSerializer
    filterset_class = RecycleFilter
    queryset = Recycle.objects.all()
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[Recycle]:
        return recycling.listed()

    @documented(summary="One recycled worker", responses=RecycleSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """With what it gained, once its successor can be compared."""
        return super().retrieve(request, *args, **kwargs)
