"""The end of a process: what a Celery child knows of its own, what billiard's parent knows of its child's."""

from __future__ import annotations

import functools
import signal
import sys
from typing import Any

from memwatch import agent
from memwatch.agent.flight import ending, notes
from memwatch.records.flight import RECYCLED, STOPPED
from memwatch.transport.flights import folder

EX_RECYCLE = 0x9B
"""With which billiard's child ends after its last task, or when it has become too large."""
_STOPPED = (0, -signal.SIGTERM, 128 + signal.SIGTERM)
_WRAPPED = "__memwatch__"


def pool_child_ends(exitcode: object) -> None:
    """For Celery's ``worker_process_shutdown``."""
    if type(exitcode) is int and exitcode in (EX_RECYCLE, *_STOPPED):
        ending.note(RECYCLED if exitcode == EX_RECYCLE else STOPPED)


def install() -> None:
    """Let billiard say how the children of this process end, where it is loaded."""
    popen = getattr(sys.modules.get("billiard.popen_fork"), "Popen", None)
    poll = getattr(popen, "poll", None)
    if popen is None or poll is None or hasattr(poll, _WRAPPED):
        return

    @functools.wraps(poll)
    def noting_poll(self: Any, *arguments: Any, **options: Any) -> Any:
        before = getattr(self, "returncode", None)
        status = poll(self, *arguments, **options)
        if before is None and type(status) is int:
            note_status(self.pid, status)
        return status

    setattr(noting_poll, _WRAPPED, True)
    popen.poll = noting_poll


def note_status(pid: object, status: int) -> None:
    """The child has ended: its flight record is to say how. Nothing that goes wrong is raised."""
    running = agent.current()
    if running is not None and type(pid) is int and running.config.flight_recorder:
        try:
            notes.write_status(folder.folder_of(running.config.transport), pid, status)
        except Exception:  # noqa: BLE001 - the end is then explained without it
            return
