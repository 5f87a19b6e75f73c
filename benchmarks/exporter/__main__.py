"""The fleet exporter with 1,000 processes of 20 types each: ``python -m benchmarks.exporter [--processes 1000]``.

Three questions, each with its limit: how long a scrape takes while the exporter refreshes in the background (50 ms);
how long a refresh takes against prometheus_client rendering as many samples of its own gauges in the same process
(1.3 times, in CPU time); whether the memory of the exporter grows over 1,000 scrapes, judged by memwatch's own profiler
in that process (no leak). Exits with 1 when one of them is over its limit.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRAPE_LIMIT_MS, REFRESH_LIMIT = 50.0, 1.3
TYPES = 20
ROUNDS, SCRAPES = 40, 25
"""Snapshots of the exporter, and scrapes between two of them."""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exporter", description=__doc__)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        from benchmarks.exporter.serving import serve

        serve()
        return 0
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        environment = _environment(Path(folder))
        subprocess.run(
            [sys.executable, "-m", "benchmarks.exporter.rows", str(options.processes), str(TYPES)],
            env=environment, check=True,
        )  # fmt: skip
        return _run(environment)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": f"local://{folder}/transport",
        "MEMWATCH_AGENT": "off",
    }


def _run(environment: dict[str, str]) -> int:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.exporter", "--serve"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        ratio = told["refresh_s"] / told["peer_s"]
        refresh, reading, alone = (f"{told[name] * 1000:,.0f} ms" for name in ("refresh_s", "reading_s", "peer_s"))
        print(
            f"refresh: {told['samples']:,} samples, {told['queries']} queries: {refresh} of CPU, of which reading "
            f"{reading}; prometheus_client alone {alone}: {ratio:.2f} times (at most {REFRESH_LIMIT:g}): "
            f"{_verdict(ratio <= REFRESH_LIMIT)}",
            flush=True,
        )
        taken: dict[bool, list[float]] = {True: [], False: []}
        sizes: dict[bool, int] = {}
        for at in range(ROUNDS):
            for number in range(SCRAPES):
                compressed = bool(number % 2)
                seconds, sizes[compressed] = _scrape(told["port"], compressed=compressed)
                taken[compressed].append(seconds * 1000)
            child.stdin.write("snapshot\n")
            child.stdin.flush()
            child.stdout.readline()
            if sys.stdout.isatty():
                print(f"\r{(at + 1) * SCRAPES} of {ROUNDS * SCRAPES} scrapes", end="", flush=True)
        if sys.stdout.isatty():
            print("\r", end="")
        middle = {compressed: statistics.median(times) for compressed, times in taken.items()}
        for compressed, name in ((True, "gzipped, as Prometheus asks for it"), (False, "plain")):
            tail = statistics.quantiles(taken[compressed], n=20)[-1]
            said = (
                f" (p50 at most {SCRAPE_LIMIT_MS:g}): {_verdict(middle[True] <= SCRAPE_LIMIT_MS)}" if compressed else ""
            )
            print(
                f"scrape, {name}: {sizes[compressed] / 1e6:.1f} MB, p50 {middle[compressed]:.1f} ms, p95 {tail:.1f} ms"
                f"{said}"
            )
        child.stdin.write("judge\n")
        child.stdin.flush()
        judged = json.loads(child.stdout.readline())
        print(
            f"memory over {ROUNDS * SCRAPES:,} scrapes: RSS {judged['rss_mb'][0]:.1f} to {judged['rss_mb'][1]:.1f} MB, "
            f"heap {judged['heap_mb'][0]:.1f} to {judged['heap_mb'][1]:.1f} MB, memwatch finds {len(judged['leaks'])} "
            f"leaks in {judged['snapshots']} snapshots: {_verdict(not judged['leaks'])}",
            *judged["leaks"],
        )
    good = ratio <= REFRESH_LIMIT and middle[True] <= SCRAPE_LIMIT_MS and not judged["leaks"]
    return 0 if good else 1


def _scrape(port: int, *, compressed: bool) -> tuple[float, int]:
    """Seconds from the connection to the last byte, and bytes."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip" if compressed else "identity"})
    body = connection.getresponse().read()
    seconds = time.perf_counter() - started
    connection.close()
    assert (gzip.decompress(body) if compressed else body).endswith(b"memwatch_up 1.0\n")
    return seconds, len(body)


def _verdict(good: bool) -> str:
    return "ok" if good else "over its limit"


if __name__ == "__main__":
    raise SystemExit(main())
