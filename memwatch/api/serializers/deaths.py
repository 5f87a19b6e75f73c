"""Why processes ended."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from memwatch.api.serializers.figures import Time
from memwatch.models import Process


class DeathSerializer(serializers.Serializer[Any]):
    """The end of one process. Null means not known."""

    process = serializers.IntegerField(source="process.pk")
    service = serializers.CharField()
    at = Time(help_text="When it ended, or when its silence was noticed")
    reason = serializers.ChoiceField(choices=Process.End.choices)
    signal = serializers.CharField(allow_null=True, help_text="E.g. SIGKILL; null if no signal ended it")
    job = serializers.CharField(allow_null=True, help_text="Name of the view, task or command that was running")
    job_seconds = serializers.FloatField(allow_null=True, help_text="Seconds that the job had been running")
    job_trace_id = serializers.CharField(help_text="Trace that the job ran in; empty if none is known")
    job_span_id = serializers.CharField(help_text="Span that the job ran in; empty if none is known")
    rss_mb = serializers.FloatField(allow_null=True, help_text="Last known resident memory of the process")
    limit_mb = serializers.FloatField(allow_null=True, help_text="Memory limit of the process")
    evidence = serializers.DictField(
        help_text="What it was doing and how much memory it had, and who noticed its end; empty if nothing is known"
    )
    earlier = serializers.CharField(
        help_text="In how many deaths of its service in the last week the job was running; empty if not known"
    )
