"""Who may do what: Django's permissions, per action."""

from __future__ import annotations

import hashlib
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class MemwatchPermission(BasePermission):
    """The view's ``view_permission`` for everything, and ``action_permissions[action]`` for an action besides."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not user or not user.is_authenticated:
            return False
        wanted = [view.view_permission]  # type: ignore[attr-defined]
        wanted += view.action_permissions.get(getattr(view, "action", None), ())  # type: ignore[attr-defined]
        return bool(user.has_perms(wanted))


class ActionThrottle(SimpleRateThrottle):
    """Actions of one user: what is changed or asked for, not what is read."""

    scope = "memwatch-actions"
    rate = "300/min"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        if request.method in SAFE_METHODS or not request.user or not request.user.is_authenticated:
            return None
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class _TokenThrottle(SimpleRateThrottle):
    """By the address that connects: a header would let the client choose another one for each attempt."""

    def _key(self, *parts: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": "|".join(map(str, parts))}


class AddressThrottle(_TokenThrottle):
    """Attempts from one address."""

    scope = "memwatch-token-address"
    rate = "60/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self._key(request.META.get("REMOTE_ADDR", ""))


class AccountThrottle(_TokenThrottle):
    """Attempts at one account from one address."""

    scope = "memwatch-token-account"
    rate = "10/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        username = request.data.get("username", "") if isinstance(request.data, dict) else ""
        typed = hashlib.sha256(
            str(username).strip().lower().encode("utf-8", "replace")
        ).hexdigest()  # fit for a cache key
        return self._key(request.META.get("REMOTE_ADDR", ""), typed)
