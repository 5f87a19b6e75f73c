"""Who did what, as Django's admin log keeps it: also for what came through the API."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models


def record(by: Any, obj: models.Model, message: str) -> None:
    """Write a LogEntry on ``obj`` for the user ``by``; nothing for what memwatch does by itself (``by`` is None)."""
    if by is None or by.pk is None or not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import CHANGE, LogEntry  # noqa: PLC0415 - needs admin in INSTALLED_APPS
    from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415

    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(obj),
        object_id=str(obj.pk),
        object_repr=str(obj)[:200],
        action_flag=CHANGE,
        change_message=message,
    )
