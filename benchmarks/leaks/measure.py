"""One case in this process: run its steps, sample between them, print the snapshots as JSON lines.

``python -m benchmarks.leaks.measure NAME --snapshots 41 --steps 2000``. The snapshots are kept as objects in the very
process until its end, as a caller of ``take_snapshot()`` does. The last line has the leaks that the profiler then finds
after a look into the heap, and the holders that a recording of each names, with further steps between its two looks:
``{"confirmed": [...], "held": [...]}``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Generator, Iterator
from itertools import count, islice
from typing import Any

from benchmarks.leaks.case import load
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.options import UNTRACKED, ReferrersOptions
from memwatch.diagnosis.referrers.recording import ReferrersRecording
from memwatch.profiler import MemoryProfiler
from memwatch.records import Leak, MemorySnapshot


def measured(name: str, snapshots: int, steps: int) -> Iterator[dict[str, Any]]:
    """The snapshots, the first after ``setup`` alone, each further one after as many steps; then what is found."""
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
    yield from (snapshot.to_dict() for snapshot in taken)

    numbers = count((snapshots - 1) * steps)

    def go_on() -> None:
        for number in islice(numbers, steps):
            program.step(number)

    confirmed = [leak.to_dict() for leak in found]
    yield {"confirmed": confirmed, "held": list(held(found, taken[0], go_on)) if program.CASE.holder else []}


def held(leaks: list[Leak], baseline: MemorySnapshot, go_on: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """What *Find the cause* would name as the holder of each, with ``go_on()`` between the looks."""

    def between() -> Generator[float, None, None]:
        go_on()
        yield 0.0

    for leak in leaks:
        asked = _asked(leak)
        if asked is None:
            continue
        recording = ReferrersRecording(asked, Host(baseline=lambda: baseline.top_objects), between=between)
        steps = recording.run(Meter())
        try:
            while True:
                time.sleep(next(steps))
        except StopIteration as end:
            holder = end.value.holder
            yield {"of": leak.object_type} | ({} if holder is None else holder.to_dict())
        except Refused as reason:
            yield {"of": leak.object_type, "refused": str(reason)}


def _asked(leak: Leak) -> ReferrersOptions | None:
    """As the leak's page asks; ``None`` for native memory."""
    if leak.kind == "objects":
        return ReferrersOptions(type=leak.object_type)
    if leak.kind == "untracked":
        return ReferrersOptions(type=UNTRACKED, container=(leak.evidence.get("container") or {}).get("name") or "")
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--snapshots", type=int, default=41)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    for row in measured(options.name, options.snapshots, options.steps):
        json.dump(row, sys.stdout)
        print()


if __name__ == "__main__":
    main()
