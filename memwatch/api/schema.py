"""How the routes are described: in memwatch's own schema alone, with the refusals that each may answer with.

The site's schema is for the site's clients: memwatch's routes stay out of it, whatever makes it. A site that wants them
there gives ``"DEFAULT_GENERATOR_CLASS": "memwatch.api.schema.Generator"`` in its ``SPECTACULAR_SETTINGS``.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, Literal

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from memwatch.api.serializers.errors import ErrorSerializer

REFUSALS = {
    "400": "Invalid parameter or body",
    "401": "No session and no valid token",
    "403": "Permission denied",
    "404": "Not found",
    "429": "Too many actions or attempts: try again later",
    "503": "The database or the transport is unavailable: try again later",
}
"""Default texts by status."""


PREFIX = "Memwatch"
"""Begins every component's name: a site may have its own ``Notification`` or ``Service``."""

_visible: contextvars.ContextVar[bool] = contextvars.ContextVar("memwatch_visible", default=False)


@contextlib.contextmanager
def visible() -> Iterator[None]:
    """Within, memwatch's views have a schema."""
    token = _visible.set(True)
    try:
        yield
    finally:
        _visible.reset(token)


class Generator(SchemaGenerator):
    """The generator that sees memwatch's routes."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        with visible():
            return super().get_schema(request, public)  # type: ignore[no-untyped-call]


class ApiSchema(AutoSchema):
    """drf-spectacular's, and the refusals besides."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        """None for all other generators, which leave out a view without a schema (the REST framework's own too)."""
        return super().__get__(instance, owner) if _visible.get() else None

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:
        name = str(super()._get_serializer_name(serializer, direction, bypass_extensions))
        return name if name.startswith(PREFIX) else f"{PREFIX}{name}"

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        found: dict[str, Any] = super()._get_response_bodies(direction)
        for code, description in REFUSALS.items():
            if code not in found and (code != "429" or self.method not in ("GET", "HEAD")):
                answer = OpenApiResponse(ErrorSerializer, description=description)
                found[code] = self._get_response_for_code(answer, code, ["application/json"], direction)  # type: ignore[no-untyped-call]
        return found
