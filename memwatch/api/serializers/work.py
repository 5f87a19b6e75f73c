"""Views, tasks and commands: what they took and kept, and which of them explains a leak."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from memwatch.models import WorkName
from memwatch.queries.leak_work import explanation_of
from memwatch.records import traces
from memwatch.records.work import EVERY

_KINDS = ", ".join(WorkName.Kind.values)


class WorkSerializer(serializers.Serializer[Any]):
    """One view, task or command of one service, summed up over a range of time. Null means not measured."""

    service = serializers.CharField()
    kind = serializers.CharField(help_text=_KINDS)
    name = serializers.CharField(help_text="Name of the view (`namespace:name` or dotted path), task or command")
    calls = serializers.IntegerField()
    errors = serializers.IntegerField(  # type: ignore[assignment]  # the metaclass takes the field away
        help_text="Calls that ended with an exception"
    )
    kept_blocks_per_call = serializers.FloatField(
        allow_null=True,
        help_text="Memory blocks allocated less those freed, the mean of the measured calls; below 0 if it frees more",
    )
    kept_kib_per_call = serializers.FloatField(
        allow_null=True, help_text="Growth of resident memory in KB, the mean of the measured calls"
    )
    peak_mb_p50 = serializers.FloatField(
        allow_null=True,
        help_text="The most that resident memory rose during a call above its start: the median, to 5 %",
    )
    peak_mb_p95 = serializers.FloatField(allow_null=True, help_text="The same: the 95th percentile, to 5 %")
    peak_mb_max = serializers.FloatField(allow_null=True, help_text="The same: the highest")
    seconds_p95 = serializers.FloatField(allow_null=True, help_text="Duration, the 95th percentile, to 5 %")
    shared = serializers.IntegerField(
        help_text="Calls that ran beside another one in their process: memwatch cannot separate their memory"
    )
    peak_trace_id = serializers.SerializerMethodField(
        help_text="Trace id of the call with the highest peak; null unless the setting TRACES is on and it has one"
    )
    peak_span_id = serializers.SerializerMethodField(help_text="Span id of that call, or null")

    def get_peak_trace_id(self, row: Any) -> str | None:
        """Of the highest peak."""
        return traces.trace_id(row.peak_trace) or None

    def get_peak_span_id(self, row: Any) -> str | None:
        """Of the highest peak."""
        return traces.span_id(row.peak_trace) or None


class CulpritSerializer(serializers.Serializer[Any]):
    """A view, task or command that explains a part of a leak's growth."""

    kind = serializers.CharField(help_text=_KINDS)
    name = serializers.CharField(
        help_text=f"`{EVERY}` stands for all jobs of this kind, where each keeps as much, whatever its name"
    )
    per_call = serializers.FloatField(allow_null=True, help_text="Growth of the leak in each call")
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the 95 % interval of per_call")
    high = serializers.FloatField(allow_null=True, help_text="Upper end of the 95 % interval of per_call")
    share = serializers.FloatField(
        allow_null=True,
        help_text="Share of the growth that it explains, 0 to 1; names that always run together have one share in all",
    )
    source = serializers.CharField(  # type: ignore[assignment]  # as above
        help_text="direct: measured around its calls; regression: the leak grows with the number of its calls"
    )


def culprits_of(evidence: Any) -> list[dict[str, Any]]:
    """What :class:`CulpritSerializer` reads, the largest share first; names that always run together one by one."""
    found = explanation_of(evidence)
    return [
        {
            "kind": kind, "name": name, "per_call": culprit.per_call, "low": culprit.low, "high": culprit.high,
            "share": culprit.share, "source": culprit.source,
        }
        for culprit in (found.culprits if found else ())
        for kind, name in culprit.works
    ]  # fmt: skip
