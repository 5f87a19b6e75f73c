"""What memwatch found: leaks with their history, expected growth, alerts."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.detection.exhaustion.outlook import exhausted_at, time_left_s
from memwatch.models.fleet import Process, Service


class Severity(models.TextChoices):
    LOW = "low", _("low")
    MEDIUM = "medium", _("medium")
    HIGH = "high", _("high")
    CRITICAL = "critical", _("critical")


class ExpectedGrowth(models.Model):
    """Growth that an operator expects. Matching types are judged, counted and shown, but open no leak."""

    type_pattern = models.CharField(
        _("type pattern"), max_length=300, help_text=_("A type name; * stands for anything, e.g. shop.cache.*")
    )
    service = models.ForeignKey(
        Service,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="expected_growth",
        verbose_name=_("service"),
        help_text=_("Leave empty for every service."),
    )
    reason = models.CharField(_("reason"), max_length=300)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True, help_text=_("Leave empty for no end."))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )
    matches = models.PositiveBigIntegerField(_("leaks suppressed"), default=0, editable=False)
    suppressed_verdicts = models.PositiveBigIntegerField(
        _("verdicts suppressed"),
        default=0,
        editable=False,
        help_text=_("How often this entry suppressed a leak: once for each leak and each time memwatch judged it."),
    )
    last_matched_at = models.DateTimeField(_("last match"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("expected growth")
        verbose_name_plural = _("expected growth")
        ordering = ("type_pattern",)

    def __str__(self) -> str:
        return f"{self.type_pattern} in {self.service or _('every service')}"

    def is_active(self, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now


class LeakQuerySet(models.QuerySet["Leak"]):
    def active(self) -> LeakQuerySet:
        """Open and acknowledged leaks."""
        return self.filter(state__in=(Leak.State.OPEN, Leak.State.ACKNOWLEDGED))

    def unresolved(self) -> LeakQuerySet:
        return self.exclude(state=Leak.State.RESOLVED)


class Leak(models.Model):
    """A leak that memwatch found, with its evidence, history and state."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        SNOOZED = "snoozed", _("snoozed")
        RESOLVED = "resolved", _("resolved")
        SUPPRESSED = "suppressed", _("suppressed")

    class Kind(models.TextChoices):
        OBJECTS = "objects", _("objects")
        UNTRACKED = "untracked", _("untracked objects")
        NATIVE = "native", _("native memory")

    class Confidence(models.TextChoices):
        LOW = "low", _("low")
        MEDIUM = "medium", _("medium")
        HIGH = "high", _("high")

    service = models.ForeignKey(Service, models.CASCADE, related_name="leaks", verbose_name=_("service"))
    process = models.ForeignKey(
        Process,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="leaks",
        verbose_name=_("process"),
        help_text=_("Empty if the whole service leaks (recycled workers)."),
    )
    kind = models.CharField(_("kind"), max_length=13, choices=Kind, default=Kind.OBJECTS)
    object_type = models.CharField(_("type"), max_length=300)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.OPEN)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    confidence = models.CharField(_("confidence"), max_length=6, choices=Confidence, default=Confidence.MEDIUM)
    probability = models.FloatField(
        _("probability"),
        null=True,
        blank=True,
        help_text=_("Probability that it is a leak, 0 to 1. Empty if an older version of memwatch judged it last."),
    )
    initial_count = models.BigIntegerField(_("count at first"))
    current_count = models.BigIntegerField(_("count now"))
    growth_count = models.BigIntegerField(_("growth"))
    growth_percent = models.FloatField(_("growth in percent"))
    growth_per_hour = models.FloatField(
        _("growth an hour"), null=True, blank=True, help_text=_("In objects, blocks (untracked) or KB (native).")
    )
    time_to_exhaustion_s = models.FloatField(_("seconds to exhaustion"), null=True, blank=True)
    verdict = models.TextField(_("verdict"), blank=True)
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    started_at = models.DateTimeField(_("grows since"), null=True, blank=True)
    detected_at = models.DateTimeField(_("detected"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last judged a leak"), default=timezone.now)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    expected_growth = models.ForeignKey(
        ExpectedGrowth, models.SET_NULL, null=True, blank=True, related_name="leaks", verbose_name=_("suppressed by")
    )

    objects = LeakQuerySet.as_manager()

    class Meta:
        verbose_name = _("leak")
        verbose_name_plural = _("leaks")
        ordering = ("-detected_at", "-id")
        permissions = (("act_on_leak", _("Can acknowledge, snooze, resolve, reopen and suppress leaks")),)
        constraints = (
            models.UniqueConstraint(fields=("process", "kind", "object_type"), name="memwatch_leak_once"),
            models.UniqueConstraint(
                fields=("service", "kind", "object_type"),
                condition=Q(process=None),
                name="memwatch_service_leak_once",
            ),
        )
        indexes = (models.Index(fields=("state", "severity"), name="memwatch_leak_state"),)

    def __str__(self) -> str:
        return f"{self.what} in {self.process or self.service}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_leak_change", args=(self.pk,))

    @property
    def what(self) -> str:
        """What leaks: the type, or the kind of memory that has no type."""
        return self.object_type if self.kind == Leak.Kind.OBJECTS else self.get_kind_display()

    @property
    def exhausted_at(self) -> datetime | None:
        """When memory runs out if it goes on; ``None`` when the leak is over, and without an end in sight."""
        return exhausted_at(self.last_seen_at, self.time_to_exhaustion_s, over=self.state == Leak.State.RESOLVED)

    def time_left_s(self, now: datetime) -> float | None:
        """Seconds until memory runs out."""
        return time_left_s(self.exhausted_at, now)


class LeakEvent(models.Model):
    """One entry of a leak's history: what happened, by whom, with which comment."""

    class Kind(models.TextChoices):
        DETECTED = "detected", _("detected")
        WORSENED = "worsened", _("severity rose")
        EASED = "eased", _("severity fell")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        SNOOZED = "snoozed", _("snoozed")
        RESOLVED = "resolved", _("resolved")
        REOPENED = "reopened", _("reopened")
        SUPPRESSED = "suppressed", _("suppressed")
        RENAMED = "renamed", _("renamed")
        COMMENT = "comment", _("comment")

    leak = models.ForeignKey(Leak, models.CASCADE, related_name="events", verbose_name=_("leak"))
    at = models.DateTimeField(_("when"), default=timezone.now)
    kind = models.CharField(_("what"), max_length=12, choices=Kind)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    by_a_person = models.BooleanField(
        _("by a person"), default=False, editable=False, help_text=_("Whether a user did it, even if deleted since.")
    )
    comment = models.TextField(_("comment"), blank=True)

    class Meta:
        verbose_name = _("leak event")
        verbose_name_plural = _("leak events")
        ordering = ("at", "id")
        indexes = (models.Index(fields=("at",), name="memwatch_leak_event_at"),)

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def raised(self) -> AlertQuerySet:
        return self.filter(cleared_at__isnull=True)


class Alert(models.Model):
    """A crossed threshold. It is raised once, and cleared when it is over."""

    class Type(models.TextChoices):
        HEAP_WARNING = "heap_warning", _("heap over the warning threshold")
        HEAP_CRITICAL = "heap_critical", _("heap over the critical threshold")
        CONTAINER_WARNING = "container_warning", _("container over the warning threshold")
        CONTAINER_CRITICAL = "container_critical", _("container over the critical threshold")
        GROWTH_RATE = "growth_rate", _("memory grows fast")
        GC_SPIKE = "gc_spike", _("garbage collection spike")
        LEAK = "leak", _("memory leak")
        BASELINE_DRIFT = "baseline_drift", _("drift from the baseline")
        JOB_PEAK = "job_peak", _("a job's peak comes near the limit")
        PROCESS_KILLED = "process_killed", _("a process was killed or crashed")
        RECYCLING_USELESS = "recycling_useless", _("recycling does not help")
        RELEASE_CHANGE = "release_change", _("a release takes more memory")

    type = models.CharField(_("type"), max_length=20, choices=Type)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    service = models.ForeignKey(Service, models.CASCADE, related_name="alerts", verbose_name=_("service"))
    process = models.ForeignKey(
        Process, models.CASCADE, null=True, blank=True, related_name="alerts", verbose_name=_("process")
    )
    leak = models.ForeignKey(
        Leak,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alerts",
        verbose_name=_("leak"),
        help_text=_("The leak that raised the alert. If several processes have it, the leak of one of them."),
    )
    processes = models.PositiveIntegerField(
        _("processes"),
        null=True,
        blank=True,
        help_text=_("Number of processes with the leak. After the alert is cleared: the last number."),
    )
    subject = models.CharField(
        max_length=450, editable=False, help_text=_("Identifies what it is about, so that it is raised only once.")
    )
    message = models.TextField(_("message"))
    value = models.FloatField(_("value"), null=True, blank=True)
    threshold = models.FloatField(_("threshold"), null=True, blank=True)
    worst_value = models.FloatField(_("worst value"), null=True, blank=True)
    raised_at = models.DateTimeField(_("raised"), default=timezone.now)
    began_at = models.DateTimeField(
        _("began"),
        default=timezone.now,
        help_text=_("Start of the episode. Earlier than the time raised if the alert got worse since."),
    )
    cleared_at = models.DateTimeField(_("cleared"), null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-raised_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("type", "subject"), condition=Q(cleared_at=None), name="memwatch_alert_raised_once"
            ),
        )

    def __str__(self) -> str:
        return self.message

    @property
    def is_raised(self) -> bool:
        return self.cleared_at is None

    @property
    def release_id(self) -> int | None:
        """The release that it is about, if it is about one."""
        return int(self.subject.rpartition(":")[2]) if self.type == self.Type.RELEASE_CHANGE else None
