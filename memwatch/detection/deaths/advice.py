"""What to do about an end, by its reason."""

from __future__ import annotations

from memwatch.detection.deaths.reasons import (
    CRASH,
    HOST_GONE,
    OOM_CONTAINER,
    OOM_PROCESS,
    RECYCLED,
    RECYCLED_BY_MEMWATCH,
    SIGKILL,
    STOPPED,
    TIME_LIMIT,
    UNKNOWN,
)

_SMALLER = "Let the job that was running work on less at a time, or run it in a worker of its own with a higher limit."
_ROOM = "Until then, run fewer processes in the container, or raise its limit."

ADVICE = {
    OOM_PROCESS: (
        "See which job was running and what had grown: one job took much, or the process was nearly full before.",
        _SMALLER,
        "If others in the container had most of the memory, look at those first.",
        _ROOM,
    ),
    OOM_CONTAINER: (
        "All processes of the container ended at once: see which of them was the largest, and what it was doing.",
        _SMALLER,
        _ROOM,
        "Without memory.oom.group the kernel kills one process, and the others live on.",
    ),
    SIGKILL: (
        "Find who sent it: a supervisor or an orchestrator whose time for stopping was over, an operator, a script.",
        "If it was a deploy, give the process more time to stop, or let it stop sooner.",
    ),
    CRASH: (
        "Look for a traceback in the log of the service; with PYTHONFAULTHANDLER=1 a signal leaves one too.",
        "A crash with a signal is mostly in an extension module: see which were updated last.",
    ),
    TIME_LIMIT: (
        "See whether the job waited or worked: a query, a lock or a service without a timeout of its own.",
        "Split the job, or raise its limit if it is meant to take that long.",
    ),
    HOST_GONE: (
        "See whether the host was replaced, scaled down or lost: memwatch knows only that all of it is silent.",
        "If it was the container that ran out of memory, the orchestrator says so: OOMKilled.",
    ),
    UNKNOWN: (
        "See the log of what starts the processes: it knows the exit status.",
        "On kernels before 6.15, use the hooks of memwatch.gunicorn, or run the Celery worker with memwatch loaded.",
    ),
    RECYCLED: ("Nothing, unless it happens so often that starting takes more time than working.",),
    RECYCLED_BY_MEMWATCH: ("Fix the leak: recycling only keeps it from filling the memory.",),
    STOPPED: ("Nothing: it was stopped on purpose.",),
}
"""By reason: sentences, the first thing to do first."""


def advice(reason: str) -> tuple[str, ...]:
    """Sentences; none for an end of which nothing was noted but that it came."""
    return ADVICE.get(reason, ())
