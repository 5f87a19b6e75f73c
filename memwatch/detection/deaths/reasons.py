"""The reasons for which a process ends."""

from __future__ import annotations

from memwatch.records import flight

RECYCLED, TIME_LIMIT, STOPPED, CRASH, RECYCLED_BY_MEMWATCH = flight.ENDINGS
OOM_PROCESS, OOM_CONTAINER, SIGKILL, HOST_GONE, UNKNOWN = (
    "oom_process", "oom_container", "sigkill", "host_gone", "unknown",
)  # fmt: skip
REASONS = (
    OOM_PROCESS, OOM_CONTAINER, SIGKILL, CRASH, RECYCLED, RECYCLED_BY_MEMWATCH, TIME_LIMIT, STOPPED, HOST_GONE, UNKNOWN,
)  # fmt: skip
KILLED = (OOM_PROCESS, OOM_CONTAINER, SIGKILL, CRASH, TIME_LIMIT)
"""Ends that raise an alert."""
HARMLESS = (RECYCLED, RECYCLED_BY_MEMWATCH, STOPPED)
"""Ends that somebody meant. Little is kept of them: there may be many."""
