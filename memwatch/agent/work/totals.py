"""What jobs took, summed up by name, until a snapshot takes it along."""

from __future__ import annotations

from collections import deque
from typing import Any

from memwatch.agent.work.clock import Clock
from memwatch.agent.work.traces import Trace
from memwatch.records import traces
from memwatch.records.histogram import bucket
from memwatch.records.work import HISTOGRAMS, MAX_NAMES, OTHER, UNNAMED, WorkFigures
from memwatch.transport import gevent_compat

_WAITING = 4_096
"""Ended jobs that may wait while another thread adds up."""

BATCH = 16
"""Jobs that are added up at once: that takes several times as long for a single one, whose thread has used the
processor's caches for other things since the last."""

MISSES = 3
"""So many snapshots in a row that find the sums in use: no thread uses them."""

Ended = tuple[str, str, float, bool, bool, int | None, int | None, int | None, int | None, int | None, Trace | None]
"""A job that has ended: kind, name, seconds, whether it failed, whether it is shared, blocks kept, KiB kept, KiB of its
rise to the peak, the same where it was only noticed because the peak rose, KiB resident at the peak, its span. What
was not measured, or is of several jobs at once, is ``None``."""


class Totals:
    """Any thread adds; the agent's thread takes. No thread of the host ever waits for another one here.

    A job waits in a queue, which every sixteenth one empties, or the agent. Who finds the sums in use leaves that to
    the next. A signal's handler may raise in a thread that has just been given the guard: it never gives it back, so
    the agent makes another one.
    """

    def __init__(self) -> None:
        self._guard = gevent_compat.new_lock()
        self._missed = 0
        self.ended: deque[Ended] = deque(maxlen=_WAITING)
        """Jobs that wait to be added up: every :data:`BATCH`-th one calls :meth:`add_up`."""
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.spent = 0.0
        """Seconds that the threads of jobs took to add up, until a meter pays for them."""

    def add_up(self) -> None:
        """Empty the queue, unless another thread uses the sums."""
        guard = self._guard
        if guard.acquire(blocking=False):
            began = Clock.now()
            try:
                self._fold()
            finally:
                guard.release()
            self.spent += Clock.now() - began

    @property
    def waiting(self) -> bool:
        """Whether a job has ended since the last :meth:`take`."""
        return bool(self._rows or self.ended)

    def take(self) -> tuple[WorkFigures, ...] | None:
        """Everything since the last call; ``None`` where no job has ended. For the agent's thread."""
        guard = self._guard
        if not guard.acquire(timeout=0.05):
            self._missed += 1
            if self._missed < MISSES:
                return None  # with the next snapshot
            guard = gevent_compat.new_lock()
            guard.acquire()
            self._guard = guard
        self._missed = 0
        try:
            self._fold()
            rows, self._rows = self._rows, {}
        finally:
            guard.release()
        return tuple([_figures(kind, name, row) for (kind, name), row in rows.items()]) or None

    def _fold(self) -> None:
        while self.ended:
            try:
                ended = self.ended.popleft()
            except IndexError:
                return
            self._count(ended)

    def _count(self, ended: Ended) -> None:
        kind, name = ended[0], ended[1] or UNNAMED
        row = self._rows.get((kind, name))
        if row is None:
            if len(self._rows) >= MAX_NAMES:
                name = OTHER
            row = self._rows.setdefault(
                (kind, name), {"calls": 0, "seconds": 0.0, "seconds_max": 0.0, "seconds_counts": {}}
            )
        _count(row, ended)


def _count(row: dict[str, Any], ended: Ended) -> None:
    _kind, _name, seconds, failed, shared, blocks, rss_kib, peak_kib, late_kib, peak_rss_kib, trace = ended
    row["calls"] += 1
    row["seconds"] += seconds
    row["seconds_max"] = max(row["seconds_max"], seconds)
    _fill(row["seconds_counts"], seconds * 1e6)
    if failed:
        row["errors"] = row.get("errors", 0) + 1
    if shared:
        row["shared"] = row.get("shared", 0) + 1
    if blocks is not None:
        row["blocks_squares"] = row.get("blocks_squares", 0.0) + float(blocks) ** 2
        _sum(row, "blocks", blocks)
    if rss_kib is not None:
        _sum(row, "rss", rss_kib, "rss_kib")
    if peak_kib is not None:  # the histogram is of those that were chosen by chance
        _fill(row.setdefault("peak_counts", {}), peak_kib)
    rise_kib = late_kib if peak_kib is None else peak_kib
    if rise_kib is not None:
        row["peak_calls"] = row.get("peak_calls", 0) + 1
        if rise_kib >= row.get("peak_kib_max", 0):
            row["peak_trace"] = "" if trace is None else traces.text(*trace)
        row["peak_kib_max"] = max(row.get("peak_kib_max", 0), rise_kib)
    if peak_rss_kib is not None:
        row["peak_rss_kib"] = max(row.get("peak_rss_kib", 0), peak_rss_kib)


def _sum(row: dict[str, Any], stem: str, value: int, name: str = "") -> None:
    name = name or stem
    row[f"{stem}_calls"] = row.get(f"{stem}_calls", 0) + 1
    row[name] = row.get(name, 0) + value
    row[f"{name}_max"] = max(row.get(f"{name}_max", value), value)


def _fill(counts: dict[int, int], value: float) -> None:
    """By number here; the texts that JSON wants are made once a snapshot."""
    key = bucket(value)
    counts[key] = counts.get(key, 0) + 1


def _figures(kind: str, name: str, row: dict[str, Any]) -> WorkFigures:
    for seconds in ("seconds", "seconds_max"):
        row[seconds] = round(row[seconds], 6)
    for histogram in HISTOGRAMS:
        row[histogram] = {str(key): count for key, count in row.get(histogram, {}).items()}
    return WorkFigures(kind, name, **row)
