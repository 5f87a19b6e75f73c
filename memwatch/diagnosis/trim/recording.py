"""The recording ``trim``: measure, let malloc give back what is free, measure again."""

from __future__ import annotations

import time
from collections.abc import Generator

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.options import TrimOptions
from memwatch.diagnosis.trim import arenas
from memwatch.diagnosis.trim.c_library import CLibrary
from memwatch.diagnosis.trim.result import Trim
from memwatch.sampling.allocator import Allocators
from memwatch.sampling.allocator.settings import allocator_settings
from memwatch.sampling.procmem import ProcessMemory


class TrimRecording:
    """Never runs the garbage collector: that would run finalizers of the program."""

    needs_mb = 0.0

    def __init__(
        self, asked: TrimOptions, _host: Host, *, library: CLibrary | None = None, memory: ProcessMemory | None = None
    ) -> None:
        self._asked = asked
        self._library = library or CLibrary()
        self._memory = memory or ProcessMemory()

    def run(self, meter: Meter) -> Generator[float, None, Trim]:
        """Yields once; returns the result. Raises :class:`Refused` where the call would take too long."""
        yield 0.0
        library = self._library
        malloc = arenas.parse(library.malloc_info())
        pymalloc = Allocators(malloc=False).read()
        self._refuse_long(malloc)
        shared, before = self._memory.shared(), self._memory.resident()
        seconds = 0.0
        if not library.why_not:
            seconds = library.trim().seconds
            meter.paused(seconds * 1e3)
        after, at = self._memory.resident(), time.time()
        return Trim(
            at=at,
            trimmed=not library.why_not,
            reason=library.why_not,
            malloc=library.malloc,
            pause_ms=round(seconds * 1e3, 3),
            rss_before_mb=round(before.rss_mb or 0.0, 3),
            rss_after_mb=round(after.rss_mb or 0.0, 3),
            uss_before_mb=shared.uss_mb,
            uss_after_mb=self._memory.shared().uss_mb if shared.uss_mb is not None else None,
            malloc_system_mb=malloc.system_mb if malloc else None,
            malloc_free_mb=malloc.free_mb if malloc else None,
            malloc_pages_mb=malloc.pages_mb if malloc else None,
            malloc_mapped_mb=malloc.mapped_mb if malloc else None,
            pymalloc_system_mb=pymalloc.pymalloc_committed_mb,
            pymalloc_used_mb=pymalloc.pymalloc_used_mb,
            threads=before.threads,
            arenas=arenas.largest(malloc.arenas) if malloc else (),
            arenas_in_all=len(malloc.arenas) if malloc else 0,
            settings=allocator_settings(),
        )

    def _refuse_long(self, malloc: arenas.Malloc | None) -> None:
        most_ms = self._asked.max_pause_ms
        if malloc is None or self._library.why_not or arenas.expected_ms(malloc) <= most_ms:
            return
        raise Refused(
            f"malloc has {malloc.pages_mb:,.0f} MB free in {malloc.pieces:,} pieces: giving them back can take "
            f"{arenas.expected_ms(malloc):,.0f} ms, and threads that need memory wait. That is more than max_pause_ms "
            f"({most_ms:,.0f}): allow more, or trim at a quiet time"
        )
