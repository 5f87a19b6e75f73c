"""What every view of the API shares. Nothing is left to the host site's own ``REST_FRAMEWORK`` settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from django.urls import reverse
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from memwatch.api import errors
from memwatch.api.access import ActionThrottle, MemwatchPermission
from memwatch.api.authentication import ApiTokenAuthentication
from memwatch.api.pagination import Newest
from memwatch.api.parsers import BoundedFormParser, StrictJSONParser, refuse_large_body
from memwatch.api.schema import ApiSchema, visible

_View = TypeVar("_View", bound=type[Any])
_Method = TypeVar("_Method", bound=Callable[..., Any])


def documented(**kwargs: Any) -> Callable[[_Method], _Method]:
    """``extend_schema`` that does not depend on the site's ``DEFAULT_SCHEMA_CLASS``."""

    def decorate(method: _Method) -> _Method:
        known: dict[str, Any] = method.__dict__.setdefault("kwargs", {})
        known.setdefault("schema", ApiSchema)
        return extend_schema(**kwargs)(method)

    return decorate


def documented_view(**methods: Any) -> Callable[[_View], _View]:
    """``extend_schema_view``, which looks for the view's schema."""

    def decorate(view: _View) -> _View:
        with visible():
            return extend_schema_view(**methods)(view)

    return decorate


_FORGERY = "csrfmiddlewaretoken"
"""Content types of forms, which Django parses."""


def refuse_unknown(data: Any, known: Collection[str]) -> None:
    """Raise :class:`ValidationError` for fields that are not known: a word misspelt must not be taken for left out."""
    unknown = sorted(set(map(str, data)) - {*known, _FORGERY}) if isinstance(data, Mapping) else []
    if unknown:
        said = f"is no field: give {', '.join(known)}" if known else "is no field: this takes none"
        raise ValidationError({name[:60]: [said] for name in unknown[:10]})


class ApiView(viewsets.GenericViewSet[Any]):
    """JSON only; token or session; a permission for each action; clear errors."""

    view_permission: str
    """Needed for every action."""
    action_permissions: Mapping[str, Sequence[str]] = {}
    """Needed besides, by action."""
    without_body: Sequence[str] = ()
    """Actions that take no field."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (ApiTokenAuthentication, SessionAuthentication)
    permission_classes: Sequence[type[BasePermission]] = (MemwatchPermission,)
    renderer_classes = (JSONRenderer,)
    parser_classes = (StrictJSONParser, BoundedFormParser)
    content_negotiation_class = DefaultContentNegotiation
    throttle_classes: Sequence[type[BaseThrottle]] = (ActionThrottle,)
    filter_backends: Sequence[Any] = (DjangoFilterBackend,)
    pagination_class: type[Newest] | None = Newest
    versioning_class = None
    schema = ApiSchema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before anybody is asked who they are: a large body is not read."""
        refuse_large_body(request)
        super().initial(request, *args, **kwargs)
        if self.action in self.without_body:
            refuse_unknown(request.data, ())

    def check_throttles(self, request: Request) -> None:
        """One after the other: a throttle that reads the body comes after those that do not, and only if they agree."""
        for throttle in self.get_throttles():
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait() or 0.0)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid caches to store the response: it is for this user only."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if not answer.has_header("Cache-Control"):
            answer["Cache-Control"] = "no-store"
        return answer

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return errors.handler

    def checked(self, request: Request) -> dict[str, Any]:
        """The request's body, checked by the action's serializer."""
        return self.checked_by(self.get_serializer(data=request.data))

    def checked_by(self, serializer: Any) -> dict[str, Any]:
        """The body, checked by this serializer. A field that it does not know is an error, not dropped."""
        refuse_unknown(
            serializer.initial_data, [name for name, field in serializer.fields.items() if not field.read_only]
        )
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def address_of(self, name: str, *args: Any) -> str:
        """The path of another route of this API, wherever the site has mounted it."""
        match = self.request.resolver_match
        namespace = f"{match.namespace}:" if match is not None and match.namespace else ""
        return reverse(f"{namespace}{name}", args=args)


class ReadView(ApiView):
    """A list and its details."""

    def present(self, rows: list[Any]) -> list[Any]:
        """What the serializer gets for these rows: look up here, once for all, what they need besides."""
        return rows

    def shown(self, row: Any) -> Response:
        """One row as the list shows it."""
        return Response(self.serializer_class(self.present([row])[0], context=self.get_serializer_context()).data)  # type: ignore[misc]

    def list(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(self.present(list(page or ())), many=True).data)

    def retrieve(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        return Response(self.get_serializer(self.present([self.get_object()])[0]).data)
