"""Recordings: what is asked for, what came of it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from memwatch.api.serializers.figures import Time
from memwatch.diagnosis.options import ALL, LONGEST_TEXT, OF_KIND, Option
from memwatch.models import FlameGraphMode, Leak, Process, Recording, RecordingKind
from memwatch.records import traces
from memwatch.services.recordings import options as recording_options

KINDS = ", ".join(RecordingKind.values)


class RecordingSerializer(serializers.Serializer[Recording]):
    """A diagnosis on demand."""

    id = serializers.IntegerField()
    kind = serializers.CharField(help_text=KINDS)
    state = serializers.CharField(help_text=", ".join(Recording.State.values))
    service = serializers.CharField(source="process.service.name")
    process = serializers.IntegerField(source="process_id")
    host = serializers.CharField(source="process.host")
    slot = serializers.CharField(source="process.slot")
    leak = serializers.IntegerField(source="leak_id", allow_null=True)
    trigger = serializers.CharField(
        source="trigger.name", allow_null=True, help_text="Name of the trigger that started it, else null"
    )
    look = serializers.BooleanField(help_text="Whether leak detection made it before a verdict")
    follows = serializers.IntegerField(
        source="follows_id", allow_null=True, help_text="Id of the recording that this one follows"
    )
    options = serializers.DictField(help_text="The requested options")
    measured = serializers.DictField(
        child=serializers.FloatField(),
        help_text="Cost to the process: duration_s, cpu_ms, longest_pause_ms, rss_added_mb, bytes; of copies of "
        "the process forks, fork_ms, child_cpu_ms, child_mb",
    )
    traces = serializers.SerializerMethodField(
        help_text="Spans of the jobs that ran when it began or ended, each with trace_id and span_id; empty unless the "
        "setting TRACES is on"
    )
    size = serializers.IntegerField(help_text="Size of the result in bytes")
    error = serializers.CharField(help_text="Why there is no result")
    requested_at = Time()
    requested_by = serializers.CharField(allow_null=True, help_text="User name")
    started_at = Time(allow_null=True)
    finished_at = Time(allow_null=True)

    def get_traces(self, row: Recording) -> list[dict[str, str]]:
        """By the ids that other tools know."""
        spans = traces.joined([], row.traces)
        return [{"trace_id": traces.trace_id(span), "span_id": traces.span_id(span)} for span in spans]


class AdviceSerializer(serializers.Serializer[Any]):
    """What an allocator check advises."""

    setting = serializers.CharField(
        help_text="Variable for the environment of the process with its value, e.g. MALLOC_ARENA_MAX=2; empty if none"
    )
    text = serializers.CharField()
    gain_mb = serializers.FloatField(
        allow_null=True, help_text="How much of the returned memory it concerns at most; null if not known"
    )


class ConclusionSerializer(serializers.Serializer[Any]):
    """The result of recordings that belong together; a field is empty if they do not show it."""

    finding = serializers.CharField(
        help_text="What the heap shows: garbage, or a cache with an upper limit. Of kind trim: what the allocator kept"
    )
    held_by = serializers.CharField(help_text="References from a name to the objects")
    sure = serializers.BooleanField(
        allow_null=True,
        help_text="Whether the holder holds most of the new objects and grew by them; null if not measured",
    )
    certainty = serializers.CharField(help_text="The figures behind `sure`")
    attribute = serializers.CharField(help_text="Name of the holder in the program's own code")
    freed = serializers.CharField(help_text="How much would be free without the objects, and without their holder")
    your_code = serializers.CharField(help_text="file:line where the program's own code adds to the holder")
    your_code_line = serializers.CharField(help_text="Source of that line")
    others = serializers.ListField(child=serializers.CharField(), help_text="Other possible holders")
    allocated_at = serializers.CharField(help_text="file:line in function")
    code = serializers.CharField(help_text="Source of that line")
    called_from = serializers.CharField(help_text="If that line is in a library: the program's own line that called it")
    caller_code = serializers.CharField(help_text="Source of that line")
    advice = AdviceSerializer(many=True, help_text="Of kind trim, the most useful first")


class RecordingDetailSerializer(RecordingSerializer):
    """A recording with its result."""

    result = serializers.DictField(
        allow_null=True,
        help_text="Null while there is none, and for captures, which you download. Of kind trim, in MB: rss_before_mb, "
        "rss_after_mb, uss_before_mb, uss_after_mb, malloc_system_mb, malloc_free_mb, malloc_pages_mb (free in whole "
        "pages), pymalloc_system_mb, pymalloc_used_mb; pause_ms; arenas, each with number, system_mb, free_mb; "
        "regrowth, each with seconds, rss_mb; watched_s, null while it is followed; trimmed and, if false, reason",
    )
    followed_by = serializers.ListField(
        child=serializers.IntegerField(), help_text="Ids of the recordings that follow this one"
    )
    conclusion = ConclusionSerializer()


def _field(name: str, option: Option) -> serializers.Field[Any, Any, Any, Any]:
    kinds = ", ".join(kind for kind, options in OF_KIND.items() if name in options)
    words = f"{kinds}: {option.help}"
    if option.kind == "flag":
        return serializers.BooleanField(required=False, help_text=words)
    if option.kind == "choice":
        return serializers.ChoiceField(required=False, choices=FlameGraphMode.choices, help_text=words)
    if option.kind == "text":
        return serializers.CharField(required=False, max_length=LONGEST_TEXT, help_text=words)
    return serializers.IntegerField(required=False, min_value=1, help_text=f"{words} At most {option.most}.")


class OptionsSerializer(serializers.Serializer[Any]):
    """The options of all kinds. A number over its limit is cut to the limit."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: _field(name, option) for name, option in ALL.items()}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError(f"{unknown[0][:60]} is no option: give {', '.join(self.fields)}")
        return super().to_internal_value(data)


class RecordSerializer(serializers.Serializer[Any]):
    """What to record. If you give only a leak, memwatch chooses the process, the kinds and the type."""

    process = serializers.PrimaryKeyRelatedField(
        queryset=Process.objects.select_related("service"), required=False, allow_null=True, default=None
    )
    leak = serializers.PrimaryKeyRelatedField(
        queryset=Leak.objects.select_related("service", "process__service"),
        required=False,
        allow_null=True,
        default=None,
    )
    kind = serializers.CharField(
        required=False,
        allow_null=True,
        default=None,
        help_text=f"{KINDS}. Null with a leak: the kinds that show its cause, one after the other",
    )
    options = OptionsSerializer(required=False)

    def validate_kind(self, kind: str | None) -> str | None:
        if kind is not None and kind not in RecordingKind.values:
            raise serializers.ValidationError(f"{kind[:40]} is none of: {KINDS}")
        return kind

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        process, leak, kind = attrs.get("process"), attrs.get("leak"), attrs.get("kind")
        options = attrs["options"] = dict(attrs.get("options") or {})
        if process is None and leak is None:
            raise serializers.ValidationError({"process": "give a process or a leak"})
        if kind is None:
            if leak is None:
                raise serializers.ValidationError({"kind": f"give one of {KINDS}, or a leak"})
            if options or process is not None:
                raise serializers.ValidationError({"kind": "give it, where you give a process or options"})
            return attrs
        if process is not None and leak is not None and process.service_id != leak.service_id:
            raise serializers.ValidationError({"process": f"{process} is not of the service that {leak} is in"})
        asked = {} if leak is None else {"type": leak.object_type}
        try:
            recording_options.checked(kind, {**recording_options.fitting(kind, asked), **options})
        except ValueError as error:
            raise serializers.ValidationError({"options": str(error)}) from None
        return attrs
