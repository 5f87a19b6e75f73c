"""Whether a seccomp filter may end this process for making a copy of itself.

The kernel does not say what a filter does: refuse a call with an error, or end the process that makes it. But a filter
that the process has in common with the one that forked it has let that fork pass, and the one of a container, which its
first process has too, is of the container's runtime, which answers with an error.
"""

from __future__ import annotations

import os

from memwatch.sampling.procmem import read_bytes

_FILTERED = 2


def may_kill(proc: str = "/proc") -> str | None:
    """Why no copy is made, as a part of a sentence; ``None`` where no filter of the process's own is there."""
    mode, filters = _of(f"{proc}/self/status")
    if mode != _FILTERED:
        return None
    for other in (os.getppid(), 1):
        if other > 0 and _of(f"{proc}/{other}/status") == (mode, filters):
            return None
    return "a seccomp filter, which may end a process that forks, was set up for this program alone"


def _of(path: str) -> tuple[int, int]:
    """Mode, and the number of filters (0 before Linux 5.9); the mode is -1 where it is not known."""
    found = {}
    for line in (read_bytes(path) or b"").splitlines():
        name, _, value = line.partition(b":")
        if name in (b"Seccomp", b"Seccomp_filters") and value.strip().isdigit():
            found[name] = int(value)
    return found.get(b"Seccomp", -1), found.get(b"Seccomp_filters", 0)
