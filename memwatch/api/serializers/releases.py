"""Releases, and what one changed against another."""

from __future__ import annotations

import dataclasses
from typing import Any

from rest_framework import serializers

from memwatch.detection.releases.comparison import VERDICTS
from memwatch.detection.releases.figures import COMPARED
from memwatch.detection.releases.imports import BY_MODULES, BY_VERSION
from memwatch.detection.releases.result import AGE, JOBS, Comparison, headline
from memwatch.models import Release


class ReleaseSerializer(serializers.Serializer[Release]):
    """A version of a service's code."""

    id = serializers.IntegerField()
    service = serializers.CharField(source="service.name")
    name = serializers.CharField()
    first_seen_at = serializers.DateTimeField()
    compared_with = serializers.CharField(
        source="compared_with.name", allow_null=True, default=None, help_text="The release before; null if not compared"
    )
    compared_at = serializers.DateTimeField(allow_null=True)
    says = serializers.SerializerMethodField(
        help_text="What the release changed, in a sentence; empty if it was not compared"
    )

    def get_says(self, release: Release) -> str:
        return str(release.changes.get("says") or "")


class ReleaseChangeSerializer(serializers.Serializer[Any]):
    """One figure of the processes of both releases."""

    name = serializers.CharField()
    unit = serializers.CharField()
    verdict = serializers.ChoiceField(choices=VERDICTS)
    before = serializers.FloatField(allow_null=True, help_text="Median of the processes")
    after = serializers.FloatField(allow_null=True)
    shift = serializers.FloatField(allow_null=True, help_text="Hodges and Lehmann's difference")
    low = serializers.FloatField(allow_null=True, help_text="Lower bound of the shift, with a confidence of 95 %")
    high = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True, help_text="p of Mann and Whitney's test, two-sided")
    superiority = serializers.FloatField(
        allow_null=True, help_text="Share of the pairs of processes in which the later is higher, 0 to 1"
    )
    processes_before = serializers.IntegerField(help_text="Number of processes with this figure")
    processes_after = serializers.IntegerField()


class PackageChangeSerializer(serializers.Serializer[Any]):
    """A distribution, or a package without one, whose version or number of modules changed."""

    name = serializers.CharField()
    version_before = serializers.CharField(help_text="Empty if it was not installed, or has no version")
    version_after = serializers.CharField()
    modules_before = serializers.FloatField(allow_null=True, help_text="Mean of the processes; null if not known")
    modules_after = serializers.FloatField(allow_null=True)
    mb = serializers.FloatField(allow_null=True, help_text="An estimate of what it adds to a process at birth")
    basis = serializers.CharField(
        help_text=f"What it follows from: `{BY_MODULES}`, or `{BY_VERSION}` of the only dependency with another version"
    )


class PeakChangeSerializer(serializers.Serializer[Any]):
    """The peaks of a view, task or command."""

    kind = serializers.CharField()
    name = serializers.CharField()
    verdict = serializers.ChoiceField(choices=VERDICTS)
    before_mb = serializers.FloatField(allow_null=True, help_text="Peak that 95 % of the calls stay below")
    after_mb = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True)
    calls_before = serializers.IntegerField()
    calls_after = serializers.IntegerField()


class ReleaseComparisonSerializer(serializers.Serializer[Any]):
    """A release against another."""

    service = serializers.CharField()
    from_service = serializers.CharField(help_text="Service of that release; the same, unless you ask for another")
    from_release = serializers.CharField()
    to_release = serializers.CharField()
    known = serializers.BooleanField(help_text="Whether there are enough processes of both for a verdict")
    missing = serializers.CharField(help_text="What else is needed; empty if known")
    says = serializers.CharField(help_text="What changed, in a sentence")
    at_axis = serializers.ChoiceField(
        choices=(AGE, JOBS),
        allow_null=True,
        help_text=f"Whether later figures are those of the same `{AGE}` (seconds) or number of `{JOBS}`; null if the "
        "processes are too young",
    )
    at_value = serializers.FloatField(allow_null=True)
    figures = ReleaseChangeSerializer(many=True)
    dependencies = PackageChangeSerializer(many=True)
    unexplained_mb = serializers.FloatField(allow_null=True, help_text="Growth at birth that no dependency explains")
    objects_by_package = ReleaseChangeSerializer(many=True)
    objects_by_type = ReleaseChangeSerializer(many=True)
    peaks = PeakChangeSerializer(many=True)
    at_once = serializers.BooleanField(help_text="Both ran in the same hours, so that peaks cannot be separated")


def comparison_values(found: Comparison) -> dict[str, Any]:
    """What the serializer shows."""
    return {
        "service": found.after.service,
        "from_service": found.before.service,
        "from_release": found.before.name,
        "to_release": found.after.name,
        "known": found.is_known,
        "missing": found.missing,
        "says": headline(found),
        "at_axis": None if found.at is None else found.at.axis,
        "at_value": None if found.at is None else found.at.value,
        "figures": [{**dataclasses.asdict(each), "unit": COMPARED[each.name].unit} for each in found.figures.values()],
        "dependencies": found.imports.packages,
        "unexplained_mb": found.imports.unexplained_mb,
        "objects_by_package": [{**dataclasses.asdict(each), "unit": "count"} for each in found.packages],
        "objects_by_type": [{**dataclasses.asdict(each), "unit": "count"} for each in found.types],
        "peaks": found.peaks,
        "at_once": found.at_once,
    }
