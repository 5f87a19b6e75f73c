"""Bodies of requests: their size is looked at before they are read, their JSON is read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from memwatch.transport import strict_json

MAX_BODY_BYTES = 64 * 1024
"""The largest body that any action of the API wants has some kilobytes."""
_MOST_DIGITS = 20
"""Of a length: Python makes no number of thousands."""


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"the body has more than {MAX_BODY_BYTES // 1024} KB, which no action of this API needs"
    default_code = "body_too_large"


def refuse_large_body(request: Request) -> None:
    """By what the request says of itself, before a byte of the body is read. Raises :class:`BodyTooLarge`."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or len(length) > _MOST_DIGITS or int(length) > MAX_BODY_BYTES:
        raise BodyTooLarge


def _read(stream: IO[bytes]) -> bytes:
    """A body may be longer than it says, or say nothing."""
    body = stream.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    return body


class StrictJSONParser(BaseParser):
    """JSON with finite numbers and bounded nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return strict_json.loads(_read(stream))
        except ValueError as error:
            raise ParseError(f"the body is no JSON: {error}") from None


class BoundedFormParser(BaseParser):
    """A form's fields."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return QueryDict(_read(stream), encoding="utf-8")
        except TooManyFieldsSent:
            raise ParseError("the form has more fields than any action of this API takes") from None
