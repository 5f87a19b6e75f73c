"""One recording at a time: started, continued step by step by the agent's loop, ended or given up."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Generator, Mapping
from typing import Any, BinaryIO, Protocol, cast

from memwatch.diagnosis import KINDS, options, sensitive
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import memory_headroom
from memwatch.diagnosis.cost_meter import Meter
from memwatch.sampling.atomic import possible

_UNLOCKED = {
    "flamegraph": "it follows each allocation while all threads go on",
    "allocations": "it follows each allocation while all threads go on",
    "trim": "Python's objects are in mimalloc there, which gives nothing back when asked",
}
"""Kinds that a copy of the process is no help for, and why."""
JSON, MEMRAY, HEAP_DUMP = "application/json", "application/x-memray", "application/x-memwatch-heap"


class _Result(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


class _Recording(Protocol):
    @property
    def needs_mb(self) -> float:
        """Memory that it may take; 0 for one that is right near a limit too."""

    def run(self, meter: Meter) -> Generator[float, None, _Result | bytes | BinaryIO]:
        """Yields seconds to wait; returns the outcome. Closed before its end it leaves nothing behind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a recording ended."""

    state: str
    """``done``, ``failed`` or ``cancelled``."""
    measured: Mapping[str, float]
    content: bytes = b""
    content_type: str = ""
    error: str = ""
    file: BinaryIO | None = None
    """The content where it is too large for memory; who takes the outcome closes it."""


def _made(kind: str, given: Mapping[str, Any], host: Host) -> _Recording:
    """The recording of a kind. Imports what that kind needs, and nothing else."""
    if kind == "referrers":
        from memwatch.diagnosis.referrers.recording import ReferrersRecording  # noqa: PLC0415

        asked = options.referrers(given)
        if asked.values:
            sensitive.refuse(asked.type, asked.container, allowed=host.shows_values)
        return ReferrersRecording(asked, host)
    if kind == "allocations":
        from memwatch.diagnosis.allocations.recording import AllocationsRecording  # noqa: PLC0415

        return AllocationsRecording(options.allocations(given), host)
    if kind == "flamegraph":
        from memwatch.diagnosis.allocations.flamegraph import FlamegraphRecording  # noqa: PLC0415

        return FlamegraphRecording(options.flamegraph(given), host)
    if kind == "heap_summary":
        from memwatch.diagnosis.heap_summary import HeapSummaryRecording  # noqa: PLC0415

        return HeapSummaryRecording(host)
    if kind == "trim":
        from memwatch.diagnosis.trim.recording import TrimRecording  # noqa: PLC0415

        return TrimRecording(options.trim(given), host)
    if kind == "heap_dump":
        from memwatch.diagnosis.heap_dump.recording import HeapDumpRecording  # noqa: PLC0415

        return HeapDumpRecording(options.heap_dump(given), host)
    raise Refused(f"there is no recording of kind {kind[:40]!r}: one of {', '.join(KINDS)}")


class Recorder:
    """A recording that runs."""

    def __init__(self, kind: str, given: Mapping[str, Any], host: Host) -> None:
        """Check everything that can be known at once. Raises :class:`Refused` with a sentence."""
        if not possible() and kind in _UNLOCKED:
            raise Refused(f"{kind} needs the global lock, which this interpreter lacks: {_UNLOCKED[kind]}")
        recording = _made(kind, given, host)
        if recording.needs_mb:
            refusal = memory_headroom.refusal(recording.needs_mb, heap_limit_mb=host.heap_limit_mb)
            if refusal:
                raise Refused(refusal)
        self._meter = Meter(host.requests_handled)
        self._recording = recording
        self._run = recording.run(self._meter)
        self.next_at = time.monotonic()
        """When :meth:`step` wants to be called next (monotonic seconds)."""

    @property
    def copy_mb(self) -> float | None:
        """What only a copy of the process owns; ``None`` while there is none."""
        return self._meter.copy_mb

    @property
    def progress(self) -> Mapping[str, float]:
        """How far it is, for a kind that says so."""
        found: Mapping[str, float] = getattr(self._recording, "progress", {})
        return found

    def step(self) -> Outcome | None:
        """Go on for some milliseconds; the outcome when it is over. Raises nothing."""
        try:
            with self._meter.working():
                try:
                    wait_s = next(self._run)
                except StopIteration as end:
                    return self._done(end.value)
        except Refused as refusal:
            return Outcome("failed", self._meter.figures(), error=str(refusal))
        except Exception as error:  # noqa: BLE001 - said on the recording's page
            return Outcome("failed", self._meter.figures(), error=f"it failed: {type(error).__name__}: {error}")
        self.next_at = time.monotonic() + wait_s
        return None

    def _done(self, result: _Result | bytes | BinaryIO) -> Outcome:
        if hasattr(result, "seek"):
            figures = {**self._meter.figures(), **self.progress}
            return Outcome("done", figures, content_type=HEAP_DUMP, file=cast("BinaryIO", result))
        if isinstance(result, bytes):
            return Outcome("done", self._meter.figures(), result, MEMRAY)
        content = json.dumps(result.to_dict(), ensure_ascii=False, separators=(",", ":"))
        return Outcome("done", self._meter.figures(), content.encode("utf-8", "backslashreplace"), JSON)

    def cancel(self, reason: str) -> Outcome:
        """Give up and stop everything that was started."""
        try:
            with self._meter.working():
                self._run.close()
        except Exception as error:  # noqa: BLE001 - said on the recording's page
            reason = f"{reason}; ending it failed: {type(error).__name__}: {error}"
        return Outcome("cancelled", self._meter.figures(), error=reason)
