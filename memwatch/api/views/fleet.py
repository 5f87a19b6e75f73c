"""Services, processes, commands and the state of memwatch itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch import queries
from memwatch.api.base import ApiView, ReadView, documented, documented_view
from memwatch.api.filters import ProcessFilter, ServiceFilter
from memwatch.api.pagination import ByName
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.serializers.figures import BaselineSerializer, DriftSerializer, MetricsSerializer, baseline_values
from memwatch.api.serializers.findings import ReasonSerializer
from memwatch.api.serializers.fleet import (
    CommandSerializer,
    DistributionSerializer,
    ProcessSerializer,
    ServiceSerializer,
    StatsSerializer,
)
from memwatch.models import Baseline, Command, Leak, Process, Service
from memwatch.queries.processes.installations import distributions_of
from memwatch.services import baselines, commands

NUMBER = r"[0-9]{1,18}"
"""Ids in routes: whatever else is typed is not found."""

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Any text, e.g. a UUID, of at most 100 characters. The same key gets the same answer again.",
)
RESET = documented(
    request=ReasonSerializer,
    responses={
        200: BaselineSerializer,
        409: OpenApiResponse(ErrorSerializer, description="No process has sent a snapshot yet"),
    },
    parameters=[IDEMPOTENCY_KEY],
    examples=[OpenApiExample("After a release", value={"reason": "release 2.4"}, request_only=True)],
)


def _baseline_answer(row: Baseline) -> Response:
    row = queries.baseline_with_user(row.pk) or row
    return Response(BaselineSerializer(baseline_values(row, queries.figures_of(row))).data)


def _count(rows: QuerySet[Any], by: str) -> Coalesce:
    """How many of ``rows`` belong to the outer row."""
    counted = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


@documented_view(list=documented(summary="Services"), retrieve=documented(summary="One service"))
class ServiceView(ReadView):
    """Groups of processes that run the same thing."""

    view_permission = "memwatch.view_service"
    action_permissions = MappingProxyType({"reset_baseline": ("memwatch.reset_baseline",)})
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilter
    pagination_class = ByName
    queryset = Service.objects.all()
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[Service]:
        return Service.objects.annotate(
            processes_alive=_count(Process.objects.alive(), "service"),
            open_leaks=_count(Leak.objects.active(), "service"),
            baseline=Subquery(
                Baseline.objects.filter(active=True, process=None, service=OuterRef("pk")).order_by().values("pk")[:1]
            ),
        )

    @documented(summary="Reset the service's baseline to the present figures")
    @RESET
    @action(detail=True, methods=["post"], url_path="reset-baseline", serializer_class=ReasonSerializer)
    def reset_baseline(self, request: Request, **_kwargs: Any) -> Response:
        """Sets the service's baseline (the median of its processes), and that of each running process."""
        service = self.get_object()
        key = request.headers.get("Idempotency-Key") or None
        reason = self.checked(request)["reason"]
        return _baseline_answer(baselines.reset_service(service, by=request.user, reason=reason, idempotency_key=key))


@documented_view(list=documented(summary="Processes, the newest first"), retrieve=documented(summary="One process"))
class ProcessView(ReadView):
    """Every process that is or was watched, each with the figures of its last snapshot."""

    view_permission = "memwatch.view_process"
    action_permissions = MappingProxyType(
        {"reset_baseline": ("memwatch.reset_baseline",), "snapshot": ("memwatch.take_snapshot",)}
    )
    without_body = ("snapshot",)
    serializer_class = ProcessSerializer
    filterset_class = ProcessFilter
    queryset = Process.objects.select_related("service", "release", "last_snapshot")
    lookup_value_regex = NUMBER

    def present(self, rows: list[Process]) -> list[queries.ProcessFigures]:
        return queries.figures_of_processes(rows, census=True)

    @documented(summary="Reset the process's baseline to the present figures")
    @RESET
    @action(detail=True, methods=["post"], url_path="reset-baseline", serializer_class=ReasonSerializer)
    def reset_baseline(self, request: Request, **_kwargs: Any) -> Response:
        """Takes a new snapshot if the process answers within 3 s, otherwise its last one."""
        process = self.get_object()
        key = request.headers.get("Idempotency-Key") or None
        reason = self.checked(request)["reason"]
        return _baseline_answer(baselines.reset_process(process, by=request.user, reason=reason, idempotency_key=key))

    @documented(
        summary="Ask for a snapshot now",
        request=None,
        responses={
            202: OpenApiResponse(CommandSerializer, description="The command was sent; `Location` is its address"),
            409: OpenApiResponse(ErrorSerializer, description="The process has ended, or was asked too often"),
        },
        parameters=[
            OpenApiParameter(
                "Location", OpenApiTypes.URI_REF, OpenApiParameter.HEADER, description="Of the command", response=[202]
            )
        ],
    )
    @action(detail=True, methods=["post"])
    def snapshot(self, request: Request, **_kwargs: Any) -> Response:
        """Answers at once. The snapshot exists when the command's state is `done`."""
        command = commands.request_snapshot(self.get_object(), by=request.user)
        return Response(
            CommandSerializer(command).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": self.address_of("command-detail", command.pk)},
        )

    @documented(
        summary="Drift from the baseline",
        responses={200: DriftSerializer, 404: OpenApiResponse(ErrorSerializer, description="No baseline or snapshot")},
    )
    @action(detail=True, methods=["get"])
    def drift(self, request: Request, **_kwargs: Any) -> Response:
        """The difference of the process's last snapshot from its baseline."""
        process = self.get_object()
        report = queries.drift_of(process)
        if report is None:
            raise NotFound(f"{process} has no baseline or no snapshot yet")
        return Response(DriftSerializer(report).data)

    @documented(summary="Current metrics", responses=MetricsSerializer)
    @action(detail=True, methods=["get"])
    def metrics(self, request: Request, **_kwargs: Any) -> Response:
        """The figures of the process, as in Prometheus."""
        return Response(MetricsSerializer(queries.metrics_of(self.get_object())).data)

    @documented(summary="Distributions that it can import from", responses=DistributionSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=())
    def distributions(self, request: Request, **_kwargs: Any) -> Response:
        """By name; empty until the process has reported them, about a minute after its start."""
        found = distributions_of(self.get_object())
        return Response(DistributionSerializer(found, many=True).data)  # type: ignore[arg-type]  # of many


@documented_view(retrieve=documented(summary="One command"))
class CommandView(ApiView):
    """A command to a process, and its outcome."""

    view_permission = "memwatch.view_command"
    serializer_class = CommandSerializer
    queryset = Command.objects.select_related("process__service", "created_by")
    lookup_value_regex = NUMBER

    def retrieve(self, request: Request, **_kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)


class StatsView(ApiView):
    """The state of memwatch itself."""

    view_permission = "memwatch.view_process"
    serializer_class = StatsSerializer
    pagination_class = None
    filter_backends = ()
    queryset = Process.objects.none()

    @documented(
        summary="State of memwatch: what is watched, stored, lost and waiting",
        responses=forced_singular_serializer(StatsSerializer),  # type: ignore[no-untyped-call]
        operation_id="stats",
    )
    def list(self, request: Request) -> Response:
        """Counts, open leaks by severity, lag, transport, costs."""
        return Response(StatsSerializer(queries.stats()).data)
