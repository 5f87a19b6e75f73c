"""What ``memwatch run`` adds: processor time to a program's start, memory to a FastAPI program on uvicorn.

Programs with it and without it run in turn, in pairs whose order alternates. Processor time and not time by the clock:
what else the machine does hardly changes it, and a start waits for nothing. Memory is PSS and RSS a while after the
agent's first snapshots. Figures are medians over the pairs of the difference and of the ratio.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.servers import free_port

START_LIMIT = 2.5
"""Processor time of a watched start over that of a plain one: a second start of the interpreter is in it."""
MEMORY_LIMIT_MB = 3.0
Figures = dict[str, float]


def environment(folder: Path) -> dict[str, str]:
    """Without settings of others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "PYTHON"))}
    return {
        **kept,
        "MEMWATCH_TRANSPORT": f"local://{folder}/hub",
        "MEMWATCH_SNAPSHOT_INTERVAL": "2",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


def command() -> list[str]:
    """``memwatch run`` as a shell finds it beside this Python, else by the module."""
    found = shutil.which("memwatch", path=sysconfig.get_path("scripts"))
    return [found or sys.executable, *(() if found else ("-m", "memwatch")), "run", "--"]


def start(program: Sequence[str], environ: Mapping[str, str]) -> Figures:
    """Milliseconds of processor time and by the clock, of a program that ends by itself."""
    began = time.perf_counter()
    process = subprocess.Popen(program, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(program)} ended with {process.returncode}")
    return {"CPU ms": (used.ru_utime + used.ru_stime) * 1000, "ms": took * 1000}


def serve(program: Sequence[str], environ: Mapping[str, str], *, seconds: float) -> Figures:
    """MB of a server after some requests and a while."""
    port = free_port()
    server = [sys.executable, "-m", "uvicorn", "benchmarks.launch.app:app", "--log-level", "error", "--port", str(port)]
    process = subprocess.Popen([*program, *server], env=environ, stdin=subprocess.DEVNULL)
    try:
        _ask(port, within_s=60)
        time.sleep(seconds)
        for _ in range(20):
            _ask(port, within_s=5)
        memory = psutil.Process(process.pid).memory_full_info()
    finally:
        process.terminate()
        process.wait(30)
    return {"PSS MB": memory.pss / 2**20, "RSS MB": memory.rss / 2**20}


def _ask(port: int, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/items/1", timeout=10) as answer:
                answer.read()
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def pairs(plain: Callable[[], Figures], watched: Callable[[], Figures], count: int) -> list[tuple[Figures, Figures]]:
    """Both in turn; whose turn is first alternates."""
    found = []
    for number in range(count):
        if number % 2:
            second = watched()
            found.append((plain(), second))
        else:
            found.append((plain(), watched()))
    return found


def report(found: Sequence[tuple[Figures, Figures]]) -> dict[str, tuple[float, float]]:
    """Print each figure; gives the median difference and ratio of each."""
    told = {}
    for name in found[0][0]:
        plain = statistics.median(one[name] for one, _other in found)
        more = statistics.median(other[name] - one[name] for one, other in found)
        ratio = statistics.median(other[name] / one[name] for one, other in found)
        print(f"   {name:<7} {plain:7.1f} plain, {more:+6.2f} watched, ratio {ratio:.2f}", flush=True)
        told[name] = more, ratio
    return told


def main() -> int:
    """Measure; 1 when something is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.launch", description=__doc__)
    parser.add_argument("--starts", type=int, default=30, help="pairs (default: %(default)s)")
    parser.add_argument("--servers", type=int, default=10, help="pairs (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="a server runs (default: %(default)s)")
    chosen = parser.parse_args()
    within = True
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as made:
        environ = environment(Path(made))
        program = [sys.executable, "-c", "pass"]
        if chosen.starts:
            print(f"   the start of a program, {chosen.starts} pairs, CPU ratio at most {START_LIMIT:g}:")
            starts = report(
                pairs(lambda: start(program, environ), lambda: start([*command(), *program], environ), chosen.starts)
            )
            within = starts["CPU ms"][1] <= START_LIMIT
        if chosen.servers:
            print(f"   FastAPI on uvicorn, {chosen.servers} pairs, RSS at most {MEMORY_LIMIT_MB:g} MB more:")
            servers = report(
                pairs(
                    lambda: serve([], environ, seconds=chosen.seconds),
                    lambda: serve(command(), environ, seconds=chosen.seconds),
                    chosen.servers,
                )
            )
            within = within and servers["RSS MB"][0] <= MEMORY_LIMIT_MB
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
