"""A parent that has no agent of its own, seen from outside: gunicorn's master, uvicorn's supervisor."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from memwatch.records import MB
from memwatch.sampling.identity import OutsideProcess, arguments_of
from memwatch.sampling.identity.program import SUPERVISED, guess_program
from memwatch.sampling.isolation import psutil
from memwatch.sampling.redaction import command_line


def observe_parent() -> OutsideProcess | None:
    """The figures of this process's parent, if it is a server's master and this its eldest worker; else ``None``.

    Several workers share a parent; one of them must speak for it. The caller knows whether the parent has an agent.
    """
    arguments = arguments_of(os.getppid())
    program = program_of_parent(arguments)
    if program is None:
        return None
    system = psutil()
    try:
        parent = system.Process(os.getppid())
        with parent.oneshot():
            if not _is_eldest(parent):
                return None
            memory = parent.memory_info()
            return OutsideProcess(
                pid=parent.pid,
                started_at=datetime.fromtimestamp(parent.create_time(), UTC),
                program=program,
                command_line=command_line(arguments),
                rss_mb=memory.rss / MB,
                vms_mb=memory.vms / MB,
                timestamp=datetime.now(UTC),
            )
    except (system.Error, OSError, ValueError):
        return None


def program_of_parent(arguments: list[str]) -> str | None:
    """``gunicorn master``, ``uvicorn supervisor``, …; ``None`` for everything that starts no workers."""
    if arguments and arguments[0].startswith("gunicorn: master"):  # gunicorn with setproctitle
        return "gunicorn master"
    server = guess_program(arguments).partition(" ")[0]
    if server not in SUPERVISED:
        return None
    return "gunicorn master" if server == "gunicorn" else f"{server} supervisor"


def _is_eldest(parent: Any) -> bool:
    """Whether no other worker of ``parent`` is older than this process."""
    siblings: list[tuple[float, int]] = []
    for child in parent.children():
        try:
            if "resource_tracker" not in " ".join(child.cmdline()):  # multiprocessing's, no worker
                siblings.append((child.create_time(), child.pid))
        except psutil().Error:
            continue
    return bool(siblings) and min(siblings)[1] == os.getpid()
