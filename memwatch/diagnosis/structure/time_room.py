"""For how long a container may grow whose entries expire: the one place for these figures. No heap is touched."""

from __future__ import annotations

ROOM = 1.5
"""Growth may go on for so many times of what an entry lives."""
SWEEP_S = 60.0
"""And for this long: programs remove what is over from time to time."""
MOST_S = 86_400.0
"""A longer life of entries is no excuse."""
ENOUGH = 10
"""Entries with a time of expiry, at least, that show whether they are removed in time."""
LATE = 0.05
"""Share of entries that are overdue, above which they are not removed."""


def room_s(lifetime_s: float) -> float:
    """For how long growth is expected."""
    return ROOM * lifetime_s + SWEEP_S


def is_kept(timed: float, overdue: float) -> bool:
    """Whether entries are removed when their time is over."""
    return overdue <= LATE * timed
