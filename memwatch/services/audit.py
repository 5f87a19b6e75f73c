"""Who did what, as Django's admin log keeps it: also for what came through the API."""

from __future__ import annotations

import getpass
import logging
import os
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone

log = logging.getLogger(__name__)


def record(by: Any, obj: models.Model, message: str) -> None:
    """Write a LogEntry on ``obj`` for the user ``by``, and a line of the log ``memwatch.services.audit``.

    Nothing for what memwatch does by itself (``by`` is None).
    """
    if by is None or by.pk is None:
        return
    log.info("%s: %s: %s", by.get_username(), obj, message)
    _enter(by, obj, message)


def at_terminal(message: str, obj: models.Model | None = None) -> None:
    """What somebody did with a command of ``manage.py``: a line of the log ``memwatch.services.audit``.

    Django's admin log wants a user of the site: it has an entry where the account at the terminal is called like one.
    """
    name = _account()
    log.info("%s at a terminal: %s%s", name, f"{obj}: " if obj is not None else "", message)
    if obj is None or not apps.is_installed("django.contrib.auth"):
        return
    user = get_user_model()._default_manager.filter(**{get_user_model().USERNAME_FIELD: name}).first()
    if user is not None:
        _enter(user, obj, f"At a terminal: {message}")


def sign_in_failed(username: str, where: str, address: str) -> None:
    """A line of the log for each; an entry in the account's history where there is such an account, one a minute."""
    log.warning("sign-in failed: %r at %s from %s", username[:150], where, address)
    model = get_user_model()
    user = model._default_manager.filter(**{model.USERNAME_FIELD: username[:150]}).first() if username else None
    if user is None or not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry  # noqa: PLC0415 - needs admin in INSTALLED_APPS

    begins = "Sign-in failed"
    recent = timezone.now() - timedelta(minutes=1)
    if not LogEntry.objects.filter(user=user, action_time__gt=recent, change_message__startswith=begins).exists():
        _enter(user, user, f"{begins}: {where}, from {address}.")


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _enter(by: Any, obj: models.Model, message: str) -> None:
    if not apps.is_installed("django.contrib.admin"):
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
