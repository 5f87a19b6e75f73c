"""API tokens, stored as digests."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ApiToken(models.Model):
    """A token that a user got for name and password, stored as a digest until it expires."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    digest = models.CharField(_("SHA-256"), max_length=64, unique=True)
    password_mark = models.CharField(_("of the password"), max_length=128)
    """An HMAC of the password's hash, as sessions have it: with another password the token is worth nothing."""
    created_at = models.DateTimeField(_("given"))
    expires_at = models.DateTimeField(_("expires"))

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        default_permissions = ()
        indexes = (models.Index(fields=("expires_at",), name="memwatch_apitoken_expires"),)

    def __str__(self) -> str:
        return str(_("API token of %s") % self.user)
