"""The automatic baseline of a process.

Its first snapshot sets it at once, so that there is a drift from the start. While the process warms up (imports,
caches) that is no fair measure: the first snapshot taken at an age of five intervals, at most five minutes, takes its
place, once. What somebody reset by hand is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from memwatch.models import Baseline, Process, Snapshot
from memwatch.queries.baselines import warm_up
from memwatch.queries.series.snapshot_mapping import COLUMNS
from memwatch.services.ingest.bulk import insert, save_columns


def keep_up(stored: Mapping[Process, Sequence[Snapshot]], interval_s: float) -> None:
    """Set and move automatic baselines after these snapshots were stored, and learn what they report late.

    Call it in the transaction that stored them, with the processes locked.
    """
    active = Baseline.objects.filter(active=True, process__in=[process.pk for process in stored]).order_by()
    known = {row[0]: row[1:] for row in active.values_list("process_id", "pk", "timestamp", "automatic")}
    created: list[Baseline] = []
    moved: list[Baseline] = []
    learning: dict[int, dict[str, int]] = {}
    youth = warm_up(interval_s)
    for process, rows in stored.items():
        ordered = sorted(rows, key=lambda row: row.seq)
        warm_at = process.started_at + youth
        fair = next((row for row in ordered if row.timestamp >= warm_at), None)
        if process.pk not in known:
            chosen = fair or ordered[0]
            baseline = Baseline(service_id=process.service_id, process=process, automatic=True)
            copy_figures(chosen, baseline)
            late = _backfill(ordered, since=chosen.timestamp)
            if late:
                baseline.counts = {**late, **(baseline.counts or {})}
            created.append(baseline)
            continue
        pk, since, is_automatic = known[process.pk]
        if fair is not None and is_automatic and since < warm_at:
            moved.append(copy_figures(fair, Baseline(pk=pk)))
            since = fair.timestamp
        late = _backfill(ordered, since=since)
        if late:
            learning[pk] = late
    insert(created)
    save_columns(moved, ("timestamp", *COLUMNS))
    learnt = list(Baseline.objects.filter(pk__in=list(learning)).only("counts"))
    for baseline in learnt:
        baseline.counts = {**learning[baseline.pk], **(baseline.counts or {})}
    save_columns(learnt, ("counts",))


def copy_figures(row: Snapshot, baseline: Baseline) -> Baseline:
    """The snapshot's figures and time into the baseline, which is returned. Not saved."""
    baseline.timestamp = row.timestamp
    for column in COLUMNS:
        setattr(baseline, column, getattr(row, column))
    return baseline


def _backfill(rows: Iterable[Snapshot], *, since: datetime) -> dict[str, int]:
    """Counts at the baseline of the types that these rows report for the first time after it, by id."""
    found: dict[str, int] = {}
    for row in rows:
        if row.timestamp < since:
            continue
        for key, count in ((row.extras or {}).get("backfill") or {}).items():
            found.setdefault(key, count)
    return found
