"""What the memory of a container is made of, and what else runs in it, as one of its processes sees it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, NamedTuple

from memwatch.records.json_record import Record

MAX_LARGEST = 20
"""Processes without an agent that are named."""
MAX_WATCHED = 500
"""Watched processes whose pids are reported."""
MAX_PROCESS_NAME = 40


class Neighbour(NamedTuple):
    """A process of the container that has no agent. On the wire it is a list: new figures go to the end."""

    pid: int
    name: str
    """As the kernel has it, at most 15 characters. Never an argument."""
    rss_mb: float
    pss_mb: float | None = None
    """``None`` where it may not be read, or would take too long."""


class Pressure(NamedTuple):
    """Percent of the time that processes of the container waited for memory (PSI)."""

    some_10: float | None = None
    """At least one waited, over 10 s."""
    some_60: float | None = None
    full_10: float | None = None
    """All waited."""
    full_60: float | None = None


PARTS = {
    "anon_mb": "Memory of processes that no file backs: heaps, stacks",
    "file_mb": "Page cache, with tmpfs and shared memory",
    "mapped_mb": "The part of file_mb that processes have mapped",
    "inactive_file_mb": "The part of file_mb that was not used lately",
    "shmem_mb": "The part of file_mb in tmpfs and shared memory, which is freed only by deleting it",
    "kernel_mb": "The kernel's own memory for the container: slab, page tables, stacks, sockets",
    "slab_mb": "The part of kernel_mb in slabs",
    "sock_mb": "Buffers of network connections",
}
"""What the container's memory is made of, with what each means."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings(Record):
    """The container of a process. What the kernel does not say is ``None``."""

    looked_at: datetime
    used_mb: float | None = None
    """All that is charged to the container, page cache included."""
    limit_mb: float | None = None
    peak_mb: float | None = None
    """The highest ``used_mb`` since the container was made."""
    anon_mb: float | None = None
    """This and the next ones: see :data:`PARTS`."""
    file_mb: float | None = None
    mapped_mb: float | None = None
    inactive_file_mb: float | None = None
    shmem_mb: float | None = None
    kernel_mb: float | None = None
    slab_mb: float | None = None
    sock_mb: float | None = None
    pressure: Pressure | None = None

    complete: bool = True
    """Whether all processes were looked at; ``False`` where that would take too long."""
    watched: int = 0
    """Processes with an agent, and their servers' masters."""
    watched_mb: float | None = None
    """Their memory: the sum of their PSS, and of the private part of those whose PSS is not known."""
    watched_pids: tuple[int, ...] = ()
    unwatched: int = 0
    unwatched_mb: float | None = None
    largest: tuple[Neighbour, ...] = ()
    """The largest without an agent."""
    hidden: int = 0
    """Processes of the container that this one cannot see: they are in another pid namespace."""

    @classmethod
    def _field_from(cls, name: str, value: Any) -> Any:
        if name == "largest":
            return tuple([Neighbour(*item) for item in value])
        if name == "pressure" and value is not None:
            return Pressure(*value)
        if name == "watched_pids":
            return tuple(value)
        return Record._field_from.__func__(cls, name, value)  # type: ignore[attr-defined]
