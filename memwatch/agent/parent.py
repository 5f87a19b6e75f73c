"""A parent without an agent (gunicorn's master, uvicorn's supervisor) is reported from outside by its eldest child."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from memwatch.agent.thread import THREAD_NAME
from memwatch.sampling.identity import OutsideProcess
from memwatch.sampling.parent_process import observe_parent
from memwatch.sampling.procmem import read_bytes

MOST_THREADS = 500
"""A look at more of them would take milliseconds."""
LOOK_AGAIN_S = 10.0
"""A child whose turn it is not looks so often whether it has become so: looking visits every process of the machine."""


class ParentWatch:
    """Observes the parent when it is this process's turn."""

    def __init__(
        self,
        *,
        agent_in: int | None = None,
        observe: Callable[[], OutsideProcess | None] = observe_parent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agent_in = agent_in
        """The pid of a parent known to have an agent: it was running when this process was forked."""
        self._observe = observe
        self._clock = clock
        self._look_at = 0.0

    def look(self) -> tuple[OutsideProcess, ...]:
        """The parent's figures, or nothing when it has an agent, is no server, or an elder child reports it."""
        parent, now = os.getppid(), self._clock()
        if parent <= 1 or parent == self._agent_in or now < self._look_at:
            return ()
        seen = None if has_agent(parent) else self._observe()
        if seen is None:
            self._look_at = now + LOOK_AGAIN_S
            return ()
        return (seen,)


def has_agent(pid: int) -> bool:
    """Whether one of the first threads of the process bears the agent's name."""
    folder, name = f"/proc/{pid}/task", f"{THREAD_NAME}\n".encode()
    try:
        threads = os.listdir(folder)[:MOST_THREADS]  # noqa: PTH208 - names are all that is wanted, of many processes
    except OSError:
        return False
    return any(read_bytes(f"{folder}/{thread}/comm", 64) == name for thread in threads)
