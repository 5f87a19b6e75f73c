"""What is watched: services, releases, processes, and the interned type names."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.detection import deaths


class Service(models.Model):
    """A group of processes that run the same thing."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    created_at = models.DateTimeField(_("first seen"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ("name",)
        permissions = (("reset_baseline", _("Can reset baselines")),)

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """A version of a service's code, as its processes named it."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="releases", verbose_name=_("service"))
    name = models.CharField(_("release"), max_length=200)
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    compared_with = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("compared with"),
        help_text=_("The previous release, if the processes of both were compared."),
    )
    compared_at = models.DateTimeField(_("compared"), null=True, blank=True, editable=False)
    changes = models.JSONField(
        _("changes"),
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        editable=False,
        help_text=_("The verdict on each figure, by the figure's name, and a sentence that sums them up."),
    )
    changed_at = models.DateTimeField(
        _("changed"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When memwatch first found that its processes take more memory than those before."),
    )

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        ordering = ("-first_seen_at",)
        constraints = (models.UniqueConstraint(fields=("service", "name"), name="memwatch_release_unique"),)

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


class ProcessQuerySet(models.QuerySet["Process"]):
    """Processes by what they are doing."""

    def alive(self) -> ProcessQuerySet:
        return self.filter(ended_at__isnull=True)

    def ended(self) -> ProcessQuerySet:
        return self.filter(ended_at__isnull=False)


class Process(models.Model):
    """One run of one operating-system process."""

    class End(models.TextChoices):
        GOODBYE = "goodbye", _("said goodbye")
        STALE = "stale", _("lease ran out")
        REPLACED = "replaced", _("its pid was taken by another process")
        OOM_PROCESS = deaths.OOM_PROCESS, _("out of memory, killed by the kernel")
        OOM_CONTAINER = deaths.OOM_CONTAINER, _("out of memory, killed by the kernel with its container")
        SIGKILL = deaths.SIGKILL, _("killed with SIGKILL")
        CRASH = deaths.CRASH, _("crashed")
        RECYCLED = deaths.RECYCLED, _("recycled")
        RECYCLED_BY_MEMWATCH = deaths.RECYCLED_BY_MEMWATCH, _("recycled by memwatch")
        TIME_LIMIT = deaths.TIME_LIMIT, _("killed at a time limit")
        STOPPED = deaths.STOPPED, _("stopped")
        HOST_GONE = deaths.HOST_GONE, _("vanished with its host")
        UNKNOWN = deaths.UNKNOWN, _("vanished, cause unknown")

    SILENT_ENDS = (End.STALE, End.UNKNOWN, End.HOST_GONE)
    """It fell silent, and nothing proves that it ended: a report that comes later revives it."""
    DEATHS = (*deaths.KILLED, *SILENT_ENDS)
    """Ends that were not meant. The others are restarts."""

    key = models.CharField(_("identity"), max_length=450, unique=True, editable=False)
    service = models.ForeignKey(Service, models.CASCADE, related_name="processes", verbose_name=_("service"))
    release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="processes", verbose_name=_("release")
    )
    host = models.CharField(_("host"), max_length=300)
    pid = models.PositiveBigIntegerField(_("pid"))
    slot_number = models.PositiveIntegerField(_("slot number"))
    program = models.CharField(_("program"), max_length=300, blank=True)
    command_line = models.CharField(_("command line"), max_length=300, blank=True)
    parent_pid = models.PositiveBigIntegerField(_("parent pid"), null=True, blank=True)
    python = models.CharField(_("Python"), max_length=300, blank=True)
    agent_version = models.CharField(_("agent"), max_length=300, blank=True)
    extension_modules = models.JSONField(_("extension modules"), default=list, blank=True)
    census_method = models.CharField(
        _("how objects are counted"),
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text=_("The native walk, or the fallback and the reason for it. Empty if the agent does not report it."),
    )
    cpu_budget_percent = models.FloatField(
        _("CPU budget"), null=True, blank=True, help_text=_("Share of one CPU for looking at the heap, in percent.")
    )
    start_method = models.CharField(
        _("start method"),
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=_("fork, forkserver or spawn. Empty for a program that was started on its own."),
    )
    frozen_objects = models.PositiveBigIntegerField(
        _("frozen objects"), null=True, blank=True, help_text=_("Objects that gc.freeze() set apart before the fork.")
    )
    allocator_settings = models.JSONField(
        _("allocator settings"),
        null=True,
        blank=True,
        help_text=_("Environment variables that the allocators read. Null if the agent does not report them."),
    )
    outside = models.BooleanField(
        _("seen from outside"), default=False, help_text=_("It has no agent; its oldest child process reports its RSS.")
    )
    started_at = models.DateTimeField(_("started"))
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    lease_expires_at = models.DateTimeField(_("lease until"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(_("how it ended"), max_length=20, choices=End, blank=True)
    end_evidence = models.JSONField(
        _("evidence of its end"),
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        editable=False,
        help_text=_("What the process was doing at its end, and its memory. Empty if that is not known."),
    )
    end_noted_at = models.DateTimeField(
        null=True, editable=False, help_text=_("When memwatch last learned about its end, by the server's clock.")
    )
    oom_kills = models.BigIntegerField(
        _("processes killed for memory"),
        null=True,
        blank=True,
        help_text=_("Processes in its container that the kernel had killed by its last report."),
    )
    oom_group_kills = models.BigIntegerField(
        _("containers killed for memory"), null=True, blank=True, help_text=_("Kills of the whole container at once.")
    )
    last_snapshot = models.ForeignKey(
        "memwatch.Snapshot",
        models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("last snapshot"),
    )
    last_seq = models.BigIntegerField(default=-1, editable=False, help_text=_("The highest sequence number stored."))
    dropped_snapshots = models.PositiveBigIntegerField(_("dropped snapshots"), default=0)
    sampling_failures = models.PositiveBigIntegerField(_("sampling failures"), default=0)
    refused_commands = models.PositiveBigIntegerField(_("refused commands"), default=0)
    growing_since = models.DateTimeField(
        _("grows since"), null=True, blank=True, help_text=_("When its resident memory began to grow steadily.")
    )
    growth_kib_per_hour = models.BigIntegerField(_("growth in KB an hour"), null=True, blank=True)
    census_interval_s = models.FloatField(
        _("census interval"), null=True, blank=True, help_text=_("Mean seconds between two counts of its objects.")
    )
    census_cpu_ms = models.FloatField(
        _("CPU of a census"), null=True, blank=True, help_text=_("Highest CPU cost of a census in the last hour.")
    )
    leaks_known = models.BooleanField(
        _("leaks known"),
        default=False,
        db_default=False,
        help_text=_("Whether its objects were counted often enough to say if it leaks."),
    )

    surroundings = models.JSONField(
        _("container"),
        null=True,
        blank=True,
        help_text=_("What uses the memory of its container. Empty if this process does not report it."),
    )
    server_settings = models.JSONField(
        _("server's settings"),
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text=_("How its server runs and recycles processes, as far as the server tells."),
    )
    resource = models.JSONField(
        _("OpenTelemetry resource"),
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text=_("Attributes from OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, its container and its pod."),
    )

    installation = models.ForeignKey(
        "memwatch.Installation",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="processes",
        verbose_name=_("installed distributions"),
    )

    objects = ProcessQuerySet.as_manager()

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        ordering = ("service__name", "host", "slot_number", "-id")
        permissions = (
            ("take_snapshot", _("Can ask processes for snapshots")),
            ("see_command_key", _("Can see the keys that sign commands to processes")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("service", "host", "slot_number"),
                condition=Q(ended_at__isnull=True),
                name="memwatch_slot_unique_alive",
            ),
        )
        indexes = (
            models.Index(fields=("lease_expires_at",), name="memwatch_process_lease", condition=Q(ended_at=None)),
            models.Index(fields=("host", "pid"), name="memwatch_process_host_pid"),
            models.Index(fields=("service", "host", "slot_number", "started_at"), name="memwatch_process_slot"),
            models.Index(fields=("ended_at",), name="memwatch_process_ended"),
            models.Index(fields=("end_reason", "ended_at"), name="memwatch_process_end_reason"),
            models.Index(
                fields=("end_noted_at",), name="memwatch_process_end_noted", condition=Q(end_noted_at__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"{self.slot} on {self.host}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_process_change", args=(self.pk,))

    @property
    def slot(self) -> str:
        """The stable small name, e.g. ``web-1``."""
        return f"{self.service.name}-{self.slot_number}"

    @property
    def is_alive(self) -> bool:
        return self.ended_at is None

    @property
    def state(self) -> str:
        """``alive``, ``ended`` or ``stale``."""
        if self.ended_at is None:
            return "alive"
        return "stale" if self.end_reason in self.SILENT_ENDS else "ended"


class ObjectType(models.Model):
    """A type name. Snapshots store counts by its id."""

    name = models.CharField(_("type"), max_length=300, unique=True)

    class Meta:
        verbose_name = _("object type")
        verbose_name_plural = _("object types")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
