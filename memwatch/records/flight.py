"""What a process was doing when it ended, as its flight recorder kept it, and what those who noticed its end saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from memwatch.records.json_record import Record

RUNNING, LEAVING = STATES = ("running", "leaving")
RECYCLED, TIME_LIMIT, STOPPED, CRASH, RECYCLED_BY_MEMWATCH = ENDINGS = (
    "recycled", "time_limit", "stopped", "crash", "recycled_by_memwatch",
)  # fmt: skip
"""Why a process leaves, where it knows."""
BECAME_ANOTHER = "exec"
"""In :attr:`Death.status_from`: the process has not ended, but runs another program, as after ``os.execv``."""
MAX_RECENT, MAX_RUNNING, MAX_SECONDS = 20, 24, 120
MAX_GROWERS, MAX_SUMMARY = 10, 15
MAX_DEATHS = 20
"""Ends of processes that one report may bring."""


class JobRun(NamedTuple):
    """One run of a job. On the wire it is a list: new figures go to the end."""

    kind: str
    """One of :data:`memwatch.records.work.KINDS`."""
    name: str
    began: float
    """Seconds since 1970 UTC."""
    seconds: float | None = None
    """How long it took; ``None`` while it runs."""
    limit_s: float | None = None
    """The time after which it is killed; ``None`` where it has no limit."""
    span: str = ""
    """As :mod:`memwatch.records.traces` writes it; empty where it ran in none, or is not linked with one."""


class TypeSize(NamedTuple):
    """One row of the heap summary that a process writes near its limit."""

    type: str
    objects: int
    mb: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Flight(Record):
    """The last record of a process. What is not known is ``None`` or empty."""

    key: str
    """The process, as in its reports."""
    service: str
    host: str
    pid: int
    started_at: datetime
    written_at: datetime
    """The last change of anything in it."""
    state: str = RUNNING
    ending: str = ""
    """One of :data:`ENDINGS`; empty where the process did not know."""
    running: tuple[JobRun, ...] = ()
    """At most ``MAX_RUNNING``, the eldest first."""
    recent: tuple[JobRun, ...] = ()
    """The last ``MAX_RECENT`` that ended, the newest first."""
    rss_seconds: tuple[tuple[float, float], ...] = ()
    """``(seconds since 1970, MB)`` of resident memory, oldest first."""
    rss_mb: float | None = None
    limit_mb: float | None = None
    """What the process may grow to."""
    limit_source: str | None = None
    container_mb: float | None = None
    container_limit_mb: float | None = None
    oom_kills: int | None = None
    """Processes of its cgroup that the kernel has killed for lack of memory, when it was last read."""
    oom_group_kills: int | None = None
    """How often the kernel has killed the whole cgroup at once."""
    growers: tuple[tuple[str, int], ...] = ()
    """Types with the most new objects since the baseline, and how many."""
    summary: tuple[TypeSize, ...] = ()
    """The heap near the limit, the largest first."""
    summary_at: datetime | None = None
    time_limit_s: float | None = None
    """How long the server lets a request take before it kills the worker."""
    heartbeat_s: float | None = None
    """How long a worker that serves several requests at a time may give no sign of life before the server aborts it."""

    @classmethod
    def _field_from(cls, name: str, value: Any) -> Any:
        if name in ("running", "recent"):
            return tuple([JobRun(*item) for item in value])
        if name == "summary":
            return tuple([TypeSize(*item) for item in value])
        if name in ("rss_seconds", "growers"):
            return tuple([tuple(item) for item in value])
        return Record._field_from.__func__(cls, name, value)  # type: ignore[attr-defined]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Death(Record):
    """The end of a process as another one noticed it."""

    key: str
    noticed_at: datetime
    status: int | None = None
    """As :attr:`subprocess.Popen.returncode`: the exit code, or the signal's number below 0; ``None``: not known."""
    status_from: str = ""
    """``pidfd`` (the kernel said so), ``hook`` (the process's parent did) or :data:`BECAME_ANOTHER`."""
    oom_kills: int | None = None
    """As in :class:`Flight`, after the end."""
    oom_group_kills: int | None = None
    kernel_line: str = ""
    """What the kernel's log says of it, where it can be read."""
    kernel_log: bool = False
    """Whether the log could be read from the process's start on: then the kernel has killed none that it does not
    name."""
    flight: Flight | None = None

    @classmethod
    def _field_from(cls, name: str, value: Any) -> Any:
        if name == "flight" and isinstance(value, Mapping):
            return Flight.from_dict(value)
        return Record._field_from.__func__(cls, name, value)  # type: ignore[attr-defined]
