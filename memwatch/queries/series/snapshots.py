"""Two rows of figures side by side."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery

from memwatch.models import Baseline, ObjectType, Process, Snapshot
from memwatch.queries.series.snapshot_mapping import figures_of_many
from memwatch.records import FIGURES, MemorySnapshot
from memwatch.records.figure import Unit

DEFAULT_LIMIT = 1_000


def history(
    process: Process, *, since: datetime, until: datetime | None = None, limit: int = DEFAULT_LIMIT
) -> list[MemorySnapshot]:
    """The snapshots from ``since`` to ``until`` (both included), oldest first; the newest ``limit`` of them."""
    rows = Snapshot.objects.filter(process=process, timestamp__gte=since)
    if until is not None:
        rows = rows.filter(timestamp__lte=until)
    return figures_of_many(reversed(rows.order_by("-timestamp")[:limit]))


COMPARED = tuple(figure.name for figure in FIGURES.values() if figure.unit is not Unit.NONE and figure.compared)

_NAMED = ("process__host", "process__slot_number", "process__ended_at", "process__end_reason")
CENSUS_AGE = timedelta(hours=1)
"""A census older than this says nothing of now."""
NOTABLE = tuple(timedelta(minutes=minutes) for minutes in (24 * 60, 6 * 60, 60, 5, 0))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure or type on both sides."""

    name: str
    before: float | None
    """``None``: not measured, or not among the types reported."""
    after: float | None
    difference: float | None
    """``after - before``; ``None`` where either side is unknown."""
    percent: float | None
    """Of ``before``; ``None`` where that is unknown or 0."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What changed between two snapshots or baselines."""

    before: MemorySnapshot
    after: MemorySnapshot
    figures: tuple[Row, ...]
    """Sizes in MB, percentages and counts, by attribute name; figures unknown on both sides are left out."""
    types: tuple[Row, ...]
    """Objects by type, the largest growth first; types reported on one side only come last."""


def compare(a: Snapshot | Baseline, b: Snapshot | Baseline) -> Comparison:
    """``b`` against ``a``."""
    before, after = figures_of_many([a, b])
    figures = (_row(name, getattr(before, name), getattr(after, name)) for name in COMPARED)
    old, new = dict(before.top_objects or {}), dict(after.top_objects or {})
    old = {**(after.backfill or {}), **old}
    types = [_row(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]
    types.sort(key=lambda row: (row.difference is None, -(row.difference or 0)))
    return Comparison(
        before=before,
        after=after,
        figures=tuple(row for row in figures if row.before is not None or row.after is not None),
        types=tuple(types),
    )


def snapshot_with_process(pk: int) -> Snapshot | None:
    """The snapshot with its process; ``None`` where it is gone."""
    return Snapshot.objects.select_related("process__service").filter(pk=pk).first()


def id_of_the_one_before(snapshot: Snapshot) -> int | None:
    """The id of the process's snapshot before this one."""
    own = Snapshot.objects.filter(process=snapshot.process_id, timestamp__lt=snapshot.timestamp)
    return own.order_by("-timestamp").values_list("pk", flat=True).first()


def newest_counts_of(object_type: ObjectType, most: int) -> tuple[list[tuple[int, Snapshot]], bool]:
    """How many objects of the type the last snapshots counted, most first, and whether there were more to look at.

    Reads the last snapshots of the ``most`` processes that reported last. Two queries.
    """
    alive = Process.objects.alive().filter(outside=False, last_snapshot__isnull=False)
    last = list(alive.order_by("-last_seen_at").values_list("last_snapshot", flat=True)[: most + 1])
    rows = Snapshot.objects.filter(pk__in=last[:most]).select_related("process__service")
    key = str(object_type.pk)
    found = [
        (row.counts[key], row)
        for row in rows.only("counts", "timestamp", "process__service__name", *_NAMED)
        if row.counts and key in row.counts
    ]
    return sorted(found, key=lambda each: (-each[0], each[1].process_id)), len(last) > most


def snapshot_at(process: Process, at: datetime) -> Snapshot | None:
    """The process's last snapshot at that time or before it."""
    return (
        Snapshot.objects.select_related("process__service")
        .filter(process=process, timestamp__lte=at)
        .order_by("-timestamp")
        .first()
    )


def notable_snapshots(process: Process, now: datetime) -> list[Snapshot]:
    """The first that is kept, those of a day, six hours, an hour and five minutes ago, and the last; without counts.

    Two queries, whatever the number of snapshots.
    """
    own = Snapshot.objects.filter(process=OuterRef("pk"))
    picked: dict[str, Subquery] = {"first": Subquery(own.order_by("timestamp").values("pk")[:1])}
    for place, ago in enumerate(NOTABLE):
        older = own.filter(timestamp__lte=now - ago).order_by("-timestamp")
        picked[f"ago_{place}"] = Subquery(older.values("pk")[:1])
    found = Process.objects.filter(pk=process.pk).order_by().annotate(**picked).values_list(*picked).first()
    rows = Snapshot.objects.filter(pk__in=[pk for pk in found or () if pk]).defer("counts", "extras")
    return list(rows.order_by("timestamp"))


def baselines_known(process: Process, most: int = 10) -> list[Baseline]:
    """The newest baselines of the process and of its service; without counts."""
    rows = Baseline.objects.filter(Q(process=process) | Q(process=None, service=process.service_id))
    return list(rows.defer("counts", "extras")[:most])


def last_census(last: Snapshot) -> Snapshot | None:
    """The process's latest snapshot with a census, ``last`` or one of the hour before it."""
    if last.total_objects is not None:
        return last
    before = Snapshot.objects.filter(
        process=last.process_id, timestamp__range=(last.timestamp - CENSUS_AGE, last.timestamp)
    )
    return before.filter(total_objects__isnull=False).order_by("-timestamp").first()


def _row(name: str, before: float | None, after: float | None) -> Row:
    difference = after - before if before is not None and after is not None else None
    return Row(
        name=name,
        before=before,
        after=after,
        difference=difference,
        percent=difference / before * 100 if difference is not None and before else None,
    )
