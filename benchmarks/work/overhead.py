"""What measuring jobs costs: a site under load with it against without, and CPU time by heap."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from benchmarks.census.heap import build
from benchmarks.guest.__main__ import interval, measure_pairs, p99_ratio, throughput_ratio
from benchmarks.guest.host import SYNC, Host

THROUGHPUT_LIMIT, P99_LIMIT = 0.99, 1.02
MEDIAN_LIMIT_US, SHARE_LIMIT = 50.0, 0.01
"""Of a job: microseconds in the median, the share of its time in the mean; both beyond what :class:`Timed` takes."""
HEAPS = (100_000, 1_000_000, 5_000_000)
JOBS = ((0.001, 4_000), (0.020, 250))
"""Seconds of a job, and how many."""
PAIRS, SECONDS = 18, 6.0
ONE_MS = {"HOST_ROWS": "20"}
"""Rows of the page that take a view about a millisecond."""


def report_load(folder: Path, *, pairs: int, seconds: float) -> bool:
    """Gunicorn's sync worker with a view of a millisecond; whether it is within the limits."""

    def started(work: str) -> Host:
        return Host(folder, "on", environment={**ONE_MS, "MEMWATCH_WORK": work}, worker=SYNC)

    found = measure_pairs(lambda: started("off"), lambda: started("on"), pairs=pairs, seconds=seconds)
    requests = sum(len(one) + len(other) for one, other in found)
    each = statistics.median(took for without, _within in found for took in without) * 1e3
    print(f"   sync worker, {pairs} pairs of {seconds:g} s, {requests} requests of {each:.1f} ms:")
    throughput, p99 = throughput_ratio(found), p99_ratio(found)
    low, high = interval(found, throughput_ratio)
    p99_low, p99_high = interval(found, p99_ratio)
    print(f"      throughput {throughput:.4f} ({low:.4f} to {high:.4f}), at least {THROUGHPUT_LIMIT}")
    print(f"      p99        {p99:.4f} ({p99_low:.4f} to {p99_high:.4f}), at most {P99_LIMIT}", flush=True)
    return throughput >= THROUGHPUT_LIMIT and p99 <= P99_LIMIT


def report_heaps() -> bool:
    """Each heap in a fresh process; whether all are within the limits."""
    print("   objects     job     median     mean   of the job   blocks measured   peaks measured   only timed")
    within = True
    for objects in HEAPS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.work.overhead", "--objects", str(objects)],
            capture_output=True,
            text=True,
            check=True,
        )
        for row in json.loads(done.stdout):
            fine = row["median_us"] <= MEDIAN_LIMIT_US and row["share"] <= SHARE_LIMIT
            within &= fine
            print(
                f"   {objects:9,d} {row['job_s'] * 1e3:4.0f} ms {row['median_us']:7.1f} us {row['mean_us']:5.1f} us "
                f"{row['share']:11.2%} {row['blocks']:16.0%} {row['peaks']:16.0%} {row['peer_us']:9.1f} us"
                f"{'' if fine else '   OVER'}",
                flush=True,
            )
    print(f"      at most {MEDIAN_LIMIT_US:g} us in the median, and {SHARE_LIMIT:.0%} of the job")
    return within


def measured(objects: int, folder: str) -> list[dict[str, Any]]:
    """In this process, with so many objects more, and its flight record in a file of the folder."""
    from memwatch.agent.flight.recorder import Recorder
    from memwatch.agent.flight.slots import JobSlots
    from memwatch.agent.work import meter
    from memwatch.transport.flights.folder import file_name
    from memwatch.transport.private_folder import Folder

    heap = build(objects)
    recorder = Recorder(Folder(Path(folder) / "memwatch"), JobSlots())
    recorder.open(file_name(0, os.getpid(), "0" * 16), {"service": "benchmark"})
    rows = []
    for seconds, count in JOBS:
        meter.begin_process(recorded=True)
        recorder.use(meter.slots() or JobSlots())
        _took(seconds, count // 3)  # then the meter knows what its readings cost here
        meter.take()
        took, peer = _took(seconds, count)
        (figures,) = meter.take() or ()
        mean = statistics.fmean(took) - statistics.fmean(peer)
        rows.append({
            "job_s": seconds, "median_us": (statistics.median(took) - statistics.median(peer)) * 1e6,
            "mean_us": mean * 1e6, "peer_us": statistics.median(peer) * 1e6,
            "share": mean / seconds, "blocks": figures.blocks_calls / count, "peaks": figures.peak_calls / count,
        })  # fmt: skip
    assert heap
    return rows


class Timed:
    """The peer: a job that is only timed, in a context of its own. What any middleware takes, on this machine, whose
    processor may have forgotten everything since the last one.
    """

    def __init__(self) -> None:
        self.token = _timed.set(self)
        self.began = time.perf_counter()

    def end(self) -> None:
        self.seconds = time.perf_counter() - self.began
        _timed.reset(self.token)


_timed: ContextVar[object] = ContextVar("timed", default=None)


def _took(seconds: float, count: int) -> tuple[list[float], list[float]]:
    """CPU seconds of measuring each of so many jobs, and of the peer's in between: other programs are not counted."""
    from memwatch.agent.work import meter
    from memwatch.records.work import VIEW

    def measured_job() -> Any:
        return meter.begin(VIEW, "shop:product")

    def timed_job() -> Any:
        return Timed()

    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for found, begin in zip(took, (measured_job, timed_job), strict=True):
            began = time.thread_time()
            job = begin()
            before, entered = time.thread_time() - began, time.perf_counter()
            while time.perf_counter() < entered + seconds:
                str(entered)
            began = time.thread_time()
            assert job is not None
            job.end()
            del job  # else the other one's time has it
            found.append(before + time.thread_time() - began)
    return took


def report(folder: Path, *, pairs: int, seconds: float) -> bool:
    """Both; whether all is within its limits."""
    heaps = report_heaps()
    return report_load(folder, pairs=pairs, seconds=seconds) and heaps


def main(arguments: list[str] | None = None) -> int:
    """1 where a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.work.overhead", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of load (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each side of a pair (default: %(default)g)")
    parser.add_argument("--objects", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.objects is not None:
        with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
            print(json.dumps(measured(chosen.objects, folder)))
        return 0
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        return 0 if report(Path(folder), pairs=chosen.pairs, seconds=chosen.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
