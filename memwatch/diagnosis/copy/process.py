"""A copy of the process as its parent sees it: how it ended, what it took, and its end."""

from __future__ import annotations

import contextlib
import os
import signal

from memwatch.diagnosis.copy.child import private_mb
from memwatch.sampling.procmem import read_bytes

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_WAIT_FOR_CLONES = 0x40000000


class CopyProcess:
    """A child that was made without a signal at its end. A process forked from ours in between leaves it alone."""

    def __init__(self, pid: int) -> None:
        self._pid, self._owner, self._pidfd = pid, os.getpid(), -1
        with contextlib.suppress(OSError):
            self._pidfd = os.pidfd_open(pid)

    def how_ended(self) -> int | None:
        """The signal that ended it, 0 where it was none, ``None`` while it lives. It is not reaped."""
        try:
            ended = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WAIT_FOR_CLONES)
        except ChildProcessError:  # the host has reaped it
            return 0
        if ended is None:
            return None
        return 0 if ended.si_code == os.CLD_EXITED else ended.si_status

    def state(self) -> str:
        """As the kernel calls it; empty where there is none."""
        return next(iter(self._stat()), "")

    def cpu_s(self) -> float:
        """What it has taken so far."""
        return sum(map(int, self._stat()[11:13])) / _TICKS

    def owned_mb(self) -> float:
        """What only the copy has."""
        return private_mb(read_bytes(f"/proc/{self._pid}/smaps_rollup") or b"")

    def end(self) -> float | None:
        """Kill and reap it: the seconds of CPU that it took; ``None`` where that is not known."""
        try:
            if os.getpid() != self._owner:
                return None
            with contextlib.suppress(OSError):
                if self._pidfd >= 0:
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                else:
                    os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                usage = os.wait4(self._pid, _WAIT_FOR_CLONES)[2]
                return usage.ru_utime + usage.ru_stime
            return None
        finally:
            if self._pidfd >= 0:
                os.close(self._pidfd)

    def _stat(self) -> list[str]:
        """Its state and what follows, as in ``proc(5)``; empty where it is gone."""
        content = read_bytes(f"/proc/{self._pid}/stat") or b""
        return content.rpartition(b") ")[2].decode("ascii", "replace").split()
