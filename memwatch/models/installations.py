"""What the processes of a release are installed with and import: one row for all processes that have the same."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.models.fleet import Service


class Installation(models.Model):
    """The distributions that some processes of a service and release reported, and what they imported, each once."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="installations", verbose_name=_("service"))
    digest = models.CharField(
        _("digest"),
        max_length=64,
        help_text=_("SHA-256 of the release, and of the names and versions of the distributions."),
    )
    versions = models.JSONField(_("versions"), help_text=_("Versions of the installed distributions, by name."))
    imported = models.JSONField(
        _("imported"),
        default=list,
        help_text=_("Names of the distributions that at least one process has imported, sorted."),
    )
    packages = models.JSONField(
        _("packages"),
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text=_("By package: its distribution, and the number of modules over all processes that reported them."),
    )
    reports = models.PositiveIntegerField(
        _("processes with packages"),
        default=0,
        db_default=0,
        help_text=_("Number of processes that reported what they had imported."),
    )
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)

    class Meta:
        default_permissions = ()
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        constraints = (models.UniqueConstraint(fields=("service", "digest"), name="memwatch_installation_unique"),)

    def __str__(self) -> str:
        return f"{self.service} {self.digest[:8]}"
