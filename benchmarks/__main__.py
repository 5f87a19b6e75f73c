"""Every benchmark, one after the other: ``make bench``. Ends with 1 when one of them is over its limit."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

BENCHMARKS = {
    "census": "the snapshot of a big heap, against objgraph, gc.collect(), Pympler and guppy3",
    "history": "memory of 1,000 snapshots kept by the profiler",
    "reference": "the performance figures of the profiling reference, re-measured",
    "transport": "a command to 1, 10 and 50 processes and back",
    "ingest": "reports into SQLite",
    "detect": "a pass of detection over 5,000 processes, on SQLite and PostgreSQL",
    "exporter": "the fleet exporter with 1,000 processes, against prometheus_client's own gauges",
    "otlp": "an export over OTLP of 1,000 and 5,000 processes, against the instruments of the SDK",
    "diagnosis": "recordings: the pauses of a referrers pass, requests before, during and after",
    "heapdump": "heap dumps of 0.1 to 5 million objects: pause, time, memory, against gc.collect()",
    "heapdump.load": "requests to gunicorn during heap dumps, against calm ones",
    "trim": "what an allocator check returns, against malloc_trim called by gdb in a twin of the program",
    "promises": "what the documentation promises in seconds, on a heap of a million objects",
    "guest": "a Django view in gunicorn with the agent and without",
    "work.overhead": "jobs measured and not: a view in gunicorn, and microseconds a job by size of the heap",
    "work.peaks": "300 MB for 50 ms, in every pool where one job runs at a time",
    "recycling": "leaky workers of gunicorn and Celery under load, recycled, against left alone",
    "pages": "the admin's pages over a million snapshots in PostgreSQL, against Django's default change list",
    "releases": "pairs of releases of a real program: which dependency grew, and nothing said where none did",
    "leaks.verdict_time": "snapshots until a leak of a given rate is found, against sequential tests",
    "leaks.lives": "fleets of recycled workers, against life by life",
    "leaks.shapes": "verdicts on generated series, against the reference's rule",
    "leaks.processes": "verdicts on real processes: leaks of released packages, of applications, and look-alikes",
    "leaks.calibration": "whether so many verdicts are leaks as their probabilities say",
}


def main() -> int:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when none is given")
    given = sys.argv[1:]
    # Options after a name are for that benchmark: python -m benchmarks pages --rows 10000000.
    cut = next((at for at, each in enumerate(given) if at and each.startswith("-")), len(given))
    names, options = parser.parse_args(given[:cut]).names or list(BENCHMARKS), given[cut:]
    if options and len(names) > 1:
        parser.error(f"{' '.join(options)}: options go to one benchmark, name only that")
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    over = []
    for name in names:
        print(f"== {name}: {BENCHMARKS[name]}", flush=True)
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False)
        if done.returncode:
            over.append(name)
        print(f"   took {time.monotonic() - start:.0f} s\n", flush=True)
    print("over their limits: " + ", ".join(over) if over else "all within their limits")
    return bool(over)


if __name__ == "__main__":
    raise SystemExit(main())
