"""This process's resident memory now and at its highest, cheaply enough to ask for each job.

``statm`` takes 2 to 16 microseconds, resetting the peak 4 to 15, the peak itself 1 by ``getrusage`` and 8 to 50 by
``status``. On other systems than Linux all is unknown.
"""

from __future__ import annotations

import contextlib
import errno
import os

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ALIKE_KIB = 256
_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024 if hasattr(os, "sysconf") else 4


_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
"""What the system lacks now and then: the next reset may succeed."""


class _KeptFile:
    """A file of /proc read again and again through one descriptor."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._descriptor = -1
        with contextlib.suppress(OSError, ValueError):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._identity = self._which()

    def _which(self) -> tuple[int, int]:
        found = os.fstat(self._descriptor)
        return found.st_dev, found.st_ino

    def read(self, size: int) -> bytes:
        """Its beginning; empty where it cannot be read."""
        if self._descriptor < 0:
            return b""
        try:
            return os.pread(self._descriptor, size, 0)
        except OSError:
            return b""

    def is_ours(self) -> bool:
        """Whether the descriptor is still this file's: a host that becomes a daemon closes all it does not know."""
        try:
            return self._descriptor >= 0 and self._which() == self._identity
        except OSError:
            return False

    def close(self) -> None:
        """Close it, unless the number belongs to another file by now."""
        if self.is_ours():
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1


def _usage_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class OwnMemory:
    """Made in the process it reads: a forked child needs another one."""

    def __init__(self) -> None:
        self._statm = _KeptFile("/proc/self/statm")
        self._status = _KeptFile("/proc/self/status")
        self.resets = True
        """Whether the peak can be reset: false once the kernel has refused."""
        self._by_usage: bool | None = None
        """Whether ``getrusage`` says the same as ``status``. It does not where the process that became this one by
        ``exec`` was larger."""

    def rss_kib(self) -> int | None:
        """Resident memory in KiB; ``None`` where the system does not say."""
        fields = self._statm.read(80).split(None, 2)
        return int(fields[1]) * _PAGE_KIB if len(fields) == 3 and fields[1].isdigit() else None

    def peak_kib(self) -> int | None:
        """The highest resident memory since :meth:`reset_peak`; ``None`` where the kernel does not say."""
        return _usage_kib() if self._by_usage else self._status_kib()

    def _status_kib(self) -> int | None:
        text = self._status.read(2048)
        at = text.find(b"VmHWM:")
        if at < 0:
            return None
        number = text[at + 6 : at + 30].split(None, 1)
        return int(number[0]) if number and number[0].isdigit() else None

    def reset_peak(self) -> bool:
        """Let the peak begin at what is resident now. It changes nothing else, but ``ru_maxrss`` follows it.

        The file is opened each time: a kept descriptor whose number the host reuses must not be written to.
        """
        if self.resets:
            try:
                descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(descriptor, b"5")
                finally:
                    os.close(descriptor)
            except (OSError, ValueError) as error:
                self.resets = getattr(error, "errno", None) in _PASSING
                return False
            if self._by_usage is None:
                self._compare()
        return self.resets

    def _compare(self) -> None:
        peak = self._status_kib()
        self._by_usage = peak is not None and resource is not None and abs(_usage_kib() - peak) <= ALIKE_KIB

    def check(self) -> None:
        """Open again what the host has closed, compare both ways. Called now and then, not for each job."""
        for name in ("_statm", "_status"):
            kept: _KeptFile = getattr(self, name)
            if not kept.is_ours():
                setattr(self, name, _KeptFile(f"/proc/self/{name[1:]}"))
        if self._by_usage is not None:
            self._compare()

    def close(self) -> None:
        """Close both files."""
        self._statm.close()
        self._status.close()
