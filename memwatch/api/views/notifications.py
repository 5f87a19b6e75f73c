"""Notifications: the list, and sending one again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.base import ReadView, documented, documented_view
from memwatch.api.filters import NotificationFilter
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.serializers.notifications import NotificationSerializer
from memwatch.api.views.fleet import NUMBER
from memwatch.models import Notification
from memwatch.services import notifications


@documented_view(
    list=documented(summary="Notifications, the newest first"), retrieve=documented(summary="One notification")
)
class NotificationView(ReadView):
    """Messages of alerts and recycled workers to the channels of `ALERT_CHANNELS`."""

    view_permission = "memwatch.view_notification"
    action_permissions = {"send_again": ("memwatch.send_again",)}  # noqa: RUF012 - as in the base
    without_body = ("send_again",)
    serializer_class = NotificationSerializer
    filterset_class = NotificationFilter
    queryset = Notification.objects.all()
    lookup_value_regex = NUMBER

    @documented(
        summary="Send the notification again",
        request=None,
        responses={
            200: NotificationSerializer,
            409: OpenApiResponse(ErrorSerializer, description="Its channel is no longer in `ALERT_CHANNELS`"),
        },
    )
    @action(detail=True, methods=["post"], url_path="send-again")
    def send_again(self, request: Request, **_kwargs: Any) -> Response:
        """Sends the message at once under the same id, and repeats it for a day if that fails."""
        return self.shown(notifications.send_again(self.get_object(), by=request.user))
