"""Ends that nothing explained, until a later process of their service and host reads a higher count of kills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from memwatch.detection.deaths import PROCESS, by_successor
from memwatch.models import Process
from memwatch.services.deaths import explained
from memwatch.services.deaths.explained import Counted
from memwatch.services.ingest.bulk import save_columns

LOOK_BACK = timedelta(minutes=10)
"""A successor explains ends that are at most so old."""
_UNEXPLAINED = (Process.End.UNKNOWN, Process.End.HOST_GONE)


def explain(readers: Sequence[Process], services: Mapping[int, str], counted: Counted, now: datetime) -> None:
    """Look for ends that the counts of these processes explain, and save them. Three queries at most."""
    if not readers:
        return
    rows = Process.objects.select_for_update(no_key=True).filter(
        host__in={reader.host for reader in readers}, end_reason__in=_UNEXPLAINED, ended_at__gte=now - LOOK_BACK
    )
    places: dict[tuple[int, str], list[Process]] = {}
    for row in rows.order_by("pk"):
        if row.end_evidence.get("noticed_by") != PROCESS:
            places.setdefault((row.service_id, row.host), []).append(row)
    if not places:
        return
    known = explained.kills_explained({host for _service, host in places}, now)
    changed = []
    for reader in readers:
        ended = places.pop((reader.service_id, reader.host), [])
        read = (reader.oom_kills, reader.oom_group_kills)
        ends = [(row.end_reason, row.end_evidence) for row in ended]
        for row, learnt in zip(ended, by_successor(ends, read, known.get(reader.host, ())), strict=True):
            if learnt is not None:
                row.end_reason, row.end_evidence = learnt
                row.end_noted_at = now
                explained.count(row, services, counted)
                changed.append(row)
    save_columns(changed, ("end_reason", "end_evidence", "end_noted_at"))
