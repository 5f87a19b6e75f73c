"""Who sends ``Authorization: Token …``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.utils.translation import gettext as _
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from memwatch.conf import get_settings
from memwatch.services import tokens


class ApiTokenAuthentication(TokenAuthentication):
    """Tokens of memwatch's own; while ``DRF_TOKENS`` is on, also those of ``rest_framework.authtoken``."""

    def authenticate_credentials(self, key: str) -> tuple[Any, Any]:
        found = tokens.find(key)
        if found is not None:
            return found.user, found
        if get_settings().drf_tokens and apps.is_installed("rest_framework.authtoken"):
            return super().authenticate_credentials(key)
        raise AuthenticationFailed(_("Invalid token."))
