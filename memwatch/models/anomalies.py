"""What was unusual, what detection remembers of it, and when memory will be exhausted."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.models.fleet import Process, Release, Service


class AnomalyQuerySet(models.QuerySet["Anomaly"]):
    def unfinished(self) -> AnomalyQuerySet:
        """Those that go on, dismissed or not."""
        return self.filter(ended_at__isnull=True)


class Anomaly(models.Model):
    """Something unusual: a hint, not an alert."""

    class Kind(models.TextChoices):
        SIBLINGS = "siblings", _("unlike its siblings")
        WEEK = "week", _("unlike its own week")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ENDED = "ended", _("ended")
        DISMISSED = "dismissed", _("dismissed")

    service = models.ForeignKey(Service, models.CASCADE, related_name="anomalies", verbose_name=_("service"))
    process = models.ForeignKey(
        Process,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="anomalies",
        verbose_name=_("process"),
        help_text=_("Empty if the whole service is unusual."),
    )
    sibling = models.ForeignKey(
        Process,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("usual sibling"),
        help_text=_("A process of the same service, release and age that behaves as usual."),
    )
    release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("release")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.OPEN)
    score = models.FloatField(_("score"), help_text=_("How unusual it is, 0 to 100. An anomaly begins at 25."))
    figures = models.JSONField(
        _("figures"),
        help_text=_("The unusual figures by name: the value, the usual value, and how far the value is beyond it."),
    )
    says = models.TextField(_("description"))
    changes = models.JSONField(
        _("changes at the time"),
        default=list,
        blank=True,
        help_text=_("Releases, restarts, settings and load that changed when it began."),
    )
    since = models.DateTimeField(_("since"))
    detected_at = models.DateTimeField(_("detected"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    dismissed_at = models.DateTimeField(_("dismissed at"), null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    comment = models.CharField(_("comment"), max_length=300, blank=True)

    objects = AnomalyQuerySet.as_manager()

    class Meta:
        verbose_name = _("anomaly")
        verbose_name_plural = _("anomalies")
        ordering = ("-detected_at", "-id")
        permissions = (("dismiss_anomaly", _("Can dismiss anomalies")),)
        constraints = (
            models.UniqueConstraint(
                fields=("process", "kind"), condition=Q(ended_at=None), name="memwatch_anomaly_of_process_once"
            ),
            models.UniqueConstraint(
                fields=("service", "kind"),
                condition=Q(ended_at=None, process=None),
                name="memwatch_anomaly_of_service_once",
            ),
        )
        indexes = (models.Index(fields=("state", "detected_at"), name="memwatch_anomaly_state"),)

    def __str__(self) -> str:
        return f"{self.process or self.service} {self.get_kind_display()}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_anomaly_change", args=(self.pk,))


class AnomalyMemory(models.Model):
    """What is remembered from pass to pass of a process or a service that has not been as usual; no row: nothing."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="+", verbose_name=_("service"))
    process = models.OneToOneField(
        Process, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("process")
    )
    memory = models.JSONField(_("memory"))

    class Meta:
        verbose_name = _("memory of an anomaly")
        verbose_name_plural = _("memories of anomalies")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("service",), condition=Q(process=None), name="memwatch_anomaly_memory_of_service"
            ),
        )

    def __str__(self) -> str:
        return str(self.process or self.service)


class ServiceHour(models.Model):
    """An hour of a service: the median of its settled workers, and how far it is from the same hour before."""

    service = models.ForeignKey(
        Service, models.CASCADE, related_name="hours", verbose_name=_("service"), db_index=False
    )
    start = models.DateTimeField(_("from"))
    age_s = models.FloatField(_("age in seconds"), help_text=_("The median age of the service's workers."))
    fresh = models.BooleanField(_("fresh"), default=False, help_text=_("Whether the workers were younger than usual."))
    jobs = models.FloatField(_("jobs"), null=True, blank=True, help_text=_("Jobs of one worker: the median."))
    values = models.JSONField(_("figures"))
    differences = models.JSONField(
        _("differences"), help_text=_("How the figures differ from those of the same hour in earlier weeks.")
    )

    class Meta:
        verbose_name = _("hour of a service")
        verbose_name_plural = _("hours of services")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("service", "start"), name="memwatch_service_hour_once"),)
        indexes = (models.Index(fields=("start",), name="memwatch_service_hour_start"),)

    def __str__(self) -> str:
        return f"{self.service} {self.start:%Y-%m-%d %H:%M}"


class Forecast(models.Model):
    """When the memory of a process, a container or a host will be exhausted, if it goes on as it did."""

    class Kind(models.TextChoices):
        PROCESS = "process", _("process")
        CONTAINER = "container", _("container")
        HOST = "host", _("host")

    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
    subject = models.CharField(
        _("subject"),
        max_length=450,
        editable=False,
        help_text=_("Identifies the process, container or host, so that each has one forecast."),
    )
    host = models.CharField(_("host"), max_length=300)
    process = models.ForeignKey(
        Process,
        models.CASCADE,
        related_name="forecasts",
        verbose_name=_("process"),
        help_text=_("The process itself; for a container, the one that reports it; for a host, its largest."),
    )
    used_kib = models.BigIntegerField(_("used"))
    limit_kib = models.BigIntegerField(_("limit"))
    earliest = models.DateTimeField(_("earliest"))
    likely = models.DateTimeField(_("most likely"))
    latest = models.DateTimeField(
        _("latest"),
        null=True,
        blank=True,
        help_text=_("Late end of the likely time. Empty if memory may never run out."),
    )
    made_at = models.DateTimeField(_("forecast made"), default=timezone.now)

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        ordering = ("likely", "pk")
        constraints = (models.UniqueConstraint(fields=("kind", "subject"), name="memwatch_forecast_once"),)

    def __str__(self) -> str:
        return str(self.process) if self.kind == self.Kind.PROCESS else f"{self.get_kind_display()} {self.host}"

    def get_absolute_url(self) -> str:
        return reverse("admin:memwatch_forecast_change", args=(self.pk,))
