"""Allocator checks as they are shown: with how resident memory grew after them, from the snapshots that followed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from memwatch.diagnosis import result_shape
from memwatch.diagnosis.options import trim as options_of
from memwatch.diagnosis.trim.verdict import TrimVerdict, verdict
from memwatch.models import Recording, Snapshot
from memwatch.records import KIB_PER_MB

MOST_LEVELS = 120
ARRIVES_WITHIN = timedelta(seconds=30)
"""The last snapshot is on its way for so long."""
CLOCKS = timedelta(days=1)
"""A process's clock that differs more from the server's is not used."""


def watched_for(recording: Recording) -> timedelta:
    """How long resident memory is followed after the call."""
    try:
        minutes = options_of(recording.options).watch_minutes
    except Exception:  # noqa: BLE001 - a row of before may hold anything
        minutes = options_of({}).watch_minutes
    return timedelta(minutes=minutes)


def called_at(recording: Recording, result: Mapping[str, Any]) -> datetime:
    """When the call ended, by the process's clock as its snapshots are."""
    received = recording.finished_at or recording.requested_at
    try:
        at = datetime.fromtimestamp(result["at"], UTC)
    except (OverflowError, OSError, ValueError):
        return received
    return at if abs(at - received) < CLOCKS else received


def is_over(recording: Recording, now: datetime) -> bool:
    """Whether nothing more is to come."""
    ended = recording.process.ended_at is not None
    finished = recording.finished_at or recording.requested_at
    return ended or now >= finished + watched_for(recording) + ARRIVES_WITHIN


def followed(recording: Recording, result: Mapping[str, Any], now: datetime | None = None) -> dict[str, Any]:
    """The result with ``regrowth``, and with ``watched_s`` once that is over. One query unless it is stored."""
    if result["watched_s"] is not None or not result["trimmed"]:
        return dict(result)
    begin = called_at(recording, result)
    rows = Snapshot.objects.filter(
        process=recording.process_id,
        timestamp__gt=begin,
        timestamp__lte=begin + watched_for(recording),
        rss_kib__isnull=False,
    )
    levels = [
        {"seconds": round((at - begin).total_seconds(), 1), "rss_mb": round(kib / KIB_PER_MB, 3)}
        for at, kib in rows.order_by("timestamp").values_list("timestamp", "rss_kib")
        if kib is not None
    ]
    step = -(-len(levels) // MOST_LEVELS) or 1
    kept = levels[::step]
    if levels and kept[-1] is not levels[-1]:
        kept.append(levels[-1])
    over = is_over(recording, now or timezone.now())
    return {**result, "regrowth": kept, "watched_s": _length(recording, kept) if over else None}


def _length(recording: Recording, levels: list[dict[str, float]]) -> float:
    whole = watched_for(recording).total_seconds()
    if recording.process.ended_at is None:
        return whole
    return min(whole, levels[-1]["seconds"] if levels else 0.0)


def verdict_of(recording: Recording) -> TrimVerdict | None:
    """Of a finished check; ``None`` where its row holds no result of the kind."""
    try:
        result = result_shape.checked(recording.kind, recording.result)
    except ValueError:
        return None
    return verdict(followed(recording, result))
