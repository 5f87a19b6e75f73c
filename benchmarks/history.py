"""What 1,000 snapshots kept by a profiler take: at most 2 MB, measured by tracemalloc and by RSS in a fresh process."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

from memwatch.profiler import MemoryProfiler

SNAPSHOTS = 1000
LIMIT_MB = 2.0


async def main() -> int:
    """Take the snapshots; the first 20 warm up."""
    profiler = MemoryProfiler()
    for _ in range(20):
        await profiler.take_snapshot()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    first = await profiler.take_snapshot()
    for _ in range(SNAPSHOTS - 1):
        last = await profiler.take_snapshot()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = (after - before) / 1024 / 1024
    rss = (last.rss_mb or 0) - (first.rss_mb or 0)
    print(f"   {SNAPSHOTS} snapshots: {kept:.2f} MB traced, RSS {rss:+.2f} MB (at most {LIMIT_MB} MB)")
    return kept > LIMIT_MB


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
