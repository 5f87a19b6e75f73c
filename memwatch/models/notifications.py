"""Notifications of alerts and of recycled workers, and profiles of recordings: the outbox."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memwatch.models.findings import Alert


class Notification(models.Model):
    """A message to one channel. It is stored with what it is about, and repeated until it is delivered."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("given up")

    class Event(models.TextChoices):
        RAISED = "raised", _("raised")
        WORSE = "worse", _("got worse")
        CLEARED = "cleared", _("cleared")
        INFO = "info", _("information")

    key = models.UUIDField(
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text=_("Stays the same in every attempt, so receivers can drop duplicates."),
    )
    alert = models.ForeignKey(
        Alert, models.CASCADE, null=True, blank=True, related_name="notifications", verbose_name=_("alert")
    )
    recycle = models.ForeignKey(
        "memwatch.Recycle",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="notifications",
        verbose_name=_("recycle"),
        help_text=_("Set if the message is about a recycled worker instead of an alert."),
    )
    recording = models.ForeignKey(
        "memwatch.Recording",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="notifications",
        verbose_name=_("recording"),
        help_text=_("Set if it is the profile of this recording, for the server in PROFILES_URL."),
    )
    event = models.CharField(_("event"), max_length=7, choices=Event)
    channel = models.CharField(_("channel"), max_length=300)
    episode = models.CharField(
        max_length=500, editable=False, help_text=_("Messages of one episode are delivered in order.")
    )
    payload = models.JSONField(_("message"))
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("written"), default=timezone.now)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    again_at = models.DateTimeField(
        _("sent again"), null=True, blank=True, help_text=_("When a user last sent it again.")
    )

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-id",)
        permissions = (("send_again", _("Can send notifications again")),)
        constraints = (
            models.UniqueConstraint(fields=("alert", "event", "channel"), name="memwatch_told_once"),
            models.UniqueConstraint(fields=("recycle", "channel"), name="memwatch_recycle_told_once"),
            models.UniqueConstraint(fields=("recording", "channel"), name="memwatch_profile_pushed_once"),
        )
        indexes = (models.Index(fields=("id",), condition=Q(state="waiting"), name="memwatch_notification_waiting"),)

    def __str__(self) -> str:
        return f"{self.get_event_display()} to {self.channel}"

    @property
    def about(self) -> str:
        """The alert, the recycled worker or the recording in a sentence."""
        if self.alert is not None:
            return str(self.alert)
        return str(self.payload.get("message") or "") if isinstance(self.payload, dict) else ""
