"""One case in this process: run its steps, sample between them, print the snapshots as JSON lines.

``python -m benchmarks.leaks.measure NAME --snapshots 41 --steps 2000``. The snapshots are kept as objects in the very
process until its end, as a caller of ``take_snapshot()`` does. The last line has the leaks that the profiler then finds
after a look into the heap: ``{"confirmed": [...]}``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from benchmarks.leaks.case import load
from memwatch.profiler import MemoryProfiler
from memwatch.records import Leak, MemorySnapshot


def snapshots_of(name: str, snapshots: int, steps: int) -> tuple[list[MemorySnapshot], list[Leak]]:
    """The first after ``setup`` alone, each further one after as many steps; and what the profiler finds at the end."""
    program = load(name)
    program.setup()
    profiler = MemoryProfiler()
    with asyncio.Runner() as runner:
        taken = [runner.run(profiler.take_snapshot())]
        for start in range(0, (snapshots - 1) * steps, steps):
            for number in range(start, start + steps):
                program.step(number)
            taken.append(runner.run(profiler.take_snapshot()))
        found = runner.run(profiler.detect_leaks(taken))
        runner.run(profiler.stop_memory_profiler())
    return taken, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--snapshots", type=int, default=41)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    taken, found = snapshots_of(options.name, options.snapshots, options.steps)
    for row in [*(snapshot.to_dict() for snapshot in taken), {"confirmed": [leak.to_dict() for leak in found]}]:
        json.dump(row, sys.stdout)
        print()


if __name__ == "__main__":
    main()
