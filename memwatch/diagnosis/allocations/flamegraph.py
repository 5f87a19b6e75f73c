"""A flame graph: memray's capture of what is allocated during a time. It is rendered elsewhere, never in the host.

The capture goes to a file without a name, so that nothing is left behind however the process ends. While it runs, the
host allocates one and a half to four times as slowly. It sees only what is allocated during the recording.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import psutil

from memwatch.diagnosis.context import Host, Refused, forks
from memwatch.diagnosis.copy import memory_headroom
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.options import FlamegraphOptions
from memwatch.diagnosis.pace import pace_of
from memwatch.records import MB
from memwatch.sampling.atomic import native_lock
from memwatch.sampling.redaction import command_line

POLL_S = 0.2
NEEDS_MB = 64.0
"""memray remembers each block that is alive: some 100 bytes for each."""
_NO_FORKS = "flame graphs are refused in processes that fork, for memray follows no child: record one of its workers"


class FlamegraphRecording:
    """Tracks for a time, within a bound, and returns the capture's bytes."""

    needs_mb = NEEDS_MB

    def __init__(self, asked: FlamegraphOptions, host: Host) -> None:
        self._asked = asked
        self._host = host
        if forks(host.program, host.arguments) or has_forked_children():
            raise Refused(_NO_FORKS)
        try:
            import memray  # noqa: F401, PLC0415 - heavy, and only where it is asked for
        except ImportError:
            raise Refused(
                "flame graphs need memray in the watched process: pip install 'memwatch[flamegraph]'"
            ) from None
        refusal = _other_tools()
        if refusal:
            raise Refused(refusal)
        self._pace = pace_of(host)

    def run(self, meter: Meter) -> Generator[float, None, bytes]:
        """Yields seconds to wait; returns the capture. However it ends, memray is idle afterwards."""
        yield from self._pace.look_before(meter)
        pid = os.getpid()
        file = _nameless_file()
        try:
            self._pace.begin()
            with meter.pausing():
                _tracking.begin(self._asked, f"/proc/self/fd/{file}")
            began = meter.elapsed_s
            while _tracking.active and (elapsed := meter.elapsed_s - began) < self._asked.duration_s:
                too_large = os.fstat(file).st_size > self._asked.max_file_mb * MB
                if too_large or self._is_full(meter) or self._pace.too_slow():
                    break
                yield min(POLL_S, max(0.0, self._asked.duration_s - elapsed))
            with meter.pausing():
                _tracking.end()
            size = os.fstat(file).st_size
            if size > self._asked.max_file_mb * MB:
                raise Refused(
                    f"the capture has {size / MB:.1f} MB, {self._asked.max_file_mb:g} are allowed: "
                    "record for a shorter time, or without native_traces"
                )
            return os.pread(file, size, 0)
        finally:
            if os.getpid() == pid:
                _tracking.end()
                os.close(file)

    def _is_full(self, meter: Meter) -> bool:
        grown = meter.rss_added_mb > 4 * NEEDS_MB
        return grown or memory_headroom.refusal(0, heap_limit_mb=self._host.heap_limit_mb) is not None


def _nameless_file() -> int:
    with contextlib.suppress(OSError, AttributeError):
        return os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    file, path = tempfile.mkstemp(prefix="memwatch-")  # not every file system knows files without a name
    os.unlink(path)  # noqa: PTH108 - beside the calls that it belongs to
    return file


class _Tracking:
    """The one tracker of the process. A fork ends it: memray and a forked child must not meet."""

    def __init__(self) -> None:
        self._lock = native_lock()
        self._tracker: Any = None

    @property
    def active(self) -> bool:
        """Whether it tracks; not any more after a fork."""
        return self._tracker is not None

    def begin(self, asked: FlamegraphOptions, path: str) -> None:
        """Track into the file. Raises :class:`Refused` where another tracker is active."""
        import memray  # noqa: PLC0415

        destination = memray.FileDestination(path, overwrite=True, compress_on_exit=False)
        with self._lock, _blanked_arguments():
            tracker = memray.Tracker(
                destination=destination,
                native_traces=asked.native_traces,
                trace_python_allocators=asked.mode == "leaks",
                file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS,
            )
            try:
                tracker.__enter__()
            except RuntimeError as error:
                raise Refused(f"memray cannot start: {error}") from None
            self._tracker = tracker

    def end(self) -> None:
        """Write the capture and be idle. Harmless when repeated."""
        with self._lock:
            tracker, self._tracker = self._tracker, None
            if tracker is not None:
                tracker.__exit__(None, None, None)

    def forget(self) -> None:
        """In a forked child."""
        self._lock = native_lock()
        self._tracker = None


_tracking = _Tracking()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_tracking.end, after_in_child=_tracking.forget)


@contextlib.contextmanager
def _blanked_arguments() -> Iterator[None]:
    """memray writes ``sys.argv`` into the capture: passwords and tokens are not to get there."""
    arguments = sys.argv
    shown = command_line(arguments)
    if shown == " ".join(arguments):
        yield
        return
    sys.argv = [shown]
    try:
        yield
    finally:
        sys.argv = arguments


def has_forked_children() -> bool:
    """Whether a child of this process runs the same interpreter: one that forks workers has some."""
    own = Path("/proc/self/exe")
    with contextlib.suppress(OSError, psutil.Error):
        return any(_is_alike(child, own.readlink()) for child in psutil.Process().children())
    return False


def _is_alike(child: psutil.Process, program: Path) -> bool:
    """The helper of :mod:`multiprocessing` is no worker."""
    with contextlib.suppress(OSError, psutil.Error):
        alike = Path(f"/proc/{child.pid}/exe").readlink() == program
        return alike and not any("resource_tracker" in argument for argument in child.cmdline())
    return False


def _other_tools() -> str | None:
    """Why memray would get in the way of another tool."""
    import threading  # noqa: PLC0415
    import tracemalloc  # noqa: PLC0415

    if tracemalloc.is_tracing():
        return "tracemalloc is tracing, and memray and it exclude each other: stop it first"
    if threading.getprofile() is not None:
        return "a profiler is active in this process (threading.setprofile), and memray would replace it: stop it first"
    return None
