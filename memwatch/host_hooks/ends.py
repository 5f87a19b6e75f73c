"""The end of a process: what a Celery child knows of its own, what billiard's parent knows of its child's."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from memwatch import agent
from memwatch.agent.flight import ending, notes
from memwatch.agent.lifecycle import EXIT_WAIT_S
from memwatch.host_hooks.reading import is_exactly, read
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records.flight import CRASH, RECYCLED, STOPPED
from memwatch.transport.flights import folder

EX_RECYCLE = 0x9B
"""With which billiard's child ends after its last task, or when it has become too large."""
_STOPPED = (0, -signal.SIGTERM, 128 + signal.SIGTERM)
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def pool_child_ends(exitcode: object) -> None:
    """For Celery's ``worker_process_shutdown``."""
    if type(exitcode) is int and exitcode in (EX_RECYCLE, *_STOPPED):
        ending.note(RECYCLED if exitcode == EX_RECYCLE else STOPPED)


def worker_ends(sender: object = None, **_kwargs: object) -> None:
    """For Celery's ``worker_shutdown``: whether its main process ends because of an error that nothing handled.

    Its exit code alone does not say so: a cold shutdown has the same one.
    """
    code = read(sender, "exitcode")
    if issubclass(type(sys.exc_info()[1]), Exception) and type(code) is int and code != 0:
        ending.note(CRASH)


def install() -> None:
    """Let billiard say how the children of this process end, and uvicorn that it ends itself, where they are loaded."""
    _install_uvicorn()
    wrap_method(getattr(sys.modules.get("billiard.popen_fork"), "Popen", None), "poll", _noting_poll)


def _noting_poll(poll: Callable[..., Any]) -> Callable[..., Any]:
    def noting_poll(self: Any, *arguments: Any, **options: Any) -> Any:
        before = getattr(self, "returncode", None)
        status = poll(self, *arguments, **options)
        if before is None and type(status) is int:
            note_status(self.pid, status)
        return status

    return noting_poll


def _install_uvicorn() -> None:
    """It stops in an orderly way, and then sends itself the signal again: no exit handler of Python's runs."""
    wrap_method(getattr(sys.modules.get("uvicorn.server"), "Server", None), "capture_signals", _saying_goodbye)


def _saying_goodbye(capture: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @contextlib.contextmanager
    def saying_goodbye(self: Any) -> Iterator[None]:
        deadly = {number for number in _STOP_SIGNALS if signal.getsignal(number) is signal.SIG_DFL}
        with capture(self):
            yield
            captured = read(self, "_captured_signals")
            if type(captured) is list and any(
                is_exactly(each, int, signal.Signals) and each in deadly for each in captured
            ):
                ending.note(STOPPED)
                agent.stop(EXIT_WAIT_S)

    return saying_goodbye


def note_status(pid: object, status: int) -> None:
    """The child has ended: its flight record is to say how. Nothing that goes wrong is raised."""
    running = agent.current()
    if running is not None and type(pid) is int and running.config.flight_recorder:
        try:
            notes.write_status(folder.folders_of(running.config.transport), pid, status)
        except Exception:  # noqa: BLE001 - the end is then explained without it
            return
