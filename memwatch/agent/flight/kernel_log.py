"""What the kernel's log says of the end of a process, where this process may read it."""

from __future__ import annotations

import os
import re

from memwatch.agent.flight.other_process import own_pid_space
from memwatch.sampling.type_names import clean

_LONGEST = 8192
_MOST = 20_000
"""Entries that are looked at."""
_FIRST_PID_SPACE = 0xEFFFFFFC
"""The machine's own, as the kernel numbers it."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def line_about(pid: int, ticks: int, *, log: str = "/dev/kmsg", pid_space: int | None = None) -> str:
    """The newest line that says that the kernel has killed the process, or that it has crashed; empty without one.

    ``ticks``: when it started, so that nothing is said of an earlier process with its pid. A container has pids of its
    own, which the log does not know: nothing there.
    """
    if (own_pid_space() if pid_space is None else pid_space) != _FIRST_PID_SPACE:
        return ""
    crash = rb"\[%d\](?::| ).*\b(?:segfault|traps?|protection|error)\b" % pid
    wanted = re.compile(rb"Killed process %d\b|%b" % (pid, crash))
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return _search(descriptor, wanted, ticks / _TICKS * 1e6)
    finally:
        os.close(descriptor)


def _search(descriptor: int, wanted: re.Pattern[bytes], since_us: float) -> str:
    found = ""
    for _ in range(_MOST):
        try:
            entry = os.read(descriptor, _LONGEST)
        except BrokenPipeError:
            continue  # it was written over: the next one
        except OSError:
            break
        if not entry:
            break
        about, _, text = entry.partition(b";")
        fields = about.split(b",")
        if wanted.search(text) and len(fields) > 2 and fields[2].isdigit() and int(fields[2]) >= since_us:
            found = clean(text.partition(b"\n")[0].decode(errors="replace"))
    return found
