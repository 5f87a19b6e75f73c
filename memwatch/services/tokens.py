"""Tokens of the API: drawn, found by their digest, revoked. They expire, and end with the password they were for."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.crypto import constant_time_compare

from memwatch.conf import get_settings
from memwatch.models import ApiToken
from memwatch.services import audit
from memwatch.services.locking import writing

BYTES = 32
MOST_OF_A_USER = 50
"""Beyond, the oldest goes."""


def issue(user: Any, *, now: datetime | None = None) -> tuple[str, datetime]:
    """A new token and when it expires. It is not kept and cannot be shown again."""
    now = now or timezone.now()
    text = secrets.token_urlsafe(BYTES)
    expires_at = now + timedelta(days=get_settings().api_token_days)
    with writing():
        ApiToken.objects.filter(expires_at__lte=now).delete()
        own = ApiToken.objects.filter(user=user)
        kept = list(own.order_by("-created_at", "-pk").values_list("pk", flat=True)[: MOST_OF_A_USER - 1])
        own.exclude(pk__in=kept).delete()
        ApiToken.objects.create(
            user=user, digest=_digest(text), password_mark=_mark(user), created_at=now, expires_at=expires_at
        )
    audit.record(user, user, f"API token given, until {expires_at:%Y-%m-%d %H:%M} UTC.")
    return text, expires_at


def find(text: str, *, now: datetime | None = None) -> ApiToken | None:
    """The token, with its user, while it is worth something."""
    row = ApiToken.objects.select_related("user").filter(digest=_digest(text)).first()
    if row is None or row.expires_at <= (now or timezone.now()) or not row.user.is_active:
        return None
    return row if any(constant_time_compare(row.password_mark, mark) for mark in _marks(row.user)) else None


def revoke(row: ApiToken) -> None:
    """This one."""
    row.delete()
    audit.record(row.user, row.user, "API token revoked.")


def revoke_all(user: Any) -> int:
    """All of a user; how many."""
    count, _by_model = ApiToken.objects.filter(user=user).delete()
    audit.record(user, user, f"API tokens revoked: {count}.")
    return count


def revoke_drf(row: Any) -> None:
    """One of ``rest_framework.authtoken``, which somebody has sent to have it revoked."""
    row.delete()
    audit.record(row.user, row.user, "Token of rest_framework.authtoken revoked.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _mark(user: Any) -> str:
    return _marks(user)[0]


def _marks(user: Any) -> list[str]:
    """By today's ``SECRET_KEY``, then by those before it that the site still accepts."""
    if not hasattr(user, "get_session_auth_hash"):
        return [""]  # a user model without passwords
    return [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
