"""One case in this process: run its steps, sample between them, print the snapshots as JSON lines.

``python -m benchmarks.leaks.measure NAME --snapshots 41 --steps 2000``. The snapshots are kept as objects in the very
process until its end, as a caller of ``take_snapshot()`` does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from benchmarks.leaks.case import load
from memwatch.profiler import MemoryProfiler
from memwatch.records import MemorySnapshot


def snapshots_of(name: str, snapshots: int, steps: int) -> list[MemorySnapshot]:
    """The first after ``setup`` alone, each further one after as many steps."""
    program = load(name)
    program.setup()
    profiler = MemoryProfiler()
    with asyncio.Runner() as runner:
        taken = [runner.run(profiler.take_snapshot())]
        for start in range(0, (snapshots - 1) * steps, steps):
            for number in range(start, start + steps):
                program.step(number)
            taken.append(runner.run(profiler.take_snapshot()))
        runner.run(profiler.stop_memory_profiler())
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--snapshots", type=int, default=41)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    for snapshot in snapshots_of(options.name, options.snapshots, options.steps):
        json.dump(snapshot.to_dict(), sys.stdout)
        print()


if __name__ == "__main__":
    main()
