"""Which view, task or command did it: jobs summed up by name."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from memwatch.models.figures import SnapshotRollup
from memwatch.models.fleet import Process, Service
from memwatch.records.traces import LENGTH
from memwatch.records.work import MAX_NAME


class WorkName(models.Model):
    """The name of a view, a task or a command. Rows are never changed."""

    class Kind(models.TextChoices):
        VIEW = "view", _("view")
        TASK = "task", _("task")
        COMMAND = "command", _("command")

    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    name = models.CharField(_("name"), max_length=MAX_NAME)

    class Meta:
        verbose_name = _("name of work")
        verbose_name_plural = _("names of work")
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("kind", "name"), name="memwatch_work_name_once"),)

    def __str__(self) -> str:
        return self.name


class WorkRollup(models.Model):
    """An hour or a day of one view, task or command of a service: what its calls took and kept."""

    Period = SnapshotRollup.Period

    service = models.ForeignKey(Service, models.CASCADE, related_name="work", verbose_name=_("service"), db_index=False)
    work = models.ForeignKey(WorkName, models.CASCADE, related_name="rollups", verbose_name=_("name"))
    period = models.CharField(_("period"), max_length=4, choices=SnapshotRollup.Period)
    start = models.DateTimeField(_("from"))
    calls = models.BigIntegerField(_("calls"), default=0)
    errors = models.BigIntegerField(_("errors"), default=0)
    shared = models.BigIntegerField(
        _("shared"), default=0, help_text=_("Calls that ran at the same time as another job of their process.")
    )
    seconds = models.FloatField(_("seconds"), default=0)
    seconds_max = models.FloatField(_("longest"), default=0)
    seconds_counts = models.JSONField(
        _("times"), default=dict, help_text=_("Histogram of the duration in microseconds.")
    )
    blocks_calls = models.BigIntegerField(_("calls with blocks"), default=0)
    blocks = models.BigIntegerField(_("blocks kept"), default=0)
    blocks_squares = models.FloatField(_("squares of blocks kept"), default=0)
    blocks_max = models.BigIntegerField(_("most blocks kept"), default=0)
    rss_calls = models.BigIntegerField(_("calls with resident memory"), default=0)
    rss_kib = models.BigIntegerField(_("KB kept"), default=0)
    rss_kib_max = models.BigIntegerField(_("most KB kept"), default=0)
    peak_calls = models.BigIntegerField(_("calls with a peak"), default=0)
    peak_kib_max = models.BigIntegerField(
        _("highest peak"), default=0, help_text=_("How far resident memory rose above the start of the call, in KB.")
    )
    peak_counts = models.JSONField(_("peaks"), default=dict, help_text=_("Histogram of the peaks in KB."))
    peak_rss_kib = models.BigIntegerField(_("highest resident memory in KB"), default=0)
    peak_process = models.ForeignKey(
        Process,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("process"),
        help_text=_("The process with the highest peak."),
    )
    peak_trace = models.CharField(
        _("trace"),
        max_length=LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text=_("Trace of the call with the highest peak."),
    )
    top_process = models.ForeignKey(
        Process,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("largest process"),
        help_text=_("The process whose resident memory was highest during a call."),
    )

    class Meta:
        verbose_name = _("work")
        verbose_name_plural = _("work")
        ordering = ("-start",)
        constraints = (
            models.UniqueConstraint(fields=("service", "work", "period", "start"), name="memwatch_work_once"),
        )
        indexes = (models.Index(fields=("period", "start"), name="memwatch_work_start"),)

    def __str__(self) -> str:
        return f"{self.work} in {self.service}, {self.period} {self.start:%Y-%m-%d %H:%M}"


class WorkTotal(models.Model):
    """What the calls of one view, task or command of a service add up to. It must not fall when roll-ups are pruned."""

    service = models.ForeignKey(
        Service, models.CASCADE, related_name="work_totals", verbose_name=_("service"), db_index=False
    )
    work = models.ForeignKey(WorkName, models.CASCADE, related_name="totals", verbose_name=_("name"))
    calls = models.BigIntegerField(_("calls"), default=0)
    kept_kib = models.BigIntegerField(
        _("KB kept"), default=0, help_text=_("The highest net growth of each hour, added up over the hours.")
    )
    hour = models.DateTimeField(_("hour"))
    hour_kib = models.FloatField(
        _("KB kept in the hour"), default=0, help_text=_("Below 0 if calls freed more than they kept.")
    )
    hour_top_kib = models.BigIntegerField(_("most KB kept in the hour"), default=0)

    class Meta:
        verbose_name = _("total of work")
        verbose_name_plural = _("totals of work")
        ordering = ("service", "work")
        constraints = (models.UniqueConstraint(fields=("service", "work"), name="memwatch_work_total_once"),)

    def __str__(self) -> str:
        return f"{self.work} in {self.service}"
