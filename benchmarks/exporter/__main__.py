"""The fleet exporter with 1,000 processes of 20 types each: ``python -m benchmarks.exporter [--processes 1000]``.

Three questions, each with its limit: how long a scrape takes while the exporter refreshes in the background (50 ms, or,
on a machine that is busy, twice what Python's own http.server needs for the same bytes from a file in the same run);
how long a refresh takes against prometheus_client rendering as many samples of its own gauges in the same process
(1.3 times, in CPU time); whether the memory of the exporter grows over 1,000 scrapes, judged by memwatch's own profiler
in that process (no leak). Exits with 1 when one of them is over its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SCRAPE_LIMIT_MS, SCRAPE_LIMIT, REFRESH_LIMIT = 50.0, 2.0, 1.3
TYPES = 20
SCRAPES = 25
"""Between two snapshots of the exporter."""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exporter", description=__doc__)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=40, help=f"of {SCRAPES} scrapes (default: %(default)s)")
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
        return _run(environment, Path(folder), options.rounds)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": f"local://{folder}/transport",
        "MEMWATCH_AGENT": "off",
    }


def _run(environment: dict[str, str], folder: Path, rounds: int) -> int:
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
        ours, peer, size = [], [], 0
        with _file_server(folder) as peer_port:
            for at in range(rounds):
                for number in range(SCRAPES):
                    seconds, body = _get(told["port"], "/metrics")
                    assert gzip.decompress(body).endswith(b"memwatch_up 1.0\n")
                    ours.append(seconds * 1000)
                    if number == 0:
                        (folder / "peer" / "body").write_bytes(body)
                    size = len(body)
                    peer.append(_get(peer_port, "/body")[0] * 1000)
                child.stdin.write("snapshot\n")
                child.stdin.flush()
                child.stdout.readline()
                if sys.stdout.isatty():
                    print(f"\r{(at + 1) * SCRAPES} of {rounds * SCRAPES} scrapes", end="", flush=True)
        if sys.stdout.isatty():
            print("\r", end="")
        middle, beside = statistics.median(ours), statistics.median(peer)
        quick = middle <= max(SCRAPE_LIMIT_MS, SCRAPE_LIMIT * beside)
        print(
            f"scrape, gzipped as Prometheus asks for it: {size / 1e6:.1f} MB, p50 {middle:.1f} ms, "
            f"p95 {statistics.quantiles(ours, n=20)[-1]:.1f} ms; http.server, the same bytes from a file: "
            f"p50 {beside:.1f} ms, p95 {statistics.quantiles(peer, n=20)[-1]:.1f} ms: {_verdict(quick)}",
            flush=True,
        )
        child.stdin.write("judge\n")
        child.stdin.flush()
        judged = json.loads(child.stdout.readline())
        print(
            f"memory over {rounds * SCRAPES:,} scrapes: RSS {judged['rss_mb'][0]:.1f} to {judged['rss_mb'][1]:.1f} MB, "
            f"heap {judged['heap_mb'][0]:.1f} to {judged['heap_mb'][1]:.1f} MB, memwatch finds {len(judged['leaks'])} "
            f"leaks in {judged['snapshots']} snapshots: {_verdict(not judged['leaks'])}",
            *judged["leaks"],
        )
    return 0 if ratio <= REFRESH_LIMIT and quick and not judged["leaks"] else 1


@contextlib.contextmanager
def _file_server(folder: Path) -> Iterator[int]:
    """Its port; it serves ``folder/peer``."""
    (folder / "peer").mkdir()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder / "peer")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline().partition(" port ")[2].split()[0])
        finally:
            server.terminate()


def _get(port: int, path: str) -> tuple[float, bytes]:
    """Seconds from the connection to the last byte, and the body."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    body = connection.getresponse().read()
    seconds = time.perf_counter() - started
    connection.close()
    return seconds, body


def _verdict(good: bool) -> str:
    return "ok" if good else "over its limit"


if __name__ == "__main__":
    raise SystemExit(main())
