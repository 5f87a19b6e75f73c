"""Pages of snapshots, the newest first, that open as fast at the ten-millionth row as at the first.

Nothing is counted and nothing skipped: a page begins where another ended (keyset). All snapshots go by id, which the
primary key has in order. Those of some processes go by time: each process's own index tells from when on its share of
the page lies, so that only about a page of rows is read, be it from one process or from thousands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db.models import OuterRef, Q, QuerySet, Subquery

from memwatch.models import Process, Snapshot

MOST_PROCESSES = 5_000
"""Beyond this number the snapshots are so dense that they are found by walking through all."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where a page begins: at the snapshots before (older than) or after (newer than) one."""

    pk: int
    timestamp: datetime
    newer: bool = False

    @classmethod
    def parse(cls, text: str, *, newer: bool = False) -> Cursor | None:
        """The inverse of ``str``; ``None`` for what is none."""
        micros, _dot, pk = text.partition(".")
        if not all(part.isascii() and part.isdecimal() and len(part) <= 17 for part in (micros, pk)):
            return None
        return cls(pk=int(pk), timestamp=_EPOCH + int(micros) * _MICROSECOND, newer=newer)

    def __str__(self) -> str:
        return f"{(self.timestamp - _EPOCH) // _MICROSECOND}.{self.pk}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SnapshotPage:
    """One page and where the others begin."""

    rows: list[Snapshot]
    """With ``process__service``, without counts."""
    older: Cursor | None
    newer: Cursor | None


def newest_snapshots(
    processes: QuerySet[Process] | None = None, *, cursor: Cursor | None = None, count: int = 50
) -> SnapshotPage:
    """Of all processes, or of these. At most three queries, none of which reads more than some pages of rows."""
    newer = cursor is not None and cursor.newer
    rows = Snapshot.objects.select_related("process__service").defer("counts", "extras")
    ids = None
    if processes is not None:
        known = processes.filter(last_snapshot__isnull=False).order_by()
        ids = list(known.values_list("pk", flat=True)[: MOST_PROCESSES + 1])
        if len(ids) > MOST_PROCESSES:
            rows, ids = rows.filter(process__in=known.values("pk")), None
    if ids is None:
        if cursor is not None:
            rows = rows.filter(pk__gt=cursor.pk) if newer else rows.filter(pk__lt=cursor.pk)
        found = list(rows.order_by("pk" if newer else "-pk")[: count + 1])
    else:
        found = _of_processes(rows, ids, cursor, count + 1)
    more, found = len(found) > count, found[:count]
    if newer:
        found.reverse()
    first = Cursor(pk=found[0].pk, timestamp=found[0].timestamp, newer=True) if found else None
    last = Cursor(pk=found[-1].pk, timestamp=found[-1].timestamp) if found else None
    return SnapshotPage(
        rows=found,
        older=last if more or newer else None,
        newer=first if (more if newer else cursor is not None) else None,
    )


def _of_processes(rows: QuerySet[Snapshot], ids: Sequence[int], cursor: Cursor | None, count: int) -> list[Snapshot]:
    if not ids:
        return []
    newer = cursor is not None and cursor.newer
    beyond, way = Q(), "" if newer else "-"
    if cursor is not None:
        side = "gte" if newer else "lte"
        other = "lte" if newer else "gte"
        beyond = Q(**{f"timestamp__{side}": cursor.timestamp}) & ~Q(
            **{"timestamp": cursor.timestamp, f"pk__{other}": cursor.pk}
        )
    limit = _limit(ids, cursor, count, newer=newer)
    if limit is not None:
        beyond &= Q(timestamp__lte=limit) if newer else Q(timestamp__gte=limit)
    return list(rows.filter(beyond, process__in=ids).order_by(f"{way}timestamp", f"{way}pk")[:count])


def _limit(ids: Sequence[int], cursor: Cursor | None, count: int, *, newer: bool) -> datetime | None:
    """A time up to which these processes have at least ``count`` snapshots beyond the cursor; ``None``: they have not.

    Where j processes have m each up to a time, they have j x m together: the time at which the j-th of them has its
    m-th is enough.
    """
    each = -(-count // len(ids)) + 1  # one more: a snapshot with the cursor's very time may lie on its other side
    own = Snapshot.objects.filter(process=OuterRef("pk"))
    if cursor is not None:
        own = own.filter(timestamp__gte=cursor.timestamp) if newer else own.filter(timestamp__lte=cursor.timestamp)
    reached = Subquery(own.order_by("timestamp" if newer else "-timestamp").values("timestamp")[each - 1 : each])
    times = Process.objects.filter(pk__in=ids).order_by().annotate(reached=reached).values_list("reached", flat=True)
    known = sorted((time for time in times if time is not None), reverse=not newer)
    wanted = -(-count // (each - 1))
    return known[wanted - 1] if len(known) >= wanted else None
