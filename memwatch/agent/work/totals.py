"""What jobs took, summed up by name, until a snapshot takes it along."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from memwatch.records.histogram import bucket
from memwatch.records.work import MAX_NAMES, OTHER, WorkFigures
from memwatch.transport import gevent_compat

_WAITING = 4_096
"""Ended jobs that may wait while another thread adds up."""


class Ended(NamedTuple):
    """One job that has ended. What was not measured, or cannot be distinguished from other jobs, is ``None``."""

    kind: str
    name: str
    seconds: float
    error: bool
    shared: bool
    blocks: int | None = None
    rss_kib: int | None = None
    peak_kib: int | None = None
    peak_rss_kib: int | None = None


class Totals:
    """Any thread adds; the agent's thread takes. No thread of the host ever waits for another one here.

    Who finds the sums in use leaves its job in a queue, which the next one empties.
    """

    def __init__(self) -> None:
        self._guard = gevent_compat.new_lock()
        self._ended: deque[Ended] = deque(maxlen=_WAITING)
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, ended: Ended) -> None:
        """Count a job."""
        self._ended.append(ended)
        if self._guard.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._guard.release()

    @property
    def waiting(self) -> bool:
        """Whether a job has ended since the last :meth:`take`."""
        return bool(self._rows or self._ended)

    def take(self) -> tuple[WorkFigures, ...] | None:
        """Everything since the last call; ``None`` where no job has ended. For the agent's thread."""
        if not self._guard.acquire(timeout=0.05):
            return None  # with the next snapshot
        try:
            self._fold()
            rows, self._rows = self._rows, {}
        finally:
            self._guard.release()
        return tuple([WorkFigures(kind, name, **row) for (kind, name), row in rows.items()]) or None

    def _fold(self) -> None:
        while self._ended:
            try:
                ended = self._ended.popleft()
            except IndexError:
                return
            key = (ended.kind, ended.name)
            row = self._rows.get(key)
            if row is None:
                if len(self._rows) >= MAX_NAMES:
                    key = (ended.kind, OTHER)
                row = self._rows.setdefault(key, {"calls": 0, "seconds": 0.0, "seconds_max": 0.0, "seconds_counts": {}})
            _count(row, ended)


def _count(row: dict[str, Any], ended: Ended) -> None:
    row["calls"] += 1
    row["seconds"] = round(row["seconds"] + ended.seconds, 6)
    row["seconds_max"] = max(row["seconds_max"], round(ended.seconds, 6))
    _fill(row["seconds_counts"], ended.seconds * 1e6)
    if ended.error:
        row["errors"] = row.get("errors", 0) + 1
    if ended.shared:
        row["shared"] = row.get("shared", 0) + 1
    if ended.blocks is not None:
        row["blocks_squares"] = row.get("blocks_squares", 0.0) + float(ended.blocks) ** 2
        _sum(row, "blocks", ended.blocks)
    if ended.rss_kib is not None:
        _sum(row, "rss", ended.rss_kib, "rss_kib")
    if ended.peak_kib is not None:
        row["peak_calls"] = row.get("peak_calls", 0) + 1
        row["peak_kib_max"] = max(row.get("peak_kib_max", 0), ended.peak_kib)
        _fill(row.setdefault("peak_counts", {}), ended.peak_kib)
    if ended.peak_rss_kib is not None:
        row["peak_rss_kib"] = max(row.get("peak_rss_kib", 0), ended.peak_rss_kib)


def _sum(row: dict[str, Any], stem: str, value: int, name: str = "") -> None:
    name = name or stem
    calls = row.get(f"{stem}_calls", 0)
    row[f"{stem}_calls"] = calls + 1
    row[name] = row.get(name, 0) + value
    row[f"{name}_max"] = max(row[f"{name}_max"], value) if calls else value


def _fill(counts: dict[str, int], value: float) -> None:
    key = str(bucket(value))
    counts[key] = counts.get(key, 0) + 1
