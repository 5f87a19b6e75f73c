"""How the routes are described: with the refusals that every one of them may answer with."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from memwatch.api.serializers.errors import ErrorSerializer

REFUSALS = {
    "400": "A parameter or the body is not right",
    "401": "No session and no right token",
    "403": "The permission lacks",
    "404": "There is no such thing",
    "429": "Too many actions or attempts: try again later",
    "503": "The database or the transport is away: try again in a moment",
}
"""By status, where a route says nothing of its own."""


class ApiSchema(AutoSchema):
    """drf-spectacular's, and the refusals besides."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        found: dict[str, Any] = super()._get_response_bodies(direction)
        for code, description in REFUSALS.items():
            if code not in found and (code != "429" or self.method not in ("GET", "HEAD")):
                answer = OpenApiResponse(ErrorSerializer, description=description)
                found[code] = self._get_response_for_code(answer, code, ["application/json"], direction)  # type: ignore[no-untyped-call]
        return found
