"""From a leak to its cause: which process to record, and what, so that one button tells who holds and who allocates."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F

from memwatch.models import Leak, Process, Recording, RecordingKind
from memwatch.queries.recordings import container_of
from memwatch.services import ActionRefused
from memwatch.services.recordings import options as recording_options
from memwatch.services.recordings import requests
from memwatch.transport import Hub


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to record of a leak, one kind after the other, in which process."""

    process: Process
    kinds: Sequence[str]
    options: Mapping[str, Any]


def plan(leak: Leak) -> Plan:
    """Objects: who refers to them, then where they are allocated. Native memory is seen by a flame graph alone.

    Raises :class:`ActionRefused` where no process of the service can be recorded.
    """
    process = target(leak)
    if asked := asked_for(leak):
        return Plan(process=process, kinds=(RecordingKind.REFERRERS, RecordingKind.ALLOCATIONS), options=asked)
    if recording_options.forks(process):
        return Plan(process=process, kinds=(RecordingKind.HEAP_SUMMARY,), options={})
    return Plan(process=process, kinds=(RecordingKind.FLAMEGRAPH,), options={"native_traces": True})


def asked_for(leak: Leak) -> dict[str, Any]:
    """The options that name what leaks: its type, or the container of untracked objects; none for native memory."""
    if leak.kind == Leak.Kind.OBJECTS:
        return {"type": leak.object_type}
    if leak.kind == Leak.Kind.UNTRACKED:
        container = container_of(leak)
        return {"type": recording_options.UNTRACKED, **({"container": container} if container else {})}
    return {}


def target(leak: Leak) -> Process:
    """The leaking process while it lives, else the one of its service that uses most memory."""
    if leak.process is not None and leak.process.is_alive and not leak.process.outside:
        return leak.process
    others = Process.objects.alive().filter(service=leak.service_id, outside=False).select_related("service")
    biggest = others.order_by(F("last_snapshot__rss_kib").desc(nulls_last=True), "-pk").first()
    if biggest is None:
        raise ActionRefused(f"{leak}: no process of {leak.service} is running that could be recorded")
    return biggest


def investigate(leak: Leak, *, by: Any = None, wait_s: float = 0.0, hub: Hub | None = None) -> Recording:
    """Record what tells most about the leak; the first recording, which the others follow by themselves."""
    wanted = plan(leak)
    first, *rest = wanted.kinds
    options = recording_options.fitting(first, wanted.options)
    return requests.request(
        wanted.process, first, by=by, leak=leak, options=options, and_then=rest, wait_s=wait_s, hub=hub
    )


def record(
    leak: Leak,
    kind: str,
    *,
    by: Any = None,
    process: Process | None = None,
    options: Mapping[str, Any] | None = None,
    wait_s: float = 0.0,
    hub: Hub | None = None,
) -> Recording:
    """One kind, for a leak: the type comes with it."""
    given = {**recording_options.fitting(kind, asked_for(leak)), **(options or {})}
    return requests.request(process or target(leak), kind, by=by, leak=leak, options=given, wait_s=wait_s, hub=hub)
