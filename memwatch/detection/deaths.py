"""Why a process ended, from what it left behind and from what those who noticed its end saw."""

from __future__ import annotations

OOM_PROCESS, OOM_CONTAINER, SIGKILL, CRASH, RECYCLED, TIME_LIMIT, STOPPED, HOST_GONE, UNKNOWN = REASONS = (
    "oom_process", "oom_container", "sigkill", "crash", "recycled", "time_limit", "stopped", "host_gone", "unknown",
)  # fmt: skip
