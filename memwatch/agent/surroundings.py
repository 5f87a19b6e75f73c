"""The container's figures, from the process in it that has been watched longest, once a minute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from memwatch.agent.parent import has_agent
from memwatch.records.surroundings import Surroundings
from memwatch.sampling.limits import LimitReader
from memwatch.sampling.surroundings import cgroup
from memwatch.sampling.surroundings.processes import Budget, Processes, Seen, see

LOOK_EVERY_S = 55.0
"""So that a snapshot a minute brings one each time."""
SELDOM_S = 600.0
"""After a look that the budget cut short, and where there is no container."""


class SurroundingsWatch:
    """Used by the agent's thread alone."""

    def __init__(
        self,
        *,
        limits: LimitReader | None = None,
        processes: Processes | None = None,
        budget: Callable[[], Budget] = Budget,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or LimitReader()
        self._processes = processes or Processes(has_agent)
        self._budget = budget
        self._clock = clock
        self._look_at = 0.0
        self._elder: Seen | None = None

    def look(self) -> Surroundings | None:
        """The container; nothing before the minute is over, without a container, or where an elder process reports."""
        now = self._clock()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_EVERY_S
        if self._elder is not None and self._processes.lives(self._elder):
            return None
        place, own = self._limits.place(), see(os.getpid())
        if place is None or own is None or cgroup.is_machine(place):
            self._look_at = now + SELDOM_S
            return None
        pids, budget = cgroup.pids_of(place), self._budget()
        self._elder = self._processes.elder(pids, own, budget)
        if self._elder is not None:
            return None
        scan = self._processes.look(pids, budget)
        if not scan.complete:
            self._look_at = now + SELDOM_S
        return Surroundings(
            looked_at=datetime.now(UTC),
            **cgroup.memory_of(place),
            pressure=cgroup.pressure_of(place),
            **scan._asdict(),
        )
