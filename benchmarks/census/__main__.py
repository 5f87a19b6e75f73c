"""A whole snapshot against objgraph, gc.collect(), Pympler and guppy3, on heaps of 100k, 1M and 5M objects.

Each heap has a process of its own, in which the methods take turns. With the compiled walk it ends with 1 when the
snapshot's CPU is over 0.35 of objgraph.typestats, when it held the interpreter for more than 5 ms at a time, or took
more than 1 MB of memory. Without (MEMWATCH_HEAP_WALK=off) when the CPU is over 0.75 (fresh) or 1.0 (churned) of
objgraph.typestats, or the longest pause, as another thread sees it, over half of gc.collect()'s.
"""

from __future__ import annotations

import contextlib
import gc
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from benchmarks.census.heap import build, churn
from memwatch.records import MB
from memwatch.sampling import Sampler
from memwatch.sampling.walk import census_method, native

HEAPS = tuple((objects, state) for objects in (100_000, 1_000_000, 5_000_000) for state in ("fresh", "churned"))
TURNS = 7
CPU_LIMIT = {"fresh": 0.35, "churned": 0.35} if native() else {"fresh": 0.75, "churned": 1.0}
PAUSE_LIMIT = 0.5
"""Of gc.collect()'s."""
HOLD_LIMIT_MS = 5.0
MEMORY_LIMIT_MB = 1.0
WITH_LOOK = "memwatch, the first"
"""It also looks for big containers, as every third to fifth snapshot does; its pause has the same limit."""


class Probe:
    """A thread that wakes every millisecond and notes the longest time it could not."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._ended.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            self._worst = max(self._worst, now - last - 0.001)
            last = now

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def measure(self, method: Callable[[], object]) -> tuple[float, float]:
        """CPU and longest pause of one call, in milliseconds."""
        time.sleep(0.01)
        self._worst = 0.0
        start = time.thread_time()
        method()
        cpu = time.thread_time() - start
        time.sleep(0.01)
        return cpu * 1e3, self._worst * 1e3


def _peers() -> dict[str, Callable[[], object]]:
    from pympler import muppy, summary

    summarize: Callable[[Any], object] = summary.summarize
    peers: dict[str, Callable[[], object]] = {"Pympler": lambda: summarize(muppy.get_objects())}
    with contextlib.suppress(ImportError):  # it does not compile on Python 3.15
        import guppy

        peers["guppy3"] = guppy.hpy().heap
    return peers


def _by_id(sampler: Sampler) -> list[float]:
    """The same where a metaclass defines ``__hash__`` (typing_extensions has one), so that classes go by their id."""
    hashing = type("Hashing", (type,), {"__hash__": lambda _cls: 1})
    with Probe() as probe:
        rows = [probe.measure(lambda: sampler.sample(census=True)) for _ in range(TURNS)]
    del hashing
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def _peak_mb(method: Callable[[], object]) -> float:
    """How far the resident memory rises above what it was, while ``method`` runs."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    method()
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / MB


def measure(objects: int, state: str) -> dict[str, list[float]]:
    """``{method: [CPU, pause]}`` in milliseconds, medians; Pympler and guppy3 once, for they take seconds."""
    import objgraph

    kept: list[Any] = build(objects)
    if state == "churned":
        churn(kept, objects)
    gc.collect()
    sampler = Sampler()
    methods: dict[str, Callable[[], object]] = {
        "memwatch": lambda: sampler.sample(census=True),
        WITH_LOOK: lambda: Sampler().sample(census=True),
        "objgraph": objgraph.typestats,
        "gc.collect()": gc.collect,
        "gc.get_objects()": lambda: len(gc.get_objects()),
    }
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    with Probe() as probe:
        for method in methods.values():
            method()
        for _ in range(TURNS):
            for name, method in methods.items():
                rows[name].append(probe.measure(method))
        for name, method in _peers().items():
            rows[name] = [probe.measure(method)]
    found = {name: [statistics.median(column) for column in zip(*row, strict=True)] for name, row in rows.items()}
    if not native():
        found["memwatch, by id"] = _by_id(sampler)
    found["hold"] = [max(sampler.sample(census=True).census_pause_ms or 0.0 for _ in range(TURNS))]
    found["memory"] = [min(_peak_mb(lambda: sampler.sample(census=True)) for _ in range(3))]
    found["objects"] = [float(len(gc.get_objects()))]
    return found


def report(objects: int, state: str, found: dict[str, list[float]]) -> list[str]:
    """Print a table; what is over its limit."""
    (tracked,), (hold,), (memory,) = found.pop("objects"), found.pop("hold"), found.pop("memory")
    print(f"{objects:,} objects {state} ({tracked:,.0f} tracked): CPU ms / longest pause ms")
    cpu, pause = found["memwatch"]
    for name, (other_cpu, other_pause) in found.items():
        shares = "" if name == "memwatch" else f"   memwatch: {cpu / other_cpu:5.2f} / {pause / other_pause:5.2f}"
        print(f"  {name:<20}{other_cpu:9.1f} /{other_pause:9.1f}{shares}")
    over = []
    if cpu > CPU_LIMIT[state] * found["objgraph"][0]:
        over.append(f"CPU {cpu / found['objgraph'][0]:.2f} of objgraph.typestats, the limit is {CPU_LIMIT[state]}")
    for name in () if native() else ("memwatch", WITH_LOOK):
        share = found[name][1] / found["gc.collect()"][1]
        if share > PAUSE_LIMIT:
            over.append(f"{name}: pause {share:.2f} of gc.collect(), the limit is {PAUSE_LIMIT}")
    print(f"  held the interpreter for {hold:.2f} ms at a time at most, took {memory:.2f} MB", flush=True)
    if native() and hold > HOLD_LIMIT_MS:
        over.append(f"held the interpreter for {hold:.1f} ms, the limit is {HOLD_LIMIT_MS:g}")
    if native() and memory > MEMORY_LIMIT_MB:
        over.append(f"took {memory:.1f} MB, the limit is {MEMORY_LIMIT_MB:g}")
    for line in over:
        print(f"  over: {line}")
    return over


def main() -> int:
    """Measure each heap in a new process."""
    if len(sys.argv) == 3:
        print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
        return 0
    print(f"objects are counted by {census_method()}")
    over = []
    for objects, state in HEAPS:
        command = [sys.executable, "-m", "benchmarks.census", str(objects), state]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
        over += report(objects, state, json.loads(done.stdout))
    return bool(over)


if __name__ == "__main__":
    raise SystemExit(main())
