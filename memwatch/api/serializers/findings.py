"""Leaks with their history, and alerts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from memwatch.api.filters import ALERT_STATES
from memwatch.api.serializers.figures import Time
from memwatch.api.serializers.work import CulpritSerializer, culprits_of
from memwatch.detection.confidence.track_record import LAST, OUTCOMES
from memwatch.known_causes.releases import Match
from memwatch.models import Alert, Leak, LeakEvent, Severity
from memwatch.queries.diagnosis.known_leaks import of_leaks
from memwatch.services.recordings.leak_heaps import LeakHeap


class LeakSerializer(serializers.Serializer[Leak]):
    """Memory that grows and is not given back."""

    id = serializers.IntegerField()
    service = serializers.CharField(source="service.name")
    process = serializers.IntegerField(
        source="process_id", allow_null=True, help_text="Null if the whole service leaks"
    )
    host = serializers.CharField(source="process.host", allow_null=True)
    slot = serializers.CharField(source="process.slot", allow_null=True)
    state = serializers.CharField(help_text=", ".join(Leak.State.values))
    kind = serializers.ChoiceField(choices=Leak.Kind.choices)
    object_type = serializers.CharField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    confidence = serializers.ChoiceField(choices=Leak.Confidence.choices)
    probability = serializers.FloatField(
        allow_null=True,
        help_text="Probability that it is a leak, 0 to 1: the share of verdicts at this level that are leaks",
    )
    initial_count = serializers.IntegerField(help_text="Number of objects or blocks (untracked), or KB (native)")
    current_count = serializers.IntegerField()
    growth_count = serializers.IntegerField()
    growth_percent = serializers.FloatField()
    growth_per_hour = serializers.FloatField(allow_null=True)
    time_to_exhaustion_s = serializers.FloatField(
        allow_null=True, help_text="Seconds until memory runs out, as of last_seen_at"
    )
    exhausted_at = Time(
        allow_null=True,
        help_text="When memory runs out at this rate; null if the leak is over or memory does not run out",
    )
    verdict = serializers.CharField(help_text="What leaks, in one sentence")
    evidence = serializers.DictField(help_text="Every statistic, what each rule found, and the rule that decided")
    work = serializers.SerializerMethodField(help_text="The views, tasks and commands that explain its growth")
    started_at = Time(allow_null=True, help_text="When the growth began")
    detection_time = Time(source="detected_at")
    last_seen_at = Time(help_text="When memwatch last judged it to be a leak")
    resolved_at = Time(allow_null=True)
    snoozed_until = Time(allow_null=True)
    expected_growth = serializers.IntegerField(
        source="expected_growth_id", allow_null=True, help_text="Id of the expected growth that suppresses it"
    )

    @extend_schema_field(CulpritSerializer(many=True))
    def get_work(self, leak: Leak) -> list[dict[str, Any]]:
        """As its evidence has it; none where nothing explains it."""
        return culprits_of(leak.evidence)


class LevelSerializer(serializers.Serializer[Any]):
    """What became of the leaks that were found at one level of probability."""

    least = serializers.FloatField(allow_null=True, help_text="Null for leaks without a probability")
    below = serializers.FloatField()
    found = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    dismissed = serializers.IntegerField()
    share = serializers.FloatField(
        allow_null=True, help_text="Share of decided leaks that were confirmed, 0 to 1; null if none was decided"
    )


class FindingSerializer(serializers.Serializer[Any]):
    """One type that leaked in one service, in however many processes."""

    service = serializers.CharField()
    what = serializers.CharField(help_text="The type, or the kind of memory")
    leak = serializers.IntegerField(help_text="Id of its newest leak")
    detected_at = Time()
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    probability = serializers.FloatField(allow_null=True)


class TrackRecordSerializer(serializers.Serializer[Any]):
    """What people made of the leaks that were found."""

    sentence = serializers.CharField()
    found = serializers.IntegerField(help_text=f"The last {LAST} at most; the next four are of these")
    confirmed = serializers.IntegerField(help_text="Leaks that a person acknowledged, resolved or reopened")
    dismissed = serializers.IntegerField(help_text="Leaks that a person suppressed as expected growth")
    over = serializers.IntegerField(help_text="Leaks that ended without a decision")
    open = serializers.IntegerField(help_text="Open leaks without a decision")
    levels = LevelSerializer(many=True, help_text="All findings by probability, the highest first")
    findings = FindingSerializer(many=True, help_text="The newest first")


class LeakEventSerializer(serializers.Serializer[LeakEvent]):
    """One entry of a leak's history."""

    at = Time()
    kind = serializers.CharField(help_text=", ".join(LeakEvent.Kind.values))
    by = serializers.CharField(allow_null=True, help_text="User name; null for memwatch itself")
    comment = serializers.CharField()


class HeapHolderSerializer(serializers.Serializer[Any]):
    """What keeps some of the objects alive."""

    holder = serializers.CharField(help_text="The nearest place in the program's code, or else in a library's")
    file = serializers.CharField(source="holder_file", help_text="Empty if it is not known")
    line = serializers.IntegerField(source="holder_line", help_text="0 if it is not known")
    own = serializers.BooleanField(help_text="Whether the holder belongs to the program's own code")
    shape = serializers.CharField(help_text="The path from a root, equal in another dump of the same program")
    count = serializers.IntegerField(help_text="Objects")
    retained = serializers.IntegerField(help_text="Bytes that would be free without single ones of them")


class LeakHeapSerializer(serializers.Serializer[LeakHeap]):
    """What a heap dump says of the leak. Sizes are in bytes."""

    recording = serializers.IntegerField(source="recording.pk", help_text="Id of the heap dump")
    process = serializers.IntegerField(source="recording.process_id", help_text="The leak's process, or a sibling")
    at = Time(source="recording.finished_at", allow_null=True)
    type = serializers.CharField()
    count = serializers.IntegerField(help_text="Objects")
    size = serializers.IntegerField(help_text="Size of the objects alone")
    freed = serializers.IntegerField(
        help_text="What would be free without the objects; for untracked objects, without their container"
    )
    holders = HeapHolderSerializer(many=True)


class KnownLeakSerializer(serializers.Serializer[Match]):
    """A leak that is known of a release that is installed."""

    id = serializers.CharField(source="leak.id")
    package = serializers.CharField(source="leak.package", help_text="`python` for CPython itself")
    version = serializers.CharField(help_text="What is installed")
    fixed_in = serializers.CharField()
    fits = serializers.BooleanField(help_text="Whether it grows as this leak does: the same type, or the same kind")
    sentence = serializers.CharField()
    symptom = serializers.CharField(source="leak.symptom", help_text="When memory grows")
    reference = serializers.URLField(source="leak.reference")


class LeakDetailSerializer(LeakSerializer):
    """A leak with its history."""

    events = LeakEventSerializer(many=True)
    known_leaks = serializers.SerializerMethodField(
        help_text="Known leaks of the releases that the process, or the service, has imported; those that fit first"
    )
    heap = serializers.SerializerMethodField(
        help_text="What keeps the objects alive, by the newest analysed heap dump of the process or of its service; "
        "null without one, and without the permission dump_heap"
    )

    @extend_schema_field(KnownLeakSerializer(many=True))
    def get_known_leaks(self, leak: Leak) -> list[dict[str, Any]]:
        """By ``memwatch/known_causes/known_leaks.toml``."""
        return [dict(KnownLeakSerializer(match).data) for match in of_leaks([leak])[leak.pk]]

    @extend_schema_field(LeakHeapSerializer(allow_null=True))
    def get_heap(self, _leak: Leak) -> dict[str, Any] | None:
        """The caller has read it, for the user who asks."""
        heap = self.context.get("heap")
        return None if heap is None else dict(LeakHeapSerializer(heap).data)


class AlertSerializer(serializers.Serializer[Alert]):
    """A threshold that was crossed."""

    id = serializers.IntegerField()
    type = serializers.ChoiceField(choices=Alert.Type.choices)
    severity = serializers.ChoiceField(choices=Severity.choices)
    message = serializers.CharField()
    timestamp = Time(source="raised_at", help_text="When it was raised")
    value = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    state = serializers.SerializerMethodField()
    cleared_at = Time(allow_null=True)
    service = serializers.CharField(source="service.name")
    process = serializers.IntegerField(source="process_id", allow_null=True)
    host = serializers.CharField(source="process.host", allow_null=True)
    slot = serializers.CharField(source="process.slot", allow_null=True)
    leak = serializers.IntegerField(
        source="leak_id", allow_null=True, help_text="Id of the leak; if several processes have it, of one of them"
    )
    processes = serializers.IntegerField(
        allow_null=True,
        help_text="Number of processes with the leak; null for a leak of the whole service, and for other alerts",
    )

    def get_state(self, alert: Alert) -> str:
        """``raised`` or ``cleared``."""
        return ALERT_STATES[0 if alert.is_raised else 1][0]


class CommentSerializer(serializers.Serializer[Any]):
    """A comment for the leak's history."""

    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class SnoozeSerializer(CommentSerializer):
    """Until when the leak raises no alert."""

    until = serializers.DateTimeField(help_text="ISO 8601 with zone")


class SuppressSerializer(serializers.Serializer[Any]):
    """Why this growth is expected, and until when."""

    reason = serializers.CharField(max_length=300)
    until = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Null for no end")


class ReasonSerializer(serializers.Serializer[Any]):
    """The reason for resetting the baseline."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)
