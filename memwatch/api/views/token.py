"""A token for a user name and a password."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from memwatch.api.access import AccountThrottle, AddressThrottle
from memwatch.api.base import ApiView, documented
from memwatch.api.serializers.errors import ErrorSerializer


class CredentialsSerializer(serializers.Serializer[Any]):
    """Who asks."""

    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class TokenSerializer(serializers.Serializer[Any]):
    """What to send as `Authorization: Token …`."""

    token = serializers.CharField()


class TokenView(ApiView):
    """A user's token; limited to 10 attempts a minute at one account from one address, 60 in all."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle, AccountThrottle)
    serializer_class = AuthTokenSerializer
    pagination_class = None
    filter_backends = ()
    queryset = Token.objects.none()

    @documented(
        summary="Get a token",
        operation_id="token_create",
        auth=[],
        request=CredentialsSerializer,
        responses={
            200: TokenSerializer,
            400: OpenApiResponse(ErrorSerializer, description="Wrong user name or password"),
            429: OpenApiResponse(ErrorSerializer, description="Too many attempts; `Retry-After` says how long to wait"),
        },
        examples=[OpenApiExample("Sign in", value={"username": "admin", "password": "…"}, request_only=True)],
    )
    def create(self, request: Request) -> Response:
        """Always the same token for a user, until it is deleted in the admin."""
        token, _created = Token.objects.get_or_create(user=self.checked(request)["user"])
        return Response({"token": token.key})
