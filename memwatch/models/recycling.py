"""When workers are recycled, and those that were."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.detection import recycling
from memwatch.detection.recycling import Rules
from memwatch.models.findings import Leak
from memwatch.models.fleet import Process, Release, Service


class RecyclingPolicy(models.Model):
    """When memwatch recycles workers of a service. Off until somebody switches it on."""

    class Mode(models.TextChoices):
        OFF = recycling.OFF, _("off")
        REHEARSE = recycling.REHEARSE, _("rehearse")
        ACT = recycling.ACT, _("act")

    class When(models.TextChoices):
        LIMIT = recycling.LIMIT, _("its private memory is over the soft limit")
        LEAK = recycling.LEAK, _("its leak is open")
        EITHER = recycling.EITHER, _("either of the two")
        BOTH = recycling.BOTH, _("both")

    class Supervisor(models.TextChoices):
        NONE = "", _("none, or not known")
        SYSTEMD = "systemd", _("systemd")
        KUBERNETES = "kubernetes", _("Kubernetes")
        COMPOSE = "compose", _("Docker Compose")
        OTHER = "other", _("another one")

    class Notify(models.TextChoices):
        NEVER = "never", _("never")
        RECYCLED = "recycled", _("when a worker was recycled")
        ALL = "all", _("also when one would have been, in a rehearsal")

    service = models.OneToOneField(Service, models.CASCADE, related_name="recycling_policy", verbose_name=_("service"))
    mode = models.CharField(
        _("mode"),
        max_length=8,
        choices=Mode,
        default=Mode.OFF,
        help_text=_("Rehearse: memwatch only lists which workers it would recycle. Rehearse before you act."),
    )
    when = models.CharField(_("a worker is due when"), max_length=6, choices=When, default=When.LIMIT)
    limit_mb = models.FloatField(
        _("soft limit in MB"),
        null=True,
        blank=True,
        validators=(MinValueValidator(1),),
        help_text=_("Limit of the worker's private memory, which it shares with no other process."),
    )
    limit_percent = models.FloatField(
        _("soft limit in percent"),
        null=True,
        blank=True,
        validators=(MinValueValidator(1), MaxValueValidator(100)),
        help_text=_("The same in percent of the process's memory limit. Give this or MB."),
    )
    checks = models.PositiveSmallIntegerField(
        _("checks in a row"),
        default=3,
        validators=(MinValueValidator(1), MaxValueValidator(1000)),
        help_text=_("How many checks in a row must find a worker due. A check is made every minute."),
    )
    minutes = models.FloatField(
        _("minutes between two"),
        default=15,
        validators=(MinValueValidator(0.1), MaxValueValidator(10_080)),
        help_text=_("Minimum time between two recycles of the service. Workers younger than this are left alone."),
    )
    drain_minutes = models.FloatField(
        _("drain time-out in minutes"),
        default=10,
        validators=(MinValueValidator(0.1), MaxValueValidator(1_440)),
        help_text=_("How long a worker may take to end. After that memwatch leaves it alone."),
    )
    supervisor = models.CharField(
        _("supervisor"),
        max_length=10,
        choices=Supervisor,
        blank=True,
        default=Supervisor.NONE,
        help_text=_(
            "What starts a whole worker again when it ends (Celery with threads, gevent or solo; django.tasks). "
            "Without one, such workers are left alone."
        ),
    )
    notify = models.CharField(
        _("notifications"),
        max_length=8,
        choices=Notify,
        default=Notify.RECYCLED,
        db_default=Notify.RECYCLED,
        help_text=_("One message for each worker, through the channels in ALERT_CHANNELS."),
    )
    rehearsed_at = models.DateTimeField(_("rehearsed"), null=True, blank=True, editable=False)
    stopped_at = models.DateTimeField(_("stopped itself"), null=True, blank=True, editable=False)
    stopped_reason = models.CharField(_("reason"), max_length=12, blank=True, default="", editable=False)
    stopped_why = models.CharField(_("why it stopped"), max_length=300, blank=True, default="", editable=False)
    release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, editable=False, related_name="+", verbose_name=_("release")
    )
    release_since = models.DateTimeField(_("release since"), null=True, blank=True, editable=False)
    over = models.JSONField(_("workers over"), default=dict, blank=True, editable=False)
    checked_at = models.DateTimeField(_("last check"), null=True, blank=True, editable=False)
    said = models.CharField(_("at the last check"), max_length=300, blank=True, default="", editable=False)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("changed by"),
    )

    class Meta:
        verbose_name = _("recycling policy")
        verbose_name_plural = _("recycling policies")
        ordering = ("service__name",)
        permissions = (("recycle_workers", _("Can have workers recycled, and stop it")),)

    def __str__(self) -> str:
        return f"{_('recycling of')} {self.service}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_recyclingpolicy_change", args=(self.pk,))

    @property
    def interval_s(self) -> float:
        return self.minutes * 60

    @property
    def rules(self) -> Rules:
        """What the decision goes by."""
        return Rules(
            mode=self.mode,
            when=self.when,
            limit_mb=self.limit_mb,
            limit_percent=self.limit_percent,
            checks=self.checks,
            interval_s=self.interval_s,
            stopped=self.stopped_why if self.stopped_at else "",
        )


class Recycle(models.Model):
    """A worker that was recycled, or would have been."""

    class State(models.TextChoices):
        REHEARSED = "rehearsed", _("rehearsed")
        EVIDENCE = "evidence", _("evidence is being recorded")
        ORDERED = "ordered", _("finishes its job")
        RECYCLED = "recycled", _("recycled")
        REFUSED = "refused", _("refused")
        LEFT = "left", _("left alone")
        CALLED_OFF = "called_off", _("called off")

    class Because(models.TextChoices):
        LIMIT = recycling.LIMIT, _("soft limit")
        LEAK = recycling.LEAK, _("leak")
        BOTH = recycling.BOTH, _("soft limit and leak")

    PENDING = (State.EVIDENCE, State.ORDERED)
    OVER = (State.RECYCLED, State.REFUSED, State.LEFT)
    """What happened to a worker that was meant."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="recycles", verbose_name=_("service"))
    process = models.ForeignKey(
        Process, models.SET_NULL, null=True, blank=True, related_name="recycles", verbose_name=_("process")
    )
    name = models.CharField(_("worker"), max_length=450, help_text=_("Slot and host of the process."))
    release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("release")
    )
    state = models.CharField(_("state"), max_length=10, choices=State)
    because = models.CharField(_("cause"), max_length=5, choices=Because)
    why = models.CharField(_("reason"), max_length=300)
    result = models.CharField(_("result"), max_length=300, blank=True, default="")
    at = models.DateTimeField(_("chosen"), default=timezone.now)
    ordered_at = models.DateTimeField(_("ordered"), null=True, blank=True)
    drain_minutes = models.FloatField(
        _("drain time-out in minutes"),
        null=True,
        blank=True,
        help_text=_("The policy's time-out when the order was sent."),
    )
    ended_at = models.DateTimeField(_("over"), null=True, blank=True)
    private_before_kib = models.BigIntegerField(_("private memory before"), null=True, blank=True)
    successor = models.ForeignKey(
        Process, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("successor")
    )
    gained_kib = models.BigIntegerField(_("gained"), null=True, blank=True)
    grew_back = models.BooleanField(
        _("grew back"),
        default=False,
        db_default=False,
        help_text=_("Whether the successor was due again within the interval."),
    )
    notified_at = models.DateTimeField(
        _("reported"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When its notification was due, whether or not one was sent."),
    )
    leak = models.ForeignKey(Leak, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("leak"))
    recording = models.ForeignKey(
        "memwatch.Recording", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("evidence")
    )
    command = models.ForeignKey(
        "memwatch.Command", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("command")
    )

    class Meta:
        verbose_name = _("recycle")
        verbose_name_plural = _("recycles")
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("service",), condition=Q(state__in=("evidence", "ordered")), name="memwatch_recycle_alone"
            ),
        )
        indexes = (models.Index(fields=("service", "-at"), name="memwatch_recycle_latest"),)

    def __str__(self) -> str:
        return f"{self.name}, {self.at:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_recycle_change", args=(self.pk,))

    @property
    def is_pending(self) -> bool:
        return self.state in self.PENDING
