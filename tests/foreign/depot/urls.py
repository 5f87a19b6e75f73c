"""Its own API with schema and docs first, then the admin and memwatch: the docs hide memwatch's."""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.schemas import get_schema_view
from rest_framework.schemas.openapi import AutoSchema as OwnAutoSchema
from rest_framework.views import APIView


class NotificationSerializer(serializers.Serializer[Any]):
    """A letter to a customer."""

    letter = serializers.CharField()


class NotificationsView(APIView):
    """The depot's letters."""

    permission_classes = ()
    authentication_classes = ()

    @extend_schema(responses=NotificationSerializer)
    def get(self, request: Request) -> Response:
        return Response({"letter": "The parcel is here."})


class PlainView(NotificationsView):
    """The same, described by the REST framework itself."""

    schema = OwnAutoSchema()
    get = lambda self, request: Response({})  # noqa: E731


urlpatterns = [
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="depot-schema"), name="depot-docs"),
    path("api/depot/schema/", SpectacularAPIView.as_view(), name="depot-schema"),
    path("api/depot/notifications/", NotificationsView.as_view()),
    path("admin/", admin.site.urls),
    path("", include("memwatch.urls")),
]
plain = get_schema_view(
    title="Depot", patterns=[path("plain/", PlainView.as_view()), path("", include("memwatch.urls"))]
)
