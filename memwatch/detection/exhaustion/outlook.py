"""When memory is exhausted, computed once for pages, API, alerts and metrics."""

from __future__ import annotations

from datetime import datetime, timedelta


def exhausted_at(judged_at: datetime, left_s: float | None, *, over: bool = False) -> datetime | None:
    """The moment of exhaustion; ``None`` without an estimate, or where the leak is ``over``."""
    if left_s is None or over:
        return None
    try:
        return judged_at + timedelta(seconds=left_s)
    except OverflowError:
        return None


def time_left_s(end: datetime | None, now: datetime) -> float | None:
    """Seconds until ``end``, 0 when it has passed."""
    return None if end is None else max(0.0, (end - now).total_seconds())
