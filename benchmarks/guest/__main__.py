"""What the agent costs a Django view under load in gunicorn: throughput, p99, memory, with it against without.

Both servers run side by side; the load goes to one and then the other in pairs whose order alternates, so that what
else the machine does meets both, and both are started anew every few pairs, because two processes of the same program
differ by some percent for as long as they live (where their memory lies). Ratios are with the agent over without, the
median over the pairs; the interval is a bootstrap over pairs (95 %).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.guest.host import Host
from memwatch.sampling.walk import census_method

Pair = tuple[list[float], list[float]]
"""Seconds of each request, without the agent and with it."""

THROUGHPUT_LIMITS = {60.0: 0.99, 2.0: 0.97}
"""By snapshot interval in seconds."""
P99_LIMIT = 1.05
BIG_HEAP = {"HOST_BALLAST": "480000", "MEMWATCH_CPU_BUDGET_PERCENT": "100"}
"""A million objects, counted as often as a snapshot is taken."""
BIG_HEAP_P99_LIMIT = 1.02
RSS_LIMIT_MB = 3.0
PAIRS_A_START = 3
_RESAMPLES = 1000


def throughput_ratio(pairs: list[Pair]) -> float:
    """Requests a second with the agent over those without."""
    return statistics.median(statistics.fmean(without) / statistics.fmean(within) for without, within in pairs)


def p99_ratio(pairs: list[Pair]) -> float:
    """The 99th percentile with the agent over that without."""
    return statistics.median(_p99(within) / _p99(without) for without, within in pairs)


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def interval(pairs: list[Pair], ratio: Callable[[list[Pair]], float]) -> tuple[float, float]:
    """Where the ratio lies with 95 % confidence."""
    chance = random.Random(1)
    found = sorted(ratio(chance.choices(pairs, k=len(pairs))) for _ in range(_RESAMPLES if len(pairs) > 1 else 1))
    return found[int(len(found) * 0.025)], found[int(len(found) * 0.975)]


def measure_load(
    folder: Path, *, interval_s: float, pairs: int, seconds: float, environment: Mapping[str, str] | None = None
) -> list[Pair]:
    """Without memwatch and with it."""
    return measure_pairs(
        lambda: Host(folder, "nothing", environment=environment),
        lambda: Host(folder, "on", interval_s=interval_s, environment=environment),
        pairs=pairs,
        seconds=seconds,
    )


def measure_pairs(
    start_without: Callable[[], Host], start_within: Callable[[], Host], *, pairs: int, seconds: float
) -> list[Pair]:
    """Both servers under load in turn, started anew every ``PAIRS_A_START`` pairs."""
    found: list[Pair] = []
    while len(found) < pairs:
        without, within = start_without(), start_within()
        try:
            without.load(2)
            within.load(4)  # the first snapshot is over
            for _ in range(min(PAIRS_A_START, pairs - len(found))):
                if len(found) % 2:
                    second = within.load(seconds)
                    found.append((without.load(seconds), second))
                else:
                    found.append((without.load(seconds), within.load(seconds)))
        finally:
            without.close()
            within.close()
    return found


def measure_memory(folder: Path, has: str, *, seconds: float) -> tuple[float, float]:
    """RSS and USS in MB of a worker that has served requests and taken snapshots for a while."""
    host = Host(folder, has, interval_s=0.5)
    try:
        host.load(seconds)
        return host.worker_memory()
    finally:
        host.close()


def report_load(folder: Path, interval_s: float, *, pairs: int, seconds: float) -> bool:
    """Measure and print; whether it is within the limits."""
    found = measure_load(folder, interval_s=interval_s, pairs=pairs, seconds=seconds)
    requests = sum(len(one) + len(other) for one, other in found)
    throughput, p99 = throughput_ratio(found), p99_ratio(found)
    low, high = interval(found, throughput_ratio)
    p99_low, p99_high = interval(found, p99_ratio)
    limit = THROUGHPUT_LIMITS[interval_s]
    print(f"   snapshots every {interval_s:g} s, {pairs} pairs of {seconds:g} s, {requests} requests:")
    print(f"      throughput {throughput:.4f} ({low:.4f} to {high:.4f}), at least {limit}")
    print(f"      p99        {p99:.4f} ({p99_low:.4f} to {p99_high:.4f}), at most {P99_LIMIT}", flush=True)
    return throughput >= limit and p99 <= P99_LIMIT


def report_big_heap(folder: Path, *, pairs: int, seconds: float) -> bool:
    """A census a second of a million objects; whether its p99 is within the limit."""
    found = measure_load(folder, interval_s=1.0, pairs=pairs, seconds=seconds, environment=BIG_HEAP)
    p99, throughput = p99_ratio(found), throughput_ratio(found)
    low, high = interval(found, p99_ratio)
    print(f"   a million objects counted every second ({census_method()}), {pairs} pairs of {seconds:g} s:")
    print(f"      throughput {throughput:.4f}")
    print(f"      p99        {p99:.4f} ({low:.4f} to {high:.4f}), at most {BIG_HEAP_P99_LIMIT}", flush=True)
    return p99 <= BIG_HEAP_P99_LIMIT


def report_memory(folder: Path, *, rounds: int, seconds: float) -> bool:
    """Measure and print; whether it is within the limit."""
    kinds = ("nothing", "off", "on")
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            found[kind].append(measure_memory(folder, kind, seconds=seconds))
    rss, uss = ({kind: statistics.median(item[which] for item in found[kind]) for kind in kinds} for which in (0, 1))
    print(f"   memory of a worker, median of {rounds}: {rss['on']:.1f} MB RSS, {uss['on']:.1f} MB USS, of which")
    for what, more, less in (
        (f"the agent at work (at most {RSS_LIMIT_MB:g} MB RSS)", "on", "off"),
        ("the Django app, loaded and switched off", "off", "nothing"),
    ):
        print(f"      {rss[more] - rss[less]:+.2f} MB RSS, {uss[more] - uss[less]:+.2f} MB USS: {what}", flush=True)
    return rss["on"] - rss["off"] <= RSS_LIMIT_MB


def main() -> int:
    """All of it; 1 when something is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guest", description=__doc__)
    parser.add_argument("--pairs", type=int, default=18, help="for each snapshot interval (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="of load on each side of a pair (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of the memory's measurement (default: %(default)s)")
    parser.add_argument("--big-heap", action="store_true", help="only the load on a site with a million objects")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as made:
        folder = Path(made)
        if chosen.big_heap:
            return 0 if report_big_heap(folder, pairs=chosen.pairs, seconds=chosen.seconds) else 1
        within = [report_memory(folder, rounds=chosen.rounds, seconds=6)]
        within += [
            report_load(folder, interval_s, pairs=chosen.pairs, seconds=chosen.seconds)
            for interval_s in THROUGHPUT_LIMITS
        ]
        within.append(report_big_heap(folder, pairs=chosen.pairs, seconds=chosen.seconds))
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
