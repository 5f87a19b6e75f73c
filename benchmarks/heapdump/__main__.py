"""A heap dump of processes of 0.1 to 5 million objects, fresh and churned, beside gc.collect(), objgraph and guppy3.

Ends with 1 when a dump fails, when another thread saw a pause longer than 15 ms for each 100 MB of the process (and
:data:`SLACK_MS`), when that is more than a tenth of the pause of gc.collect() on a million churned objects, when the
process has grown by more than :data:`KEPT_MB`, or when the sizes in the dump differ from the allocators' by over 3 %
(each size rounded up to 16 bytes). On CPython 3.11 the allocators have 1.2 MB that is no object: the table of interned
texts (0.4 MB with 11,000), and what the interpreter and C libraries keep. The dump has 0.5 MB that no allocator has:
objects in the interpreter's program file. The first 30 instances of a class may differ by some words each.

``python -m benchmarks.heapdump --objects 100000 1000000``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.census.__main__ import Probe
from benchmarks.census.heap import build, churn
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_dump.dump import Dump
from memwatch.heapdump import reader
from memwatch.sampling.allocator import Allocators
from memwatch.sampling.procmem import ProcessMemory

SIZES = (100_000, 1_000_000, 5_000_000)
PER_100_MB_MS, SLACK_MS = 15.0, 5.0
OF_COLLECTION, KEPT_MB, SIZES_DIFFER = 0.1, 16.0, 0.03


def measured(objects: int, *, churned: bool) -> dict[str, Any]:
    """One dump, in this process."""
    kept = build(objects)
    if churned:
        churn(kept, objects)
    gc.collect()
    gc.set_threshold(2_000, 1_000, 1_000_000)  # the program's own full collections would be the longest pauses
    memory, meter = ProcessMemory(), Meter()
    rss_mb = memory.resident().rss_mb or 0.0
    figures = Allocators().read()
    allocated_mb = (figures.pymalloc_used_mb or 0.0) + (figures.malloc_used_mb or 0.0)
    with tempfile.TemporaryFile() as file, Probe() as probe:
        _, calm_ms = probe.measure(lambda: time.sleep(3))
        steps = Dump(file, Host(), keys=False, most_mb=2_000, any_driver=False).run(meter)

        def dump() -> None:
            for wait_s in steps:
                time.sleep(wait_s)

        began = time.perf_counter()
        _, seen_ms = probe.measure(dump)
        seconds = time.perf_counter() - began
        kept_mb = (memory.resident().rss_mb or 0.0) - rss_mb
        _, collect_ms = probe.measure(gc.collect)
        peers = {name: probe.measure(peer)[1] for name, peer in _peers(objects).items()}
        file_mb = file.seek(0, os.SEEK_END) / 2**20
        file.seek(0)
        began = time.perf_counter()
        counts, size = _read(file)
        read_s = time.perf_counter() - began
    return {
        **meter.figures(),
        **counts,
        "rss_mb": rss_mb,
        "allocated_mb": allocated_mb,
        "sizes_mb": size / 2**20,
        "held_ms": meter.longest_hold_ms,
        "calm_ms": calm_ms,
        "seen_ms": seen_ms,
        "collect_ms": collect_ms,
        "peers_ms": peers,
        "seconds": seconds,
        "kept_mb": kept_mb,
        "file_mb": file_mb,
        "read_s": read_s,
    }


def _peers(objects: int) -> dict[str, Any]:
    import objgraph

    found: dict[str, Any] = {"objgraph.typestats()": objgraph.typestats}
    if objects <= 1_000_000:
        import guppy

        found["guppy3's heap()"] = guppy.hpy().heap
    return found


def _read(file: Any) -> tuple[dict[str, int], int]:
    size = 0
    for part in reader.read(file):
        if isinstance(part, reader.Objects):
            size += sum((each + 15) & ~15 for each in part.sizes)  # as pymalloc does
        if isinstance(part, reader.End):
            return part.counts, size
    return {}, size


def shown(objects: int, state: str) -> bool:
    """Print one heap's; whether it is within the limits."""
    command = [sys.executable, "-m", "benchmarks.heapdump", "--in-process", str(objects), state]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"   {objects:>9,} {state:<7} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
        return False
    found = json.loads(done.stdout)
    limit_ms = SLACK_MS + PER_100_MB_MS * found["rss_mb"] / 100
    differs = found["sizes_mb"] / found["allocated_mb"] - 1
    peers = ", ".join(f"{name} {pause_ms:,.0f}" for name, pause_ms in found["peers_ms"].items())
    print(
        f"   {objects:>9,} {state:<7} RSS {found['rss_mb']:7,.0f} MB; pause seen {found['seen_ms']:6.1f} ms "
        f"(calm {found['calm_ms']:.1f}, fork {found['fork_ms']:.1f}, CPU {found['held_ms']:.1f}, "
        f"limit {limit_ms:.0f}); gc.collect() {found['collect_ms']:,.0f}, {peers}\n"
        f"      {found['objects']:,} objects, {found['edges']:,} edges, {found['file_mb']:.1f} MB, read in "
        f"{found['read_s']:.1f} s; took {found['seconds']:.1f} s, copy {found['child_cpu_ms'] / 1e3:.1f} s of CPU and "
        f"{found['child_mb']:,.0f} MB; process {found['kept_mb']:+.1f} MB afterwards; sizes "
        f"{found['sizes_mb']:,.0f} MB, allocators {found['allocated_mb']:,.0f} ({differs:+.1%})",
        flush=True,
    )
    ok: bool = found["seen_ms"] <= limit_ms and found["kept_mb"] <= KEPT_MB and abs(differs) <= SIZES_DIFFER
    if (objects, state) == (1_000_000, "churned"):
        ok = ok and found["seen_ms"] <= OF_COLLECTION * found["collect_ms"]
    return ok


def main() -> int:
    """All heaps, or those asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heapdump", description=__doc__)
    parser.add_argument("--objects", type=int, nargs="+", default=SIZES)
    parser.add_argument("--in-process", nargs=2, metavar=("OBJECTS", "STATE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        objects, state = options.in_process
        print(json.dumps(measured(int(objects), churned=state == "churned")))
        return 0
    print(f"   load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    results = [shown(objects, state) for objects in options.objects for state in ("fresh", "churned")]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
