"""Notifications: the list, the page of one, and sending one again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from memwatch.admin import columns, formats, panels
from memwatch.admin.actions import Act, one_by_one
from memwatch.admin.base import BoundedPaginator, ReadOnlyAdmin
from memwatch.admin.panels import Table
from memwatch.models import Alert, Notification
from memwatch.queries.alerts import notifications_of
from memwatch.services import notifications

SHAPES = {"waiting": "◌", "sent": "✓", "failed": "✗"}

SEND_AGAIN = Act(
    name="send-again",
    label=gettext_lazy("Send again"),
    permission="send_again",
    run=one_by_one(notifications.send_again),
    done=ngettext_lazy("Sending %d notification again.", "Sending %d notifications again."),
    state=lambda row: str(row.get_state_display()),
    becomes=gettext_lazy("sent again within seconds; retried for a day"),
    consequence=gettext_lazy(
        "memwatch sends the stored message to the same channel with the same id, so receivers can drop duplicates. "
        "The message describes the state at the time of the alert."
    ),
)


def _state(notification: Notification) -> SafeString:
    return formats.badge("state", notification.state, notification.get_state_display(), SHAPES[notification.state])


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("about_shown", "event", "channel", "state_shown", "attempts", "error", "written", "arrived")
    list_filter = ("state", "event", "channel")
    list_select_related = ("alert",)
    search_fields = ("channel", "error", "alert__message", "recycle__name")
    search_help_text = gettext_lazy("Channel, error, words of the alert, or recycled worker")
    about = gettext_lazy(
        "Notifications of alerts and recycled workers, and pushed profiles, by channel and delivery status."
    )
    empty = gettext_lazy(
        "No notification yet. Set ALERT_CHANNELS to receive notifications; “manage.py memwatch_notify” sends a test "
        "message to each channel."
    )
    acts = (SEND_AGAIN,)
    change_form_template = "admin/memwatch/notification/form.html"
    paginator = BoundedPaginator
    fields = (
        "alert", "recycle", "recording", "event", "channel", "state_shown", "attempts", "error", "created_at",
        "next_attempt_at", "sent_at", "again_at", "key", "payload_shown",
    )  # fmt: skip
    readonly_fields = ("state_shown", "payload_shown", "key")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        context = {"buttons": self.buttons(request, row) if row is not None else [], **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    about_shown = columns.text(gettext_lazy("message"), lambda row: row.about, "alert")
    state_shown = columns.text(gettext_lazy("state"), _state, "state")
    written = columns.when(gettext_lazy("created"), "created_at")
    arrived = columns.when(gettext_lazy("delivered"), "sent_at")
    payload_shown = columns.text(
        gettext_lazy("message"), lambda row: formats.preformatted(panels.raw_json(row.payload))
    )


def notifications_table(alert: Alert) -> Table:
    """The notifications of this alert, for its page."""
    return Table(
        title=_("Notifications"),
        names=[_("Channel"), _("Event"), _("State"), _("Result")],
        cells=[
            [formats.link_to(row, row.channel), row.get_event_display(), _state(row), _what_became(row)]
            for row in notifications_of(alert)
        ],
        empty=_("None. Either ALERT_CHANNELS is empty, or this alert continues an earlier one."),
    )


def _what_became(notification: Notification) -> SafeString | str:
    if notification.state == Notification.State.SENT:
        return formats.when(notification.sent_at)
    if notification.state == Notification.State.FAILED or not notification.attempts:
        return notification.error
    return format_html(
        _("{} (attempt {}); next attempt {}"),
        notification.error, notification.attempts, formats.when(notification.next_attempt_at),
    )  # fmt: skip
