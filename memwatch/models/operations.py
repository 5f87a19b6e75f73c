"""Commands, rejected reports, counters and leases."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.models.fleet import Process


class Command(models.Model):
    """A command sent to a process, and its answer."""

    class State(models.TextChoices):
        SENT = "sent", _("sent")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("not answered in time")

    wire_id = models.CharField(_("id on the wire"), max_length=32, unique=True, editable=False)
    name = models.CharField(_("command"), max_length=40)
    process = models.ForeignKey(Process, models.CASCADE, related_name="commands", verbose_name=_("process"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.SENT)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    snapshot = models.ForeignKey(
        "memwatch.Snapshot", models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("sent"), default=timezone.now)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ("-id",)
        indexes = (models.Index(fields=("state", "expires_at"), name="memwatch_command_state"),)

    def __str__(self) -> str:
        return f"{self.name} to {self.process}"


class RejectedReport(models.Model):
    """A report that could not be stored."""

    received_at = models.DateTimeField(_("received"), default=timezone.now)
    reason = models.CharField(_("reason"), max_length=20)
    detail = models.TextField(_("detail"), blank=True)
    size = models.PositiveBigIntegerField(_("bytes"))
    excerpt = models.TextField(_("excerpt"), blank=True, help_text=_("The beginning of the report, escaped."))
    fingerprint = models.CharField(
        max_length=64,
        unique=True,
        editable=False,
        help_text=_("Identifies the delivery, so that a repeated one is kept only once."),
    )

    class Meta:
        verbose_name = _("rejected report")
        verbose_name_plural = _("rejected reports")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.reason}, {self.size} bytes"


class Counter(models.Model):
    """A total that must not fall when rows are pruned."""

    name = models.CharField(_("name"), max_length=60)
    labels = models.CharField(_("labels"), max_length=500, blank=True, help_text=_("key=value,…, sorted by key."))
    value = models.BigIntegerField(_("value"), default=0)

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        ordering = ("name", "labels")
        constraints = (models.UniqueConstraint(fields=("name", "labels"), name="memwatch_counter_unique"),)

    def __str__(self) -> str:
        return f"{self.name}{{{self.labels}}} {self.value}"


class Lease(models.Model):
    """The right to do work that only one worker may do at a time, with its holder and expiry."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    holder = models.CharField(_("holder"), max_length=100, blank=True)
    expires_at = models.DateTimeField(_("until"))
    last_finished_at = models.DateTimeField(_("last finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
