"""What is known about the allocators of a process: settings, what they changed, and the last check."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Avg, Case, F, When

from memwatch.detection.allocator_change import HOUR, Kinds, Life, kinds_of
from memwatch.models import Process, Recording, RecordingKind, Snapshot, SnapshotRollup
from memwatch.records import KIB_PER_MB

LIVES = 60
"""The newest lives that are compared."""
NEAR_SHARE, NEAR_MOST = 0.1, timedelta(minutes=10)
"""How far from the age a snapshot may be."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Resident memory of lives with the settings of now, and with those of before, at one age."""

    settings: Mapping[str, str]
    before: Mapping[str, str]
    since: datetime
    age_s: float
    with_mb: float
    """The median life's."""
    with_lives: int
    without_mb: float
    without_lives: int


def change_of(process: Process) -> Change | None:
    """Of the process's service and program; ``None`` where its settings are not known, or all lives had the same."""
    if process.allocator_settings is None:
        return None
    rows = Process.objects.filter(
        service=process.service_id, program=process.program, outside=False, allocator_settings__isnull=False
    )
    columns = rows.order_by("-pk").values_list("pk", "started_at", "ended_at", "last_seen_at", "allocator_settings")
    lives = [
        Life(
            pk=pk,
            started_at=started,
            seconds=((ended or seen) - started).total_seconds(),
            settings=settings if isinstance(settings, dict) else {},
        )
        for pk, started, ended, seen, settings in columns[:LIVES]
    ]
    kinds = kinds_of(lives, process.allocator_settings)
    return None if kinds is None else _measured(kinds, process.allocator_settings)


def _measured(kinds: Kinds, settings: Mapping[str, str]) -> Change | None:
    sizes = _at_age([*kinds.with_it, *kinds.without], kinds.age_s)
    with_it = [sizes[life.pk] for life in kinds.with_it if life.pk in sizes]
    without = [sizes[life.pk] for life in kinds.without if life.pk in sizes]
    if not with_it or not without:
        return None
    return Change(
        settings=settings, before=kinds.before, since=kinds.since, age_s=kinds.age_s,
        with_mb=median(with_it), with_lives=len(with_it), without_mb=median(without), without_lives=len(without),
    )  # fmt: skip


def _at_age(lives: Sequence[Life], age_s: float) -> dict[int, float]:
    """Resident memory in MB by process: from its snapshots, where they are gone from the hour's roll-up."""
    age = timedelta(seconds=age_s)
    near = min(NEAR_SHARE * age, NEAR_MOST)
    started = F("process__started_at")
    rows = (
        Snapshot.objects.filter(
            process__in=[life.pk for life in lives],
            timestamp__gte=started + (age - near),
            timestamp__lte=started + (age + near),
            rss_kib__isnull=False,
        )
        .order_by()
        .values_list("process_id")
        .annotate(Avg("rss_kib"))
    )
    found = {pk: kib / KIB_PER_MB for pk, kib in rows}
    missing = [life.pk for life in lives if life.pk not in found]
    if missing and age_s >= HOUR:
        rolled = SnapshotRollup.objects.filter(
            process__in=missing,
            period=SnapshotRollup.Period.HOUR,
            start__gt=started + (age - timedelta(hours=1)),
            start__lte=started + age,
        ).order_by()
        for pk, figures in rolled.values_list("process_id", "figures"):
            kib = _mean(figures)
            if kib is not None:
                found[pk] = kib / KIB_PER_MB
    return found


def _mean(figures: Any) -> float | None:
    values = figures.get("rss_kib") if isinstance(figures, dict) else None
    return float(values[1]) if values else None


def last_check(process: Process) -> Recording | None:
    """The newest finished check of this process, else of another of its service and program."""
    done = Recording.objects.filter(
        kind=RecordingKind.TRIM, state=Recording.State.DONE, process__service=process.service_id,
        process__program=process.program,
    ).select_related("process__service")  # fmt: skip
    own_first = Case(When(process=process, then=0), default=1)
    return done.order_by(own_first, "-pk").first()
