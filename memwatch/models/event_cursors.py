"""How far events have been sent elsewhere, and how far steps of the timetable have come."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventCursor(models.Model):
    """How far the events of one kind have been sent, or a step has read: a restart goes on there."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    began_at = models.DateTimeField(_("since"), help_text=_("Earlier events are not sent."))
    at = models.DateTimeField(_("until"), help_text=_("Events up to this time were sent."))
    sent = models.JSONField(
        _("sent"),
        default=list,
        help_text=_(
            "Ids and times of the latest sent events, so that an event stored late is also sent, and only once."
        ),
    )

    class Meta:
        verbose_name = _("event cursor")
        verbose_name_plural = _("event cursors")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} until {self.at:%Y-%m-%d %H:%M}"
