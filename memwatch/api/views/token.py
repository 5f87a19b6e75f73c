"""A token for a user name and a password."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from memwatch.api.access import AccountThrottle, ActionThrottle, AddressThrottle
from memwatch.api.authentication import ApiTokenAuthentication
from memwatch.api.base import ApiView, documented
from memwatch.api.serializers.errors import ErrorSerializer
from memwatch.api.serializers.figures import Time
from memwatch.models import ApiToken
from memwatch.services import tokens


class CredentialsSerializer(serializers.Serializer[Any]):
    """User name and password."""

    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class TokenSerializer(serializers.Serializer[Any]):
    """The token to send as `Authorization: Token …`."""

    token = serializers.CharField(help_text="Shown only once: memwatch stores only its digest")
    expires_at = Time()


class TokenView(ApiView):
    """Tokens for a name and a password; 10 attempts a minute at one account from one address, 60 in all."""

    serializer_class = AuthTokenSerializer
    pagination_class = None
    filter_backends = ()
    queryset = ApiToken.objects.none()

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
        """Issues a new token. It ends after `API_TOKEN_DAYS`, by `DELETE`, or when the user's password changes."""
        token, expires_at = tokens.issue(self.checked(request)["user"])
        return Response({"token": token, "expires_at": expires_at})

    @documented(
        summary="Revoke the token of this request",
        operation_id="token_destroy",
        request=None,
        parameters=[OpenApiParameter("all", OpenApiTypes.BOOL, description="true revokes all tokens of its user")],
        responses={204: OpenApiResponse(description="The token is revoked")},
    )
    def destroy(self, request: Request) -> Response:
        """Revokes the token sent as `Authorization: Token …`; with `all=true` all tokens of its user."""
        every = request.query_params.get("all", "false")
        if every not in ("true", "false"):
            raise ValidationError({"all": f"{every[:20]} is none of: true, false"})
        if every == "true":
            tokens.revoke_all(request.user)
        if isinstance(request.auth, ApiToken):
            if every == "false":
                tokens.revoke(request.auth)
        else:
            tokens.revoke_drf(request.auth)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Who asks for a token may send one that is over."""
        return [ApiTokenAuthentication()] if self._is_delete else []

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticated() if self._is_delete else AllowAny()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [ActionThrottle()] if self._is_delete else [AddressThrottle(), AccountThrottle()]

    @property
    def _is_delete(self) -> bool:
        return getattr(self.request, "method", "") == "DELETE"
