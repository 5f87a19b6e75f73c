"""Totals of work for the metrics: by name for the busiest of each service, summed up for the others.

A total never falls. So a name that gets a row of its own begins at 0 there, and what it did before stays with the
others; a name that loses its row goes on with the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError
from django.db.models import Sum

from memwatch.conf import get_settings
from memwatch.models import Process, WorkName, WorkRollup, WorkTotal
from memwatch.records import MemorySnapshot
from memwatch.records.work import OTHER, WorkFigures
from memwatch.services.ingest.bulk import save_columns
from memwatch.services.ingest.work import MOST, Key
from memwatch.services.locking import writing
from memwatch.services.rollups import DAY, start_of_day, start_of_hour

FAR_BEHIND = 2
"""A name keeps its row until it is not among this many times the limit: so series do not come and go."""
_SUMS = ("calls", "kept_kib", "hour", "hour_kib", "hour_top_kib")


def store(taken: Iterable[tuple[Process, MemorySnapshot]], ids: Mapping[Key, int], now: datetime) -> None:
    """Add what these new snapshots bring. Call it in the transaction that stores them."""
    sums: dict[int, dict[Key, tuple[int, float]]] = defaultdict(dict)
    for process, snapshot in taken:
        own = sums[process.service_id]
        for work in snapshot.work or ():
            calls, kib = own.get((work.kind, work.name), (0, 0.0))
            own[work.kind, work.name] = (calls + work.calls, kib + kept_kib(work))
    if not any(sums.values()):
        return
    known = _locked(sums)
    hour, limit = start_of_hour(now), get_settings().metrics_work_limit
    added: dict[tuple[int, int], tuple[int, float]] = {}
    others = _Others()
    for service, names in sums.items():
        rows = {pk for owner, pk in known if owner == service}
        room = limit - sum(known[service, pk].work.name != OTHER for pk in rows)
        for (kind, name), (calls, kib) in sorted(names.items(), key=lambda item: (-item[1][0], item[0])):
            pk = ids[kind, name]
            if pk not in rows:
                if name == OTHER or room <= 0:
                    pk = others[kind]
                else:
                    room -= 1
                rows.add(pk)
            before = added.get((service, pk), (0, 0.0))
            added[service, pk] = (before[0] + calls, before[1] + kib)
    missing = sorted(added.keys() - known.keys())
    if missing:  # another worker may store the first calls as well
        WorkTotal.objects.bulk_create(
            [WorkTotal(service_id=service, work_id=pk, hour=hour) for service, pk in missing], ignore_conflicts=True
        )
        known = _locked(sums)
        if not known.keys() >= set(missing):
            raise IntegrityError("a name of work was pruned while its calls were stored")
    for key, (calls, kib) in added.items():
        _add(known[key], calls, kib, hour)
    save_columns([known[key] for key in added], _SUMS)


def _locked(services: Iterable[int]) -> dict[tuple[int, int], WorkTotal]:
    """The rows of these services by service and name, locked until the transaction ends."""
    rows = WorkTotal.objects.select_for_update(no_key=True, of=("self",)).filter(service__in=list(services))
    return {(row.service_id, row.work_id): row for row in rows.select_related("work").order_by("pk")}


def kept_kib(work: WorkFigures) -> float:
    """Resident memory that the calls which ran alone kept: what the measured ones kept, scaled to all of them."""
    return work.rss_kib * max(0, work.calls - work.shared) / work.rss_calls if work.rss_calls else 0.0


class _Others(dict[str, int]):
    """By kind, the id of what the others are summed up under; read when first asked for."""

    def __missing__(self, kind: str) -> int:
        pk = self[kind] = WorkName.objects.get_or_create(kind=kind, name=OTHER)[0].pk
        return pk


def _add(row: WorkTotal, calls: int, kib: float, hour: datetime) -> None:
    """Memory goes up and down from call to call: what counts is how high the sum of an hour has come."""
    if row.hour != hour:
        row.hour, row.hour_kib, row.hour_top_kib = hour, 0.0, 0
    row.calls = min(row.calls + calls, MOST)
    row.hour_kib = min(row.hour_kib + kib, float(MOST))
    rise = int(row.hour_kib) - row.hour_top_kib
    if rise > 0:
        row.kept_kib = min(row.kept_kib + rise, MOST)
        row.hour_top_kib += rise


def choose_names(now: datetime) -> None:
    """Give the rows to the names with most calls since yesterday, where a service has more than may have one."""
    limit = get_settings().metrics_work_limit
    shown: dict[int, list[WorkTotal]] = defaultdict(list)
    for row in WorkTotal.objects.exclude(work__name=OTHER).order_by("pk"):
        shown[row.service_id].append(row)
    for service, rows in shown.items():
        if len(rows) >= limit:
            _choose(service, rows, limit, now)


def _choose(service: int, rows: Sequence[WorkTotal], limit: int, now: datetime) -> None:
    days = WorkRollup.objects.filter(
        service=service, period=WorkRollup.Period.DAY, start__gte=start_of_day(now) - DAY
    ).exclude(work__name=OTHER)
    calls = dict(days.order_by().values_list("work").annotate(Sum("calls")))
    ranked = sorted(calls, key=lambda work: (-calls[work], work))
    last = {work: rank for rank, work in enumerate(ranked)}
    by_rank = sorted(rows, key=lambda row: (last.get(row.work_id, len(last)), row.work_id))
    stay, leave = by_rank[:limit], by_rank[limit:]
    taken = {row.work_id for row in rows}
    for work in [work for work in ranked[:limit] if work not in taken]:
        if len(stay) >= limit:
            if not stay or last.get(stay[-1].work_id, len(last)) < FAR_BEHIND * limit:
                break
            leave.append(stay.pop())
        stay.insert(0, WorkTotal(service_id=service, work_id=work, hour=start_of_hour(now)))
    with writing():
        WorkTotal.objects.filter(pk__in=[row.pk for row in leave]).delete()
        WorkTotal.objects.bulk_create([row for row in stay if row.pk is None], ignore_conflicts=True)
