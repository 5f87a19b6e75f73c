"""Messages of alerts and recycled workers, to one channel each."""

from __future__ import annotations

from rest_framework import serializers

from memwatch.api.serializers.figures import Time
from memwatch.models import Notification


class NotificationSerializer(serializers.Serializer[Notification]):
    """A notification of an alert or a recycled worker: its channel and delivery status."""

    id = serializers.IntegerField()
    key = serializers.UUIDField(help_text="Id in the message, the same in every attempt")
    alert = serializers.IntegerField(
        source="alert_id", allow_null=True, help_text="Id of the alert; null if it is about a recycled worker"
    )
    recycle = serializers.IntegerField(
        source="recycle_id", allow_null=True, help_text="Id of the recycle; null if it is about an alert"
    )
    recording = serializers.IntegerField(
        source="recording_id", allow_null=True, help_text="Id of the recording whose profile is pushed, else null"
    )
    event = serializers.ChoiceField(choices=Notification.Event.choices)
    channel = serializers.CharField(help_text="Name of the channel, without secrets")
    state = serializers.ChoiceField(choices=Notification.State.choices)
    attempts = serializers.IntegerField()
    error = serializers.CharField(help_text="Error of the last failed attempt")
    created_at = Time(help_text="When it was created")
    next_attempt_at = serializers.SerializerMethodField(help_text="Null unless the message waits")
    sent_at = Time(allow_null=True)
    again_at = Time(allow_null=True, help_text="When a user last sent it again")
    message = serializers.DictField(source="payload", help_text="The message as sent, see docs/notifications.md")

    def get_next_attempt_at(self, row: Notification) -> str | None:
        """When the next attempt is due; null unless waiting."""
        waits = row.state == Notification.State.WAITING
        return Time().to_representation(row.next_attempt_at) if waits else None
