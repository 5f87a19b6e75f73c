"""Triggers: recordings that start by themselves, within the limits of their rule, never on a service's last worker."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from memwatch.diagnosis.options import UNTRACKED
from memwatch.models import Anomaly, Leak, Process, Recording, RecordingKind, Trigger
from memwatch.queries.diagnosis.recordings import container_of
from memwatch.queries.diagnosis.trigger_matches import HOUR, Occasion, healthy_workers, occasions, workers_at
from memwatch.services import ActionRefused
from memwatch.services.anomalies import actions
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
    """Objects: what refers to them, then which lines allocate. Native memory: which mappings grow, then a flame graph.

    Raises :class:`ActionRefused` where no process of the service can be recorded.
    """
    process = target(leak)
    kinds = [RecordingKind.REFERRERS, RecordingKind.ALLOCATIONS]
    if leak.kind == Leak.Kind.NATIVE:
        kinds = [RecordingKind.HEAP_SUMMARY, RecordingKind.FLAMEGRAPH]
    possible = [kind for kind in kinds if not recording_options.refusal(process, kind)]
    return Plan(process=process, kinds=possible or kinds, options=asked_for(leak))


def asked_for(leak: Leak) -> dict[str, Any]:
    """The options that name what leaks: its type, or the container of untracked objects. Native memory: its traces."""
    if leak.kind == Leak.Kind.OBJECTS:
        return {"type": leak.object_type}
    if leak.kind == Leak.Kind.UNTRACKED:
        container = container_of(leak)
        return {"type": UNTRACKED, **({"container": container} if container else {})}
    return {"native_traces": True}


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


log = logging.getLogger("memwatch")

LOOK_BACK = timedelta(minutes=15)
"""Occasions may be as old as this: the worker may have been away."""
DAY = timedelta(days=1)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fired:
    """A recording that a trigger has caused, or would have."""

    at: datetime
    service_id: int
    process_id: int | None
    leak_id: int | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsed:
    """What a trigger would have done about an occasion."""

    occasion: Occasion
    held_back: str
    """Why it would have recorded nothing; empty where it would have."""


def fire(now: datetime | None = None, *, hub: Hub | None = None) -> int:
    """Record what the triggers in use ask for; how many recordings began."""
    now = now or timezone.now()
    return sum(_fire(trigger, now, hub) for trigger in Trigger.objects.filter(enabled=True))


def rehearse(trigger: Trigger, now: datetime | None = None) -> list[Rehearsed]:
    """What the trigger would have done within the last day, oldest first, its limits included; nothing is recorded."""
    now = now or timezone.now()
    history: list[Fired] = []
    found = []
    for occasion in occasions(trigger, now - DAY, now):
        reason = held_back(trigger, occasion, history)
        if not reason and _was_alone(occasion):
            reason = "it was the last worker of its service"
        if not reason:
            history.append(_fired(occasion))
        found.append(Rehearsed(occasion=occasion, held_back=reason))
    return found


def held_back(trigger: Trigger, occasion: Occasion, history: Sequence[Fired], *, now: datetime | None = None) -> str:
    """Why the limits let nothing be recorded now, in words; empty where they do. A pure function of its arguments."""
    now = now or occasion.at
    if any(_answers(fired, occasion) for fired in history):
        return "it was recorded for this within the hour"
    hour = [fired for fired in history if now - fired.at < HOUR]
    same_process = [f for f in history if f.process_id == occasion.process_id and now - f.at < DAY]
    if occasion.process_id is not None and len(same_process) >= trigger.per_process_day:
        return f"this process was recorded {trigger.per_process_day} times within a day"
    if len([fired for fired in hour if fired.service_id == occasion.service_id]) >= trigger.per_service_hour:
        return f"this service was recorded {trigger.per_service_hour} times within an hour"
    if len(hour) >= trigger.per_hour:
        return f"{trigger.per_hour} recordings were made within an hour"
    return ""


def _answers(fired: Fired, occasion: Occasion) -> bool:
    same_leak = occasion.leak_id is not None and fired.leak_id == occasion.leak_id
    if occasion.process_id is None:
        same_place = fired.service_id == occasion.service_id
    else:
        same_place = fired.process_id == occasion.process_id
    return (same_leak or (occasion.leak_id is None and same_place)) and fired.at > occasion.at - HOUR


def _fired(occasion: Occasion) -> Fired:
    return Fired(
        at=occasion.at,
        service_id=occasion.service_id,
        process_id=occasion.process_id,
        leak_id=occasion.leak_id,
    )


def _history(trigger: Trigger, now: datetime) -> list[Fired]:
    rows = Recording.objects.filter(trigger=trigger, follows=None, requested_at__gt=now - DAY)
    values = rows.values_list("requested_at", "process__service", "process", "leak")
    return [Fired(at=at, service_id=service, process_id=pk, leak_id=leak) for at, service, pk, leak in values]


def _fire(trigger: Trigger, now: datetime, hub: Hub | None) -> int:
    due = occasions(trigger, max(trigger.created_at, now - LOOK_BACK), now)
    if not due:
        return 0
    history = _history(trigger, now)
    begun = 0
    for occasion in due:
        if held_back(trigger, occasion, history, now=now):
            continue
        process = _target(occasion, now)
        if process is None:
            continue
        history.append(dataclasses.replace(_fired(occasion), at=now, process_id=process.pk))
        try:
            _record(trigger, occasion, process, hub)
        except (ActionRefused, ValueError) as error:
            log.warning("memwatch: the trigger %s recorded nothing: %s", trigger, error)
            continue
        begun += 1
    return begun


def _target(occasion: Occasion, now: datetime) -> Process | None:
    """The process that is meant, else the biggest worker of its service; ``None`` where no other would be left."""
    healthy = healthy_workers(occasion.service_id, now).select_related("service")
    biggest_first = list(healthy.order_by(F("last_snapshot__rss_kib").desc(nulls_last=True), "pk"))
    workers = _that_work(biggest_first)
    wanted = workers
    if occasion.process_id is not None:
        wanted = [process for process in biggest_first if process.pk == occasion.process_id]
    if not wanted or all(worker.pk == wanted[0].pk for worker in workers):
        return None
    return wanted[0]


def _was_alone(occasion: Occasion) -> bool:
    workers = {worker.pk for worker in _that_work(workers_at(occasion.service_id, occasion.at))}
    if occasion.process_id is not None:
        workers.add(occasion.process_id)
    return len(workers) < 2


def _that_work(processes: Iterable[Process]) -> list[Process]:
    """Without the mains: they serve no request and run no task."""
    return [process for process in processes if not recording_options.forks(process)]


def _record(trigger: Trigger, occasion: Occasion, process: Process, hub: Hub | None) -> None:
    if occasion.anomaly_id is not None:
        anomaly = Anomaly.objects.select_related("process__service", "sibling__service").get(pk=occasion.anomaly_id)
        actions.record_both(anomaly, trigger=trigger, hub=hub)
        return
    leak = Leak.objects.filter(pk=occasion.leak_id).first() if occasion.leak_id else None
    asked = {} if leak is None else asked_for(leak)
    kinds = list(trigger.kinds)
    if "type" not in asked:  # no type to ask for: the biggest containers tell most
        kinds = [RecordingKind.HEAP_SUMMARY if kind == RecordingKind.REFERRERS else kind for kind in kinds]
    kind, *rest = dict.fromkeys(kinds)
    options = recording_options.fitting(kind, {**asked, **trigger.options})
    requests.request(process, kind, leak=leak, trigger=trigger, options=options, and_then=rest, hub=hub)
