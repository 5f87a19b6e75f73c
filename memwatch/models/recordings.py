"""Diagnosis on demand: what was recorded in a process, and when to record without being asked."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.diagnosis.options import DURATION_S, MAX_DURATION_S, MAX_FRAMES
from memwatch.models.anomalies import Anomaly
from memwatch.models.findings import Alert, Leak, Severity
from memwatch.models.fleet import Process, Service


class RecordingKind(models.TextChoices):
    REFERRERS = "referrers", _("referrers")
    ALLOCATIONS = "allocations", _("allocation sites")
    FLAMEGRAPH = "flamegraph", _("flame graph")
    HEAP_SUMMARY = "heap_summary", _("heap summary")
    TRIM = "trim", _("allocator check")
    HEAP_DUMP = "heap_dump", _("heap dump")


class FlameGraphMode(models.TextChoices):
    LEAKS = "leaks", _("what was not freed by the end")
    PEAK = "peak", _("what was alive at the peak")


class RecordingOptions(models.Model):
    """What a recording may be asked for; each kind takes the ones that mean something to it."""

    duration_s = models.PositiveSmallIntegerField(
        _("seconds"),
        default=DURATION_S,
        validators=(MinValueValidator(1), MaxValueValidator(MAX_DURATION_S)),
        help_text=_("How long allocations and flame graphs record, at most 300. Other kinds ignore it."),
    )
    frames = models.PositiveSmallIntegerField(
        _("frames"),
        default=1,
        validators=(MinValueValidator(1), MaxValueValidator(MAX_FRAMES)),
        help_text=_("Depth of each allocation's traceback, at most 25. More frames cost more."),
    )
    mode = models.CharField(_("the flame graph shows"), max_length=5, choices=FlameGraphMode, default="leaks")
    native_traces = models.BooleanField(
        _("native frames"),
        default=False,
        help_text=_("Include frames of extension modules in flame graphs. This costs more."),
    )

    class Meta:
        abstract = True


class TriggerWhen(models.TextChoices):
    LEAK = "leak", _("a leak opens")
    RSS = "rss", _("resident memory is over a level")
    HEAP = "heap", _("the heap is over a share of its limit")
    GROWTH = "growth", _("the memory floor grows")
    ALERT = "alert", _("an alert is raised")
    ANOMALY = "anomaly", _("a process is unlike its siblings")


class Trigger(RecordingOptions):
    """When memwatch records automatically: on which occasion, in which services, what, and how often at most."""

    When = TriggerWhen

    name = models.CharField(_("name"), max_length=100, unique=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    when = models.CharField(_("when"), max_length=7, choices=TriggerWhen, default=TriggerWhen.LEAK)
    severity = models.CharField(
        _("severity"),
        max_length=8,
        choices=Severity,
        default=Severity.HIGH,
        help_text=_("Lowest severity of a leak that starts a recording."),
    )
    level = models.FloatField(
        _("level"),
        null=True,
        blank=True,
        validators=(MinValueValidator(0.01),),
        help_text=_("Resident memory in MB, heap in percent of its limit, or growth in percent an hour."),
    )
    alert_type = models.CharField(_("alert"), max_length=20, choices=Alert.Type, blank=True)
    services = models.ManyToManyField(
        Service,
        blank=True,
        related_name="triggers",
        verbose_name=_("services"),
        help_text=_("Choose none for every service."),
    )
    kind = models.CharField(_("records"), max_length=12, choices=RecordingKind, default=RecordingKind.REFERRERS)
    and_then = models.CharField(
        _("and then"),
        max_length=60,
        blank=True,
        help_text=_("Further kinds to record in the same process afterwards, in order."),
    )
    per_process_day = models.PositiveSmallIntegerField(
        _("of one process, a day"), default=2, validators=(MinValueValidator(1),)
    )
    per_service_hour = models.PositiveSmallIntegerField(
        _("of one service, an hour"), default=2, validators=(MinValueValidator(1),)
    )
    per_hour = models.PositiveSmallIntegerField(_("in all, an hour"), default=4, validators=(MinValueValidator(1),))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = _("triggers")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def kinds(self) -> list[str]:
        """All that it records, in order."""
        return [self.kind, *filter(None, self.and_then.split(","))]

    @property
    def options(self) -> dict[str, Any]:
        """What the recordings of this trigger are asked for."""
        return {
            "duration_s": self.duration_s,
            "frames": self.frames,
            "mode": self.mode,
            "native_traces": self.native_traces,
        }


class RecordingQuerySet(models.QuerySet["Recording"]):
    def pending(self) -> RecordingQuerySet:
        """Those that are not over."""
        return self.filter(state__in=Recording.PENDING)


class Recording(models.Model):
    """A diagnosis on demand: its request, its state and its result."""

    Kind = RecordingKind

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    PENDING = (State.REQUESTED, State.RUNNING)

    wire_id = models.CharField(_("id on the wire"), max_length=16, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=12, choices=RecordingKind)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.REQUESTED)
    process = models.ForeignKey(Process, models.CASCADE, related_name="recordings", verbose_name=_("process"))
    leak = models.ForeignKey(
        Leak, models.SET_NULL, null=True, blank=True, related_name="recordings", verbose_name=_("leak")
    )
    anomaly = models.ForeignKey(
        Anomaly, models.SET_NULL, null=True, blank=True, related_name="recordings", verbose_name=_("anomaly")
    )
    trigger = models.ForeignKey(
        Trigger, models.SET_NULL, null=True, blank=True, related_name="recordings", verbose_name=_("trigger")
    )
    follows = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="followers", verbose_name=_("follows")
    )
    and_then = models.CharField(
        _("and then"),
        max_length=60,
        blank=True,
        help_text=_("Further kinds to record in the same process afterwards, separated by commas."),
    )
    look = models.BooleanField(
        _("look before a verdict"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("Made by leak detection before it opens a leak or raises its severity."),
    )
    command = models.ForeignKey(
        "memwatch.Command", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    measured = models.JSONField(_("what it cost"), default=dict, blank=True)
    traces = models.JSONField(
        _("traces"),
        default=list,
        blank=True,
        null=True,
        help_text=_("Spans of the jobs that ran when the recording began or ended."),
    )
    parts = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("Number of parts of the artifact. 0 if none is known.")
    )
    artifact = models.CharField(
        _("file"),
        max_length=100,
        blank=True,
        help_text=_("Name of the file in the storage. Empty if the result is in the database, or if there is none."),
    )
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    content_type = models.CharField(_("content type"), max_length=60, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    deadline = models.DateTimeField(_("given up at"), default=timezone.now)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ("-id",)
        permissions = (
            ("record_process", _("Can record processes and download recordings")),
            ("record_values", _("Can have values of objects recorded, and see them")),
            ("trim_memory", _("Can make processes return free memory")),
            ("dump_heap", _("Can have heap dumps of processes made, and download them")),
            ("dump_keys", _("Can have keys of dicts named in heap dumps")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("process",), condition=Q(state__in=("requested", "running")), name="memwatch_recording_alone"
            ),
        )
        indexes = (
            models.Index(fields=("requested_at",), name="memwatch_recording_when"),
            models.Index(fields=("state", "deadline"), name="memwatch_recording_state"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.process}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_recording_change", args=(self.pk,))

    @property
    def is_pending(self) -> bool:
        return self.state in self.PENDING

    @property
    def asked_by(self) -> str:
        """Who or what asked for it: leak detection, a trigger, or a user."""
        if self.look:
            return str(_("leak detection"))
        if self.trigger is not None:
            return str(_("trigger %s")) % self.trigger
        return str(self.requested_by or "memwatch")

    @property
    def object_type(self) -> str:
        """The type it was asked about; empty for a recording of everything."""
        wanted = self.options.get("type")
        return wanted if isinstance(wanted, str) else ""


class RecordingPart(models.Model):
    """A part of a recording's result as it arrived, compressed."""

    recording = models.ForeignKey(Recording, models.CASCADE, related_name="pieces", verbose_name=_("recording"))
    number = models.PositiveIntegerField(_("number"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("part of a recording")
        verbose_name_plural = _("parts of recordings")
        ordering = ("recording", "number")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("recording", "number"), name="memwatch_recording_part_once"),)

    def __str__(self) -> str:
        return f"{self.recording_id}/{self.number}"
