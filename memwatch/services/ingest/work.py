"""What the jobs of processes took, added to the hour and the day of their service."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from memwatch.batches import batched
from memwatch.models import Process, WorkName, WorkRollup
from memwatch.records import MemorySnapshot
from memwatch.records.work import HISTOGRAMS, MAXIMA, OTHER, SUMS, add
from memwatch.services.ingest.bulk import save_columns
from memwatch.services.rollups import start_of_day, start_of_hour

MAX_NAMES = 2_000
"""Names that are distinguished in all services together and within a day; further ones are stored as ``(other)``."""
MAX_KEPT = 20_000
"""Names that are stored in all: a process whose clock is behind makes up names for days that are over."""
MOST = 2**62
"""No process can bring a column beyond this, whatever it reports."""
_CHUNK = 400

Key = tuple[str, str]
_Row = tuple[int, int, str, datetime]
"""Service, name, period, start."""
_PLACES = {"peak_process": "peak_kib_max", "top_process": "peak_rss_kib"}
"""Columns of a process, and the figure that was highest in it."""
_TRACE = "peak_trace"
"""Of the call whose peak was highest."""
_FIGURES = (*SUMS, *MAXIMA, *HISTOGRAMS, *_PLACES, _TRACE)


def intern(snapshots: Iterable[MemorySnapshot], now: datetime) -> dict[Key, int]:
    """The id of each name, drawing those that are new. Call it outside a transaction, so that what it learns lasts.

    A program that makes up names cannot fill the table: beyond ``MAX_NAMES`` a day, new ones are ``(other)``.
    """
    wanted = {(work.kind, work.name) for snapshot in snapshots for work in snapshot.work or ()}
    if not wanted:
        return {}
    found = _ids_of(wanted)
    new = sorted(wanted - found.keys())
    if new:
        today = WorkRollup.objects.filter(period=WorkRollup.Period.DAY, start=start_of_day(now))
        room = max(0, min(MAX_NAMES - today.values("work").distinct().count(), MAX_KEPT - WorkName.objects.count()))
        others = {(kind, OTHER) for kind, _name in new[room:]}
        drawn = {*new[:room], *others}
        WorkName.objects.bulk_create(
            [WorkName(kind=kind, name=name) for kind, name in sorted(drawn)], ignore_conflicts=True, batch_size=_CHUNK
        )
        found.update(_ids_of(drawn))
        found.update({key: found[key[0], OTHER] for key in new if key not in found})
    return found


def _ids_of(keys: Iterable[Key]) -> dict[Key, int]:
    wanted = set(keys)
    found: dict[Key, int] = {}
    for names in batched(sorted({name for _kind, name in wanted}), _CHUNK):
        rows = WorkName.objects.filter(name__in=names).values_list("kind", "name", "pk")
        found.update({(kind, name): pk for kind, name, pk in rows if (kind, name) in wanted})
    return found


def calls_of(snapshot: MemorySnapshot, ids: Mapping[Key, int]) -> dict[str, int] | None:
    """The calls since the snapshot before, by the id of the name; ``None`` where none ended."""
    calls = Tally[str]()
    for work in snapshot.work or ():
        calls[str(ids[work.kind, work.name])] += work.calls
    return dict(calls) or None


def store(taken: Sequence[tuple[Process, MemorySnapshot]], ids: Mapping[Key, int], now: datetime) -> None:
    """Add what these new snapshots bring. Call it in the transaction that stores them."""
    sums: dict[_Row, dict[str, Any]] = {}
    for process, snapshot in taken:
        at = min(snapshot.timestamp, now)
        for work in snapshot.work or ():
            pk = ids[work.kind, work.name]
            for period, start in (
                (WorkRollup.Period.HOUR, start_of_hour(at)),
                (WorkRollup.Period.DAY, start_of_day(at)),
            ):
                row = sums.setdefault((process.service_id, pk, period, start), {})
                _add(row, {**work._asdict(), **dict.fromkeys(_PLACES, process)})
    for some in batched(sorted(sums), _CHUNK):
        _write({key: sums[key] for key in some})


def _add(total: dict[str, Any], figures: Mapping[str, Any]) -> None:
    for place, figure in _PLACES.items():
        if figures["peak_calls"] and figures[figure] >= total.get(figure, 0):
            total[place] = figures.get(place)
            if place == "peak_process":
                total[_TRACE] = figures.get(_TRACE) or ""
    add(total, figures)


def _write(sums: Mapping[_Row, dict[str, Any]]) -> None:
    known = {_key(row): row for row in _locked(sums)}
    missing = sums.keys() - known.keys()
    if missing:  # another worker may store the first calls of the hour as well
        WorkRollup.objects.bulk_create(
            [WorkRollup(service_id=s, work_id=w, period=p, start=at) for s, w, p, at in sorted(missing)],
            ignore_conflicts=True,
            batch_size=_CHUNK,
        )
        known |= {_key(row): row for row in _locked(missing)}
    for key, more in sums.items():
        total = {name: getattr(known[key], name) for name in _FIGURES}
        _add(total, more)
        for name, value in total.items():
            setattr(known[key], name, max(-MOST, min(value, MOST)) if isinstance(value, int) else value)
    save_columns([known[key] for key in sums], _FIGURES)


def _key(row: WorkRollup) -> _Row:
    return row.service_id, row.work_id, row.period, row.start


def _locked(keys: Collection[_Row]) -> list[WorkRollup]:
    """Those of these rows that there are, locked until the transaction ends."""
    rows = WorkRollup.objects.select_for_update(no_key=True, of=("self",)).select_related(*_PLACES)
    rows = rows.filter(
        service__in={key[0] for key in keys}, work__in={key[1] for key in keys}, start__in={key[3] for key in keys}
    )
    wanted = frozenset(keys)
    return [row for row in rows.order_by("pk") if _key(row) in wanted]
