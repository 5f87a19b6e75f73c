"""How many processes of a cgroup the kernel has killed for lack of memory: cgroup v2 and v1."""

from __future__ import annotations

from memwatch.sampling.limits import LimitReader, parse_stat
from memwatch.sampling.procmem import read_bytes

_FILES = ("memory.events", "memory.oom_control")
"""Of v2 and of v1."""

Counters = tuple[int, int]
"""Processes killed, and how often the whole cgroup was killed at once."""


def parse(content: bytes | None) -> Counters | None:
    """The counters of either file; v1 never kills all at once."""
    kills = parse_stat(content, b"oom_kill")
    return None if kills is None else (kills, parse_stat(content, b"oom_group_kill") or 0)


def counters(file: str) -> Counters | None:
    """The counters in a file that :meth:`OomCounters.file` has named, of this or of another process.

    ``None`` for a path that leads anywhere else: it may come from a record that somebody has made up.
    """
    parts = file.split("/")
    if parts[0] or parts[-1] not in _FILES or ".." in parts:
        return None
    return parse(read_bytes(file))


class OomCounters:
    """Those of this process's cgroup."""

    def __init__(self, limits: LimitReader | None = None) -> None:
        self._limits = limits or LimitReader()

    def file(self) -> str:
        """Where they are now; empty where the kernel does not count."""
        paths = (f"{folder}/{name}" for folder in self._limits.own_folders() for name in _FILES)
        return next((path for path in paths if counters(path) is not None), "")
