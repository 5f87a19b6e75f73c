"""Every error as JSON with a ``detail`` that says what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from memwatch.models import connection
from memwatch.services import ActionRefused
from memwatch.services.recordings.heap_analyses import BeingAnalysed
from memwatch.transport import TransportUnavailable

logger = logging.getLogger(__name__)


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's own errors, refused actions (409), and a database or transport that is away (503)."""
    if isinstance(error, ActionRefused):
        goes_on = isinstance(error, BeingAnalysed)
        if not goes_on:
            set_rollback()
        headers = {"Retry-After": "5"} if goes_on else None
        return Response({"detail": str(error)}, status=status.HTTP_409_CONFLICT, headers=headers)
    if isinstance(error, TransportUnavailable):
        set_rollback()
        return Response(
            {"detail": str(error)}, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers={"Retry-After": "5"}
        )
    if isinstance(error, DatabaseError) or not settings.USE_TZ:
        logger.warning("the database failed a request: %s: %s", type(error).__name__, str(error)[:300])
        return Response(
            {"detail": connection.obstacle() or "the database cannot be used now: try again in a moment"},
            status=status.HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": "5"},
        )
    if isinstance(error, exceptions.ValidationError):
        set_rollback()
        detail = error.detail
        if isinstance(detail, Mapping):
            return Response({"detail": "; ".join(_sentences(detail)), "errors": detail}, status=error.status_code)
        return Response({"detail": "; ".join(map(str, detail))}, status=error.status_code)
    return exception_handler(error, context)


def _sentences(detail: Mapping[str, Any]) -> Iterator[str]:
    for name, problems in detail.items():
        texts = problems if isinstance(problems, list) else [problems]
        for text in texts:
            if isinstance(text, Mapping):  # of a serializer within
                yield from (f"{name}.{sentence}" for sentence in _sentences(text))
            else:
                yield str(text) if name == "non_field_errors" else f"{name}: {text}"
