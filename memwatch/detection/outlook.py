"""When memory runs out: one truth for pages, API, alerts and metrics, which look at it at different times."""

from __future__ import annotations

from datetime import datetime, timedelta


def exhausted_at(judged_at: datetime, left_s: float | None, *, over: bool = False) -> datetime | None:
    """The moment, from what was left when it was judged; ``None`` for what is over, and without an end in sight."""
    if left_s is None or over:
        return None
    try:
        return judged_at + timedelta(seconds=left_s)
    except OverflowError:
        return None


def time_left_s(end: datetime | None, now: datetime) -> float | None:
    """Seconds until then, 0 when it has passed."""
    return None if end is None else max(0.0, (end - now).total_seconds())
