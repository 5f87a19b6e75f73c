"""What is known of the end of one process."""

from __future__ import annotations

import dataclasses
import signal
from datetime import datetime
from typing import NamedTuple

from memwatch.records.flight import BECAME_ANOTHER, Flight, JobRun
from memwatch.records.work import COMMAND, VIEW

PROCESS, HUB, SUCCESSOR = "process", "hub", "successor"
"""Who noticed the end: another process of the host, the server, or the server by the counters of a later process."""

EARLY_S, LATE_S = 2.0, 60.0
"""A job was killed at its time limit if its process ended so long before or after it. Later, nothing enforces it."""
FULL_PERCENT = 95.0
"""With so much of the limit in use, the kernel is likely to have killed a process that vanished."""
NEXT_FIGURE_S, LAST_FIGURES_S = 1.0, 10.0
"""When the next figure of a process's memory was to come, and how far apart the last two may be to say how it grew."""
NEAR_LARGEST = 0.8
"""The kernel kills the largest process. What it counts is not quite RSS, so one of this share of the largest may be
the one."""


class OomCounters(NamedTuple):
    """What the kernel has counted in a cgroup: processes killed for lack of memory, and kills of the whole cgroup.

    ``None``: not known.
    """

    before: int | None = None
    after: int | None = None
    group_before: int | None = None
    group_after: int | None = None

    @property
    def known(self) -> bool:
        return self.before is not None and self.after is not None

    @property
    def kills(self) -> int:
        return _rise(self.before, self.after)

    @property
    def group_kills(self) -> int:
        return _rise(self.group_before, self.group_after)

    def includes(self, other: OomCounters) -> bool:
        """Whether the last of the other's kills is one of these as well."""
        if self.before is None or self.after is None or other.after is None:
            return False
        return self.before < other.after <= self.after


NOT_COUNTED = OomCounters()


def _rise(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else max(0, after - before)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Times are by the clock of the process's host. What is not known is ``None`` or empty."""

    at: datetime
    """When its end was noticed; where only the server noticed it, its last sign of life."""
    noticed_by: str = PROCESS
    flight: Flight | None = None
    status: int | None = None
    """As in :class:`memwatch.records.flight.Death`."""
    status_from: str = ""
    kernel_line: str = ""
    kernel_log: bool = False
    """Whether the kernel's log could be read since the process started: without a line, the kernel did not kill it."""
    oom: OomCounters = NOT_COUNTED
    rss_mb: float | None = None
    """Its last known resident memory."""
    limit_mb: float | None = None
    largest_mb: float | None = None
    """The most that a process of its host has which lives on."""
    silent: int = 1
    """Processes of its host that fell silent with it; 1 where others live on."""

    stopped_with: int = 0
    """Processes of its service and host that were stopped when it was last heard of; 0 where one of them lives on."""

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it."""
        if self.status is None or self.status >= 0:
            return None
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"

    @property
    def became_another(self) -> bool:
        """Whether its pid lives on with another program."""
        return self.status_from == BECAME_ANOTHER

    @property
    def spared(self) -> bool:
        """Whether it is known that the kernel has not killed it for lack of memory."""
        return self.kernel_log and not self.kernel_line

    @property
    def ending(self) -> str:
        """Why it left, where it knew."""
        return "" if self.flight is None else self.flight.ending

    @property
    def full_percent(self) -> float:
        """How much of its limit, or of its container's, was in use when it ended; 0 where that is not known.

        Near the limit a figure is kept each second: one more has to be added to the last one where it grew fast.
        """
        flight = self.flight
        shares = [(self.rss_mb, self.limit_mb)]
        if flight is not None:
            shares.append((flight.container_mb, flight.container_limit_mb))
        since = self._grew_mb_a_second * NEXT_FIGURE_S
        return max(((used + since) / limit * 100 for used, limit in shares if used and limit), default=0.0)

    @property
    def _grew_mb_a_second(self) -> float:
        """At last; 0 where the last two figures are too far apart to say so."""
        last = self.flight.rss_seconds[-2:] if self.flight is not None else ()
        if len(last) < 2 or not 0 < last[1][0] - last[0][0] <= LAST_FIGURES_S:
            return 0.0
        return max(0.0, (last[1][1] - last[0][1]) / (last[1][0] - last[0][0]))

    @property
    def may_be_largest(self) -> bool:
        if self.rss_mb is None:
            return False
        return self.largest_mb is None or self.rss_mb >= NEAR_LARGEST * self.largest_mb

    def seconds(self, job: JobRun) -> float:
        """How long a job had been running."""
        return max(0.0, self.at.timestamp() - job.began)

    def limit_s(self, job: JobRun) -> float | None:
        """The job's time limit; of a view, the server's."""
        if job.limit_s is not None or self.flight is None or job.kind != VIEW:
            return job.limit_s
        return self.flight.time_limit_s

    @property
    def over_limit(self) -> JobRun | None:
        """The job that has just reached its time limit."""
        for job in self.flight.running if self.flight is not None else ():
            limit = self.limit_s(job)
            if limit is not None and -EARLY_S <= self.seconds(job) - limit <= LATE_S:
                return job
        return None

    @property
    def may_have_hung(self) -> bool:
        """Whether a view may have kept the worker from giving a sign of life: it gives one in each half of its time."""
        flight = self.flight
        if flight is None or flight.heartbeat_s is None:
            return False
        views = [job for job in flight.running if job.kind == VIEW]
        return any(self.seconds(job) >= flight.heartbeat_s / 2 for job in views)

    @property
    def hung(self) -> bool:
        """Whether such a view ran for that time, and the process wrote nothing down while it did.

        Code in C that keeps the interpreter's lock looks like that. The server's SIGABRT has no effect then, and it
        kills the worker a second later.
        """
        flight = self.flight
        if flight is None or flight.heartbeat_s is None:
            return False
        silent_s = self.at.timestamp() - flight.written_at.timestamp()
        longest = max((self.seconds(job) for job in flight.running if job.kind == VIEW), default=0.0)
        return min(silent_s, longest) >= flight.heartbeat_s - EARLY_S and longest <= 1.5 * flight.heartbeat_s + LATE_S

    @property
    def job(self) -> JobRun | None:
        """The job at its time limit, else the eldest that was running. A command may be what runs the others."""
        running = self.flight.running if self.flight is not None else ()
        return self.over_limit or min(running, key=lambda job: (job.kind == COMMAND, job.began), default=None)
