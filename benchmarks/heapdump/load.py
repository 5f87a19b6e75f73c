"""Requests to a gunicorn worker of a million objects during heap dumps, against calm ones: the 99th percentile.

A dump and a calm time that is as long take turns. Ends with 1 when the ratio is over :data:`P99_LIMIT`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.guest.host import Host

BALLAST = {"HOST_BALLAST": "480000"}
"""A million objects."""
P99_LIMIT = 1.3


def p99(took: list[float]) -> float:
    """Of seconds."""
    return sorted(took)[int(len(took) * 0.99)]


def dumped(host: Host, file: Path) -> list[float]:
    """Seconds of the requests during one dump."""
    host.ask(f"/dump/?file={file}")
    took: list[float] = []
    while not file.exists():
        took.append(host.ask())
    file.unlink()
    return took


def measured(folder: Path, dumps: int) -> tuple[list[list[float]], list[list[float]], float, float]:
    """Seconds of requests in calm times and during dumps; the worker's MB before and after."""
    host = Host(folder, "nothing", environment=BALLAST)
    calm: list[list[float]] = []
    dumping: list[list[float]] = []
    try:
        host.load(2)
        dumped(host, folder / "first.heap")  # what it imports
        host.load(2)
        before, _ = host.worker_memory()
        for number in range(dumps):
            dumping.append(dumped(host, folder / f"{number}.heap"))
            host.load(1)
            calm.append(host.load(sum(dumping[-1])))
        after, _ = host.worker_memory()
    finally:
        host.close()
    return calm, dumping, before, after


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heapdump.load", description=__doc__)
    parser.add_argument("--dumps", type=int, default=20, help="(default: %(default)s)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        calm, dumping, before, after = measured(Path(folder), chosen.dumps)
    one, other = [took for each in calm for took in each], [took for each in dumping for took in each]
    ratio = p99(other) / p99(one)
    print(
        f"   {chosen.dumps} dumps of {statistics.median(map(sum, dumping)):.1f} s, load {os.getloadavg()[0]:.1f}: "
        f"requests' p99 {p99(other) * 1e3:.1f} ms, calm {p99(one) * 1e3:.1f} ({ratio:.2f}, at most {P99_LIMIT}); "
        f"median {statistics.median(other) * 1e3:.1f} and {statistics.median(one) * 1e3:.1f}, longest "
        f"{max(other) * 1e3:.0f} and {max(one) * 1e3:.0f}; {len(other):,} and {len(one):,} requests; "
        f"worker {before:.0f} MB, {after - before:+.1f} afterwards",
        flush=True,
    )
    return 0 if ratio <= P99_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
