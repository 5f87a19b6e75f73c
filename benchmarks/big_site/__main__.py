"""PSS of memwatch's own programs in a site of 300 models: all of the site loaded, slim, and with a hub elsewhere."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.big_site.generate import generate

ROOT = Path(__file__).parents[2]
SHARE = 0.5
"""The most that the slim way may take of the full one."""
_CELERY = ("-m", "celery", "-A", "celery_app")


def ways(port: int) -> Mapping[str, tuple[str, Mapping[str, Sequence[str]]]]:
    """The settings and the programs of each, beside the site's own."""
    exporter = ("manage.py", "memwatch_exporter", "--port", str(port))
    return {
        "embedded": ("settings", {
            "worker": (*_CELERY, "worker", "-Q", "memwatch", "-c", "1", "--loglevel", "error"),
            "beat": (*_CELERY, "beat", "--loglevel", "error", "--schedule", "beat.db"),
            "exporter": exporter,
        }),
        "slim": ("settings_slim", {"all in one": ("manage.py", "memwatch_work", "--metrics-port", str(port))}),
    }  # fmt: skip


def pss_mb(process: psutil.Process) -> tuple[int, float]:
    """Processes and MB of a program and all that it has started."""
    family = [process, *process.children(recursive=True)]
    return len(family), sum(each.memory_full_info().pss for each in family) / 2**20


def measure(folder: Path, settings: str, programs: Mapping[str, Sequence[str]], seconds: float) -> float:
    """Start them, wait, print each; the sum."""
    environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": settings}
    running = {
        name: psutil.Popen([sys.executable, *program], cwd=folder, env=environ, stdout=subprocess.DEVNULL)
        for name, program in programs.items()
    }
    try:
        time.sleep(seconds)
        total = 0.0
        for name, process in running.items():
            if process.poll() is not None:
                raise SystemExit(f"{name} has ended with {process.returncode}")
            count, mb = pss_mb(process)
            total += mb
            print(f"   {name:<12} {count} processes, {mb:6.1f} MB", flush=True)
        return total
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(60)


def main() -> int:
    """Measure; 1 when slim is not half of the full way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_site", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="after the start (default: %(default)s)")
    seconds = parser.parse_args().seconds
    totals = {}
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as made:
        folder = Path(made)
        generate(folder)
        environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": "settings"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=folder, env=environ, check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        for way, (settings, programs) in ways(port).items():
            print(f"   {way}:")
            totals[way] = measure(folder, settings, programs, seconds)
            print(f"   {'together':<25}  {totals[way]:6.1f} MB", flush=True)
    print("   with a hub elsewhere the site runs none of them: 0 MB")
    return 0 if totals["slim"] <= SHARE * totals["embedded"] else 1


if __name__ == "__main__":
    sys.exit(main())
