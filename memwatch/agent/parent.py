"""A parent without an agent (gunicorn's master, uvicorn's supervisor) is reported from outside by its eldest child."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from memwatch.agent.thread import THREAD_NAME
from memwatch.sampling.identity import OutsideProcess
from memwatch.sampling.parent_process import observe_parent

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
    """Whether a thread of the process bears the agent's name."""
    for name in Path(f"/proc/{pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):
            if name.read_text().rstrip("\n") == THREAD_NAME:
                return True
    return False
