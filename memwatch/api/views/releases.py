"""Releases, and what one changed."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ReadView, documented, documented_view
from memwatch.api.filters import ReleaseFilter
from memwatch.api.serializers.releases import ReleaseComparisonSerializer, ReleaseSerializer, comparison_values
from memwatch.api.views.fleet import NUMBER
from memwatch.models import Release
from memwatch.queries.releases.compare import compare, named, newest_running, release_before


@documented_view(list=documented(summary="Releases, the newest first"), retrieve=documented(summary="One release"))
class ReleaseView(ReadView):
    """Versions of the services, as their processes name them."""

    view_permission = "memwatch.view_release"
    serializer_class = ReleaseSerializer
    filterset_class = ReleaseFilter
    queryset = Release.objects.select_related("service", "compared_with")
    lookup_value_regex = NUMBER

    @documented(
        summary="What a release changed",
        parameters=[
            OpenApiParameter("service", OpenApiTypes.STR, required=True, description="Name of the service"),
            OpenApiParameter(
                "to", OpenApiTypes.STR, description="Name of the release; the newest that runs by default"
            ),
            OpenApiParameter("from", OpenApiTypes.STR, description="Name of another; the one before by default"),
            OpenApiParameter("from_service", OpenApiTypes.STR, description="Its service, if it had another name then"),
        ],
        responses=ReleaseComparisonSerializer,
        filters=False,
    )
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=())
    def compare(self, request: Request) -> Response:
        """Memory at birth and later, growth, objects, dependencies and peaks, with a verdict over the processes."""
        service = request.query_params.get("service", "")
        for name, text in request.query_params.items():
            if "\0" in text:
                raise ValidationError({name[:60]: ["contains a NUL: give the name as the page of releases shows it"]})
        if not service:
            raise ValidationError({"service": ["give the name of a service, e.g. ?service=web&from=2.3&to=2.4"]})
        asked = request.query_params.get("to", "")
        after = _found("to", service, asked) if asked else newest_running(service)
        if after is None:
            raise NotFound(f"service: {service} has no release; set MEMWATCH_RELEASE in its environment")
        asked, owner = request.query_params.get("from", ""), request.query_params.get("from_service", "") or service
        before = _found("from", owner, asked) if asked else release_before(after)
        if before is None:
            raise NotFound(f"from: {service} has no release before {after.name}")
        found = compare(before, after, timezone.now())
        return Response(ReleaseComparisonSerializer(comparison_values(found)).data)


def _found(parameter: str, service: str, name: str) -> Release:
    row = named(service, name)
    if row is None:
        raise NotFound(f"{parameter}: {service} has no release {name}")
    return row
