"""Leaks and what is done about them, and alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ReadView, documented, documented_view
from memwatch.api.filters import AlertFilter, LeakFilter
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.serializers.findings import (
    AlertSerializer,
    CommentSerializer,
    LeakDetailSerializer,
    LeakSerializer,
    SnoozeSerializer,
    SuppressSerializer,
    TrackRecordSerializer,
)
from memwatch.api.views.fleet import NUMBER
from memwatch.models import Alert, Leak
from memwatch.queries.leaks import leak_with_events
from memwatch.queries.track_record import track_record
from memwatch.services.leaks import actions
from memwatch.services.recordings import leak_heaps

_COMMENT = {"comment": "PriceQuote again, see ticket 4711"}
_UNTIL = "2026-02-01T08:00:00Z"


def _act(summary: str, request: Any, example: dict[str, Any]) -> Callable[[Any], Any]:
    """How an action on a leak is documented."""
    return documented(
        summary=summary,
        request=request,
        responses={
            200: LeakDetailSerializer,
            409: OpenApiResponse(ErrorSerializer, description="The leak's state does not allow it"),
        },
        examples=[OpenApiExample(summary, value=example, request_only=True)],
    )


@documented_view(
    list=documented(summary="Leaks, the newest first"),
    retrieve=documented(summary="One leak with its history", responses=LeakDetailSerializer),
)
class LeakView(ReadView):
    """Memory that grows and is not released, with the verdict and its evidence."""

    view_permission = "memwatch.view_leak"
    action_permissions = dict.fromkeys(
        ("acknowledge", "snooze", "resolve", "reopen", "suppress"), ("memwatch.act_on_leak",)
    )
    serializer_class = LeakSerializer
    filterset_class = LeakFilter
    queryset = Leak.objects.select_related("service", "process__service")
    lookup_value_regex = NUMBER

    def retrieve(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        return self._detail(request, self.get_object())

    @documented(
        summary="What became of the leaks that were found",
        responses=TrackRecordSerializer,
        filters=False,
    )
    @action(
        detail=False, url_path="track-record", serializer_class=TrackRecordSerializer, pagination_class=None,
        filter_backends=(),
    )  # fmt: skip
    def track_record(self, _request: Request, **_kwargs: Any) -> Response:
        """How many were confirmed and how many dismissed, and how that fits their probabilities."""
        return Response(TrackRecordSerializer(track_record()).data)

    @_act("Acknowledge the leak", CommentSerializer, _COMMENT)
    @action(detail=True, methods=["post"], serializer_class=CommentSerializer)
    def acknowledge(self, request: Request, **_kwargs: Any) -> Response:
        """Shows others that you are working on the leak. memwatch keeps updating it."""
        leak = self.get_object()
        actions.acknowledge(leak, by=request.user, **self.checked(request))
        return self._detail(request, leak)

    @_act("Snooze the leak", SnoozeSerializer, {"until": _UNTIL, **_COMMENT})
    @action(detail=True, methods=["post"], serializer_class=SnoozeSerializer)
    def snooze(self, request: Request, **_kwargs: Any) -> Response:
        """The leak raises no alert until the given time, at most a year, unless its severity rises."""
        leak = self.get_object()
        actions.snooze(leak, by=request.user, **self.checked(request))
        return self._detail(request, leak)

    @_act("Resolve the leak", CommentSerializer, {"comment": "fixed in release 2.4"})
    @action(detail=True, methods=["post"], serializer_class=CommentSerializer)
    def resolve(self, request: Request, **_kwargs: Any) -> Response:
        """Closes the leak. memwatch reopens it if it keeps growing."""
        leak = self.get_object()
        actions.resolve(leak, by=request.user, **self.checked(request))
        return self._detail(request, leak)

    @_act("Reopen the leak", CommentSerializer, {"comment": "not fixed after all"})
    @action(detail=True, methods=["post"], serializer_class=CommentSerializer)
    def reopen(self, request: Request, **_kwargs: Any) -> Response:
        """Reopens the leak from any state."""
        leak = self.get_object()
        actions.reopen(leak, by=request.user, **self.checked(request))
        return self._detail(request, leak)

    @_act(
        "Suppress the leak as expected",
        SuppressSerializer,
        {"reason": "the cache is meant to fill", "until": _UNTIL},
    )
    @action(detail=True, methods=["post"], serializer_class=SuppressSerializer)
    def suppress(self, request: Request, **_kwargs: Any) -> Response:
        """memwatch expects this type to grow in this service: it is counted, but opens no leak and raises no alert."""
        leak = self.get_object()
        actions.suppress(leak, by=request.user, **self.checked(request))
        return self._detail(request, leak)

    def _detail(self, request: Request, leak: Leak) -> Response:
        found = leak_with_events(leak.pk)
        may_see = request.user.has_perm("memwatch.view_recording")
        heap = leak_heaps.heaps_of([found], request.user).get(found.pk) if may_see else None
        return Response(LeakDetailSerializer(found, context={"heap": heap}).data)


@documented_view(list=documented(summary="Alerts, the newest first"), retrieve=documented(summary="One alert"))
class AlertView(ReadView):
    """Thresholds that were crossed."""

    view_permission = "memwatch.view_alert"
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    queryset = Alert.objects.select_related("service", "process__service")
    lookup_value_regex = NUMBER
