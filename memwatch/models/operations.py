"""What keeps memwatch running: commands, recordings and their triggers, refused reports, counters, leases."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.models.findings import Leak
from memwatch.models.fleet import Process, Service


class Command(models.Model):
    """What a process was asked to do, and what became of it."""

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


class Recording(models.Model):
    """The result of a diagnosis on demand."""

    class Kind(models.TextChoices):
        REFERRERS = "referrers", _("referrers")
        ALLOCATIONS = "allocations", _("allocation sites")
        FLAMEGRAPH = "flamegraph", _("flame graph")
        HEAP_SUMMARY = "heap_summary", _("heap summary")

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.REQUESTED)
    process = models.ForeignKey(Process, models.CASCADE, related_name="recordings", verbose_name=_("process"))
    leak = models.ForeignKey(
        Leak, models.SET_NULL, null=True, blank=True, related_name="recordings", verbose_name=_("leak")
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.process}"


class Trigger(models.Model):
    """When to record without being asked."""

    service = models.ForeignKey(
        Service, models.CASCADE, null=True, blank=True, related_name="triggers", verbose_name=_("service")
    )
    recording_kind = models.CharField(_("records"), max_length=12, choices=Recording.Kind)
    condition = models.JSONField(_("condition"), default=dict)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = _("triggers")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_recording_kind_display()} in {self.service or _('every service')}"


class RejectedReport(models.Model):
    """A report that could not be taken, set aside for a look."""

    received_at = models.DateTimeField(_("received"), default=timezone.now)
    reason = models.CharField(_("reason"), max_length=20)
    detail = models.TextField(_("detail"), blank=True)
    size = models.PositiveBigIntegerField(_("bytes"))
    excerpt = models.TextField(_("excerpt"), blank=True, help_text=_("The beginning, escaped."))
    fingerprint = models.CharField(
        max_length=64, unique=True, editable=False, help_text=_("Of the delivery: one that comes twice is kept once.")
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
    labels = models.CharField(_("labels"), max_length=500, blank=True, help_text=_("key=value,…, sorted"))
    value = models.BigIntegerField(_("value"), default=0)

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        ordering = ("name", "labels")
        constraints = (models.UniqueConstraint(fields=("name", "labels"), name="memwatch_counter_unique"),)

    def __str__(self) -> str:
        return f"{self.name}{{{self.labels}}} {self.value}"


class Lease(models.Model):
    """Who does a thing that only one may do at a time, and until when."""

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
