"""Settings that fit, a row for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from memwatch.recommendations import Advice


class RecommendationSerializer(serializers.Serializer[Any]):
    """One setting of one service. 0 means no limit, null means not known."""

    service = serializers.CharField()
    setting = serializers.CharField(
        help_text="max_requests, max_requests_jitter, workers; worker_max_tasks_per_child, "
        "worker_max_memory_per_child (KB), worker_concurrency; container_request_mb, container_limit_mb"
    )
    current = serializers.IntegerField(allow_null=True, help_text="What the server says; null if it does not say")
    recommended = serializers.IntegerField(allow_null=True)
    low = serializers.IntegerField(allow_null=True, help_text="With a confidence of 99 %")
    high = serializers.IntegerField(allow_null=True, help_text="With a confidence of 50 %")
    reason = serializers.CharField(help_text="Why; begins with `not known yet:` if something is missing")
    expected_peak_mb = serializers.FloatField(
        allow_null=True, help_text="The most that all processes below the limit would have taken in the last week"
    )
    recycles_per_day = serializers.FloatField(
        allow_null=True, help_text="Workers that would have been replaced, with all recommended settings"
    )
    based_on = serializers.CharField(help_text="How many lives and jobs were looked at")


def rows_of(advice: Advice) -> Iterator[dict[str, Any]]:
    """What the serializer shows."""
    outcome = advice.outcomes.get("recommended")
    for row in advice.settings:
        yield {
            "service": advice.service.name, "setting": row.name, "current": row.current,
            "recommended": row.recommended, "low": row.low, "high": row.high, "reason": row.reason,
            "expected_peak_mb": outcome and round(outcome.peak_mb, 1),
            "recycles_per_day": outcome and round(outcome.recycles_per_day, 2), "based_on": advice.based_on,
        }  # fmt: skip
