"""A heap dump asked for at a terminal: of a process of this deployment, through its recordings."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from memwatch.formatting import count
from memwatch.heapdump.format import HeapDumpError
from memwatch.models import Process, Recording, RecordingKind
from memwatch.queries.diagnosis.recordings import parts_received
from memwatch.queries.processes.lookup import alive_agents
from memwatch.services import ActionRefused, audit
from memwatch.services.recordings import heap_dumps, requests
from memwatch.services.recordings.storage import OutcomeMissing

POLL_S = 1.0
GRACE = timedelta(minutes=2)
"""After the deadline: the worker ends a recording within it."""
_ONLY_MINE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


def dump(pid: int, file: Path, *, host: str, max_mb: float, any_driver: bool, say: Callable[[str], None]) -> None:
    """Ask the process, wait until its dump has arrived, and copy it to ``file``.

    Raises :class:`HeapDumpError` with a sentence where there is none.
    """
    process = _process(pid, host)
    options = {"max_mb": max_mb, "any_driver": any_driver}
    try:
        recording = requests.request(process, RecordingKind.HEAP_DUMP, options=options, wait_s=requests.REFUSAL_WAIT_S)
    except (ActionRefused, ValueError) as refused:
        raise HeapDumpError(str(refused)) from None
    audit.at_terminal("Asked for: heap_dump.", recording)
    try:
        _wait(recording, say)
    except KeyboardInterrupt:
        with contextlib.suppress(ActionRefused):  # over by now
            requests.cancel(recording, by=None)
        raise
    try:
        with heap_dumps.opened(recording) as stored, os.fdopen(os.open(file, _ONLY_MINE, 0o600), "wb") as target:
            for part in stored.chunks():
                target.write(part)
    except OutcomeMissing as missing:
        raise HeapDumpError(str(missing)) from None


def _process(pid: int, host: str) -> Process:
    found = [each for each in alive_agents() if each.pid == pid and (not host or each.host == host)]
    if not found:
        on = f" on {host}" if host else ""
        raise HeapDumpError(
            f"no process {pid}{on} is watched by memwatch: memwatch_top lists those that are, and a program without "
            "Django dumps its own heap with memwatch.dump_heap(path)"
        )
    if len(found) > 1:
        raise HeapDumpError(f"process {pid} is on {', '.join(sorted(each.host for each in found))}: give --host")
    return found[0]


def _wait(recording: Recording, say: Callable[[str], None]) -> None:
    """Until it is done. The worker of the deployment reads the reports and stores the parts."""
    said = ""
    while recording.is_pending:
        time.sleep(POLL_S)
        recording.refresh_from_db()
        received, parts = parts_received(recording)
        objects = recording.measured.get("objects")
        now = f"{received} of {parts} parts" if parts else f"{count(int(objects))} objects" if objects else ""
        if now and now != said:
            say(now)
            said = now
        if recording.is_pending and timezone.now() > recording.deadline + GRACE:
            raise HeapDumpError("the dump has not arrived: check that the Celery worker runs")
    if recording.state != Recording.State.DONE:
        raise HeapDumpError(recording.error or f"the recording was {recording.get_state_display()}")
