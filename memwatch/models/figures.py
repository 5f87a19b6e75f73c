"""The figures of processes over time: snapshots, their roll-ups, baselines."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.models.brin import BlockRangeIndex
from memwatch.models.fleet import Process, Service
from memwatch.models.packed_fields import PackedCounts, PackedExtras, PackedInts
from memwatch.records import FIGURES


class FiguresColumns(models.Model):
    """The figures of :class:`memwatch.records.MemorySnapshot` as columns: sizes in KiB, times in microseconds.

    There is a row for every minute of every process, so it is kept small: what was not measured is null, which takes
    no room, and so is tracemalloc's 0 while tracing is off; what is many numbers is packed.
    """

    # Those that are read as attributes; the columns of numbers are added below.
    heap_limit_kib: int | None
    heap_used_kib: int | None
    heap_committed_kib: int | None
    rss_kib: int | None
    total_objects: int | None
    census_pause_us: int | None

    heap_limit_source = models.CharField(max_length=10, blank=True)
    gc_count = PackedInts(null=True, blank=True)
    gc_threshold = PackedInts(null=True, blank=True)
    counts = PackedCounts(
        null=True, blank=True, help_text=_("Number of objects by ObjectType id; null if no census was taken.")
    )
    extras = PackedExtras(
        null=True, blank=True, help_text=_("Big containers and sampled sizes, if the census looked at them.")
    )

    class Meta:
        abstract = True


for _figure in FIGURES.values():
    if _figure.column:
        _number = models.IntegerField if _figure.small else models.BigIntegerField
        FiguresColumns.add_to_class(_figure.column, _number(null=True, blank=True))


class Snapshot(FiguresColumns):
    """The figures of one process at one time. Rows are written once and never changed."""

    process = models.ForeignKey(
        Process, models.CASCADE, related_name="snapshots", verbose_name=_("process"), db_index=False
    )
    seq = models.BigIntegerField(_("sequence number"))
    timestamp = models.DateTimeField(_("taken"), help_text=_("Time of the snapshot, by the process's clock."))
    received_at = models.DateTimeField(
        _("received"), default=timezone.now, help_text=_("Time of arrival, by the server's clock.")
    )
    work = PackedCounts(
        null=True, blank=True, help_text=_("Calls since the previous snapshot, by WorkName id; null if none ended.")
    )

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("process", "seq"), name="memwatch_snapshot_once"),)
        indexes = (
            # Rising, like the rows arrive: PostgreSQL then fills its pages, and reads it backwards as fast.
            models.Index(fields=("process", "timestamp"), name="memwatch_snapshot_latest"),
            BlockRangeIndex(fields=("timestamp",), name="memwatch_snapshot_brin"),
        )

    def __str__(self) -> str:
        return f"snapshot {self.seq} of process {self.process_id}"


class SnapshotRollup(models.Model):
    """An hour or a day of one process's snapshots, kept when the snapshots are gone."""

    class Period(models.TextChoices):
        HOUR = "hour", _("hour")
        DAY = "day", _("day")

    process = models.ForeignKey(
        Process, models.CASCADE, related_name="rollups", verbose_name=_("process"), db_index=False
    )
    period = models.CharField(_("period"), max_length=4, choices=Period)
    start = models.DateTimeField(_("from"))
    samples = models.PositiveIntegerField(_("snapshots"))
    figures = models.JSONField(
        _("figures"), help_text=_("[minimum, mean, maximum] of each figure, by the figure's column name.")
    )
    floors = models.JSONField(_("floors"), help_text=_("Lowest count of each reported type, by ObjectType id."))

    class Meta:
        verbose_name = _("roll-up")
        verbose_name_plural = _("roll-ups")
        ordering = ("-start",)
        constraints = (models.UniqueConstraint(fields=("process", "period", "start"), name="memwatch_rollup_once"),)
        indexes = (models.Index(fields=("period", "start"), name="memwatch_rollup_start"),)

    def __str__(self) -> str:
        return f"{self.period} {self.start:%Y-%m-%d %H:%M} of process {self.process_id}"


class Baseline(FiguresColumns):
    """The figures that a process or a service is compared with. Only the active one applies; old ones are kept."""

    service = models.ForeignKey(
        Service,
        models.CASCADE,
        related_name="baselines",
        verbose_name=_("service"),
        help_text=_("The service of the process, or the service that the baseline is for."),
    )
    process = models.ForeignKey(
        Process,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="baselines",
        verbose_name=_("process"),
        help_text=_("Empty for a baseline of the whole service."),
    )
    timestamp = models.DateTimeField(_("figures of"))
    created_at = models.DateTimeField(_("set"), default=timezone.now)
    active = models.BooleanField(_("active"), default=True)
    automatic = models.BooleanField(_("automatic"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("set by")
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    idempotency_key = models.CharField(max_length=100, null=True, blank=True, editable=False)  # noqa: DJ001

    class Meta:
        verbose_name = _("baseline")
        verbose_name_plural = _("baselines")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("process",), condition=models.Q(active=True), name="memwatch_baseline_one_active_process"
            ),
            models.UniqueConstraint(
                fields=("service",),
                condition=models.Q(active=True, process=None),
                name="memwatch_baseline_one_active_service",
            ),
            models.UniqueConstraint(fields=("idempotency_key",), name="memwatch_baseline_idempotent"),
        )

    def __str__(self) -> str:
        return f"baseline of {self.process or self.service} at {self.timestamp:%Y-%m-%d %H:%M}"
