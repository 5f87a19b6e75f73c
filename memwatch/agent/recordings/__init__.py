"""Recordings on command: one at a time, continued between the agent's other work, their outcome sent in parts."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from memwatch.agent.recordings.upload import Upload
from memwatch.agent.work import spans
from memwatch.transport.recordings import RecordingPart, is_recording_id, split

if TYPE_CHECKING:
    from memwatch.diagnosis.context import Host
    from memwatch.diagnosis.recorder import Outcome, Recorder
    from memwatch.records import MemorySnapshot

_PROGRESS_S = 2.0
"""Between two words of how far a recording is."""
_loading_in = 0
"""The process that is importing what recordings need, while it does."""
_spoilt_in = 0
"""A process forked amid such an import: no thread will ever release its import locks."""


class RecordingDesk:
    """Takes ``record`` and ``cancel_recording``. Nothing of :mod:`memwatch.diagnosis` is imported before the first."""

    def __init__(self, host: Callable[[], Host]) -> None:
        self._host = host
        self._recorder: Recorder | None = None
        self._id = ""
        self.parts: deque[RecordingPart] = deque()
        """What is to be sent, in order."""
        self._upload: Upload | None = None
        self._progress_at = 0.0

    @property
    def next_at(self) -> float:
        """When :meth:`step` wants to be called (monotonic seconds); infinity while nothing is recorded."""
        if self._upload is not None:
            return self._upload.next_at
        return math.inf if self._recorder is None else self._recorder.next_at

    def discount(self, snapshot: MemorySnapshot) -> MemorySnapshot:
        """The snapshot without what a recording's copy of the process takes: that is no growth of the program's."""
        copy_mb = None if self._recorder is None else self._recorder.copy_mb
        if copy_mb is None:
            return snapshot
        used = snapshot.cgroup_used_mb
        return dataclasses.replace(
            snapshot,
            uss_mb=None,  # the two share nearly all of their memory
            pss_mb=None,
            cgroup_used_mb=None if used is None else max(0.0, used - copy_mb),
        )

    def record(self, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """``(state, detail)`` of the answer: ``done`` once it has started, else ``refused`` and why."""
        wanted, kind = arguments.get("recording"), arguments.get("kind")
        given = arguments.get("options") or {}
        if not is_recording_id(wanted) or not isinstance(kind, str) or not isinstance(given, Mapping):
            return "refused", "record wants `recording` (16 hexadecimal digits), `kind` and `options` (an object)"
        if self._recorder is not None:
            return "refused", f"busy: already recording {self._id}, cancel it or wait for its end"
        if self.parts or self._upload is not None:
            recording = self._id if self._upload is not None else self.parts[0].recording
            return "refused", f"busy: the outcome of recording {recording} is still being sent"
        if _spoilt_in == os.getpid():
            return "refused", "this process was forked while its parent was loading a recorder: record another one"
        try:
            self._recorder = self._made(kind, given)
        except Exception as refusal:  # noqa: BLE001 - Refused among them, whose class is not to be imported for this
            return "refused", str(refusal) or type(refusal).__name__
        self._id, self._progress_at = str(wanted), time.monotonic() + _PROGRESS_S
        self.parts.append(RecordingPart(recording=self._id, state="running", traces=tuple(spans.running_now())))
        return "done", "started"

    def _made(self, kind: str, given: Mapping[str, Any]) -> Recorder:
        global _loading_in  # noqa: PLW0603 - one per process
        _loading_in = os.getpid()
        try:
            from memwatch.diagnosis.recorder import Recorder  # noqa: PLC0415 - only where somebody records

            return Recorder(kind, given, self._host())
        finally:
            _loading_in = 0

    def cancel(self, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """``(state, detail)`` of the answer."""
        wanted = arguments.get("recording")
        if self._upload is not None and wanted == self._id:
            self._drop_upload("cancelled on command")
            return "done", "cancelled"
        if self._recorder is None or wanted != self._id:
            return "refused", "that recording does not run here: it is over, or this is another process"
        self._end(self._recorder.cancel("cancelled on command"))
        return "done", "cancelled"

    def step(self) -> None:
        """Go on with what is being recorded, or with sending what was."""
        if self._upload is not None:
            self._send_more(self._upload)
            return
        outcome = None if self._recorder is None else self._recorder.step()
        if outcome is not None:
            self._end(outcome)
        elif self._recorder is not None and not self.parts and time.monotonic() >= self._progress_at:
            self._progress_at = time.monotonic() + _PROGRESS_S
            if progress := self._recorder.progress:
                self.parts.append(RecordingPart(recording=self._id, state="running", measured=progress))

    def _send_more(self, upload: Upload) -> None:
        try:
            self.parts += upload.take(waiting=len(self.parts))
        except (OSError, ValueError) as error:
            self._drop_upload(str(error), "failed")
            return
        if upload.done:
            upload.close()
            self._upload = None

    def _drop_upload(self, reason: str, state: str = "cancelled") -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.close()
            self.parts.clear()
            self._fail(state, reason, {})

    def close(self) -> None:
        """The process ends: so does the recording."""
        self._drop_upload("the process ended before its outcome was sent: record its successor", "failed")
        if self._recorder is not None:
            self._end(self._recorder.cancel("the process ended during the recording: record its successor"))

    def _end(self, outcome: Outcome) -> None:
        self._recorder = None
        if running := spans.running_now():
            self.parts.append(RecordingPart(recording=self._id, state="running", traces=tuple(running)))
        if outcome.file is not None:
            self._upload = Upload(self._id, outcome.file, outcome.measured)
        elif outcome.state == "done":
            try:
                self.parts += split(
                    self._id, outcome.content, content_type=outcome.content_type, measured=outcome.measured
                )
            except ValueError as too_large:
                self._fail("failed", str(too_large), outcome.measured)
        else:
            self._fail(outcome.state, outcome.error, outcome.measured)

    def _fail(self, state: str, error: str, measured: Mapping[str, float]) -> None:
        self.parts.append(RecordingPart(recording=self._id, state=state, error=error, measured=measured))


def release_objects() -> None:
    """Before a fork: what a recording holds of the program must not live on in the child, which does not record."""
    listing = sys.modules.get("memwatch.diagnosis.heap.tracked_objects")
    if listing is not None and hasattr(listing, "release"):
        listing.release()


def begin_anew() -> None:
    """In a forked child: was the parent importing?"""
    global _loading_in, _spoilt_in
    if _loading_in:
        _loading_in, _spoilt_in = 0, os.getpid()
