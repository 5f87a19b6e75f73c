"""Flight records: whether they can be kept here, and whether the kernel tells how a process has ended."""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from memwatch import conf
from memwatch.agent.flight.recorder import Recorder
from memwatch.agent.flight.slots import JobSlots
from memwatch.terminal.finding import Finding
from memwatch.transport import TransportUnavailable
from memwatch.transport.flights import folder
from memwatch.transport.private_folder import Folder

TELLS_STATUS = (6, 15)
"""Since this version Linux tells the exit status of a process to others than its parent."""


def records() -> Iterator[Finding]:
    """Make one, and remove it."""
    own = conf.get_settings()
    if not own.flight_recorder:
        yield Finding(None, "FLIGHT_RECORDER is off: memwatch cannot say what a process was doing when it ended")
        return
    where = folder.folder_of(own.transport_url)
    try:
        _try(where)
    except (TransportUnavailable, OSError, ValueError) as error:
        remedy = "The folder must be writable, have 20 KB free for each process, and support locks (fcntl)."
        yield Finding(False, f"no flight record can be kept in {where.path}: {error}", remedy)
        return
    version = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    if version >= TELLS_STATUS:
        yield Finding(True, f"flight records are kept in {where.path / folder.FLIGHTS}")
    else:
        told = f"flight records are kept in {where.path / folder.FLIGHTS}; Linux {platform.release()} is before 6.15"
        remedy = "To learn how gunicorn's workers end: from memwatch.gunicorn import child_exit, worker_abort"
        yield Finding(None, told, f"{remedy} (in gunicorn.conf.py). For Celery nothing is needed.")


def _try(where: Folder) -> None:
    recorder, nonce = Recorder(where, JobSlots()), secrets.token_hex(8)
    who = {"service": "doctor", "host": "", "pid": os.getpid(), "started_at": datetime.now(UTC).isoformat()}
    recorder.open(folder.file_name(time.time_ns(), os.getpid(), nonce), {**who, "nonce": nonce})
    recorder.close(remove=True)
