"""What the kernel's log says of the end of a process, where this process may read it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from memwatch.agent.flight.other_process import own_pid_space
from memwatch.sampling.type_names import clean

_LONGEST = 8192
_MOST = 20_000
"""Entries that are looked at."""
_FIRST_PID_SPACE = 0xEFFFFFFC
"""The machine's own, as the kernel numbers it."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Said(NamedTuple):
    """What the log says of a process."""

    line: str = ""
    """The newest that says that the kernel has killed it, or that it has crashed; empty without one."""
    is_whole: bool = False
    """Whether all was read since the process started."""


def about(pid: int, ticks: int, *, log: str = "/dev/kmsg", pid_space: int | None = None) -> Said:
    """``ticks``: when the process started, so that nothing is said of an earlier one with its pid.

    A container has pids of its own, which the log does not know: nothing there.
    """
    if (own_pid_space() if pid_space is None else pid_space) != _FIRST_PID_SPACE:
        return Said()
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Said()
    crash = rb"\[%d\](?::| ).*\b(?:segfault|traps?|protection|error)\b" % pid
    try:
        return _search(descriptor, re.compile(rb"Killed process %d\b|%b" % (pid, crash)), ticks / _TICKS * 1e6)
    finally:
        os.close(descriptor)


def _search(descriptor: int, wanted: re.Pattern[bytes], since_us: float) -> Said:
    line, first = "", None
    for _ in range(_MOST):
        try:
            entry = os.read(descriptor, _LONGEST)
        except BrokenPipeError:  # it was written over: the next one
            first = since_us + 1
            continue
        except BlockingIOError:
            return Said(line, first is not None and first <= since_us)
        except OSError:
            break
        about, _, text = entry.partition(b";")
        fields = about.split(b",")
        if len(fields) < 3 or not fields[2].isdigit():
            break
        at_us = int(fields[2])
        first = at_us if first is None else first
        if at_us >= since_us and wanted.search(text):
            line = clean(text.partition(b"\n")[0].decode(errors="replace"))
    return Said(line)
