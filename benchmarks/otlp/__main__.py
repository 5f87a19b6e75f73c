"""An export over OTLP of 1,000 processes with 20 types each: ``python -m benchmarks.otlp [--processes 1000]``.

Two questions, each with its limit: how long it takes to make the requests out of a reading, against the SDK's own
instruments and readers, one provider for each process, for as many points in the same process (1.5 times, in CPU time;
the encoding, which is the same, included); and what 5,000 processes take (time, and memory above that of the reading).
Exits with 1 when one of them is over its limit.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from benchmarks.otlp.fleet import TYPES, reading
from benchmarks.otlp.peer import collected, providers
from memwatch.metrics.otlp.points import batches

LIMIT = 1.5
LARGE, LARGE_LIMIT_S, LARGE_LIMIT_MB = 5_000, 30.0, 150.0
ROUNDS = 5
MB = 1024 * 1024


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.otlp", description=__doc__)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--large", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.large:
        return _large()
    compared = _compare(options.processes)
    large = subprocess.run([sys.executable, "-m", "benchmarks.otlp", "--large"], check=False).returncode
    return int(compared or large)


def _export(one: object) -> tuple[int, int]:
    """Points and bytes of the requests."""
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    points = size = 0
    for batch in batches(one):  # type: ignore[arg-type]
        points += batch.points
        size += len(encode_metrics(batch.data).SerializeToString())
    return points, size


def _compare(processes: int) -> bool:
    one = reading(processes)
    points, size = _export(one)
    peers = providers(processes, points // processes)
    ours, theirs = [], []
    for _round in range(ROUNDS):
        ours.append(_timed(lambda: _export(one)))
        theirs.append(_timed(lambda: collected(peers)))
    mine, peer = statistics.median(ours), statistics.median(theirs)
    same = collected(peers)
    ratio = mine / peer * same / points
    good = ratio <= LIMIT
    print(
        f"{processes:,} processes, {TYPES} types: {points:,} points, {size / MB:.1f} MB: {mine:.2f} s of CPU; "
        f"the SDK's instruments {peer:.2f} s for {same:,} points: {ratio:.2f} times (at most {LIMIT:g}): "
        f"{'ok' if good else 'over its limit'}",
        flush=True,
    )
    return not good


def _large() -> int:
    process = psutil.Process()
    one = reading(LARGE)
    before, started, most, points = process.memory_info().rss, time.thread_time(), 0, 0
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    for batch in batches(one):
        encode_metrics(batch.data).SerializeToString()
        points += batch.points
        most = max(most, process.memory_info().rss)
    spent, above = time.thread_time() - started, (most - before) / MB
    good = spent <= LARGE_LIMIT_S and above <= LARGE_LIMIT_MB
    print(
        f"{LARGE:,} processes: {points:,} points in {spent:.1f} s of CPU (at most {LARGE_LIMIT_S:g}), {above:.0f} MB "
        f"above the {before / MB:.0f} MB with the reading (at most {LARGE_LIMIT_MB:g}): "
        f"{'ok' if good else 'over its limit'}",
        flush=True,
    )
    return not good


def _timed(act: Callable[[], object]) -> float:
    """CPU seconds of this thread: on a machine that others use as well, the only ones that compare."""
    started = time.thread_time()
    act()
    return time.thread_time() - started


if __name__ == "__main__":
    raise SystemExit(main())
