"""What a recording of kind ``trim`` has measured."""

from __future__ import annotations

import dataclasses

from memwatch.diagnosis.results import _Result
from memwatch.diagnosis.trim.arenas import Arena


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Level(_Result):
    """Resident memory some time after the call."""

    seconds: float
    rss_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trim(_Result):
    """The result of kind ``trim``. Sizes in MB; what the platform does not tell is ``None``."""

    at: float
    """Seconds since 1970 by the process's clock, when the call ended."""
    trimmed: bool
    """Whether ``malloc_trim`` was called."""
    reason: str = ""
    """Why it was not."""
    malloc: str = ""
    """Whose malloc the process uses: ``glibc 2.36``, ``jemalloc``."""
    pause_ms: float = 0.0
    """How long the call took. Another thread waits only for memory of the arena that is being trimmed."""
    rss_before_mb: float
    rss_after_mb: float
    uss_before_mb: float | None = None
    uss_after_mb: float | None = None
    malloc_system_mb: float | None = None
    """What malloc had taken from the system before the call."""
    malloc_free_mb: float | None = None
    """The part of it that was not in use."""
    malloc_pages_mb: float | None = None
    """The part of that in whole pages."""
    malloc_mapped_mb: float | None = None
    """Blocks that malloc had mapped one by one."""
    pymalloc_system_mb: float | None = None
    """Arenas of Python's own allocator, for objects of up to 512 bytes. ``malloc_trim`` does not reach them."""
    pymalloc_used_mb: float | None = None
    threads: int | None = None
    arenas: tuple[Arena, ...] = ()
    """Before the call, the largest first."""
    arenas_in_all: int = 0
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    """Of the allocators, from the environment of the process."""
    regrowth: tuple[Level, ...] = ()
    """Added by the server from the snapshots that followed."""
    watched_s: float | None = None
    """For how long they were followed; ``None`` while they are."""
    notes: tuple[str, ...] = ()
