"""The container of a process: what its memory is made of, and what else runs in it."""

from __future__ import annotations

import dataclasses
from typing import Any

from rest_framework import serializers

from memwatch.api.serializers.figures import Megabytes, Time
from memwatch.detection.surroundings.container import sentences
from memwatch.queries.processes.surroundings import Container
from memwatch.records.surroundings import PARTS, Neighbour, Pressure


class PressureSerializer(serializers.Serializer[Any]):
    """Percent of the time that processes of the container waited for memory (PSI)."""

    some_10 = serializers.FloatField(
        allow_null=True, help_text="Percent of the last 10 s in which at least one process waited for memory"
    )
    some_60 = serializers.FloatField(
        allow_null=True, help_text="Percent of the last 60 s in which at least one process waited for memory"
    )
    full_10 = serializers.FloatField(
        allow_null=True, help_text="Percent of the last 10 s in which all processes waited for memory"
    )
    full_60 = serializers.FloatField(
        allow_null=True, help_text="Percent of the last 60 s in which all processes waited for memory"
    )


class NeighbourSerializer(serializers.Serializer[Any]):
    """A process of the container that has no agent."""

    pid = serializers.IntegerField()
    name = serializers.CharField()
    rss_mb = serializers.FloatField()
    pss_mb = Megabytes()


class ContainerSerializer(serializers.Serializer[Any]):
    """A container as one of its processes reported it. What the kernel does not say is null."""

    received_at = Time()
    used_mb = Megabytes(help_text="All memory that the kernel charges to the container, page cache included")
    limit_mb = Megabytes()
    peak_mb = Megabytes(help_text="Highest used_mb since the container was created")
    pressure = PressureSerializer(allow_null=True)
    complete = serializers.BooleanField(help_text="Whether memwatch could read all its processes")
    watched = serializers.IntegerField(help_text="Processes that memwatch watches")
    watched_mb = Megabytes(help_text="Sum of the PSS of the watched processes")
    unwatched = serializers.IntegerField(help_text="Processes that memwatch does not watch")
    unwatched_mb = Megabytes()
    largest = NeighbourSerializer(many=True, help_text="The largest processes that memwatch does not watch")
    hidden = serializers.IntegerField(help_text="Processes in another pid namespace: they cannot be seen")
    sentences = serializers.ListField(child=serializers.CharField(), help_text="What the figures mean, in plain words")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        return {**fields, **{name: Megabytes(help_text=text) for name, text in PARTS.items()}}


def container_values(found: Container) -> dict[str, Any]:
    """What the serializer writes."""
    figures = found.figures
    values = {field.name: getattr(figures, field.name) for field in dataclasses.fields(figures)}
    return ContainerSerializer(
        {
            **values,
            "received_at": found.received_at,
            "pressure": None if figures.pressure is None else Pressure._asdict(figures.pressure),
            "largest": list(map(Neighbour._asdict, figures.largest)),
            "sentences": sentences(figures),
        }
    ).data
