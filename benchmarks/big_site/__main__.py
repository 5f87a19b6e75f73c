"""PSS of what memwatch adds to a site of 300 models: embedded, slim, with a hub elsewhere; and of ``make run``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.big_site.generate import generate
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
SHARE = 0.5
"""The most that the slim way may take of the full one."""
HUB_LIMIT_MB = 350.0
"""Of all programs of ``make run`` together."""
_CELERY = ("-m", "celery", "-A", "celery_app")
_HUB = ("gunicorn", "celery", "memwatch_exporter")
Programs = Mapping[str, tuple[str, Sequence[str]]]


def ways() -> Mapping[str, Programs]:
    """The programs of each, with their settings."""
    web = ("-m", "gunicorn", "wsgi", "-w", "2", "-b", f"127.0.0.1:{free_port()}", "--log-level", "error")
    port = str(free_port())
    return {
        "without memwatch": {"web": ("settings_plain", web)},
        "embedded": {
            "web": ("settings", web),
            "worker": ("settings", (*_CELERY, "worker", "-Q", "memwatch", "-c", "1", "--loglevel", "error")),
            "beat": ("settings", (*_CELERY, "beat", "--loglevel", "error", "--schedule", "beat.db")),
            "exporter": ("settings", ("manage.py", "memwatch_exporter", "--port", port)),
        },
        "slim": {
            "web": ("settings", web),
            "all in one": ("settings_slim", ("manage.py", "memwatch_work", "--metrics-port", port)),
        },
        "a hub elsewhere": {"web": ("settings_plain", ("-m", "memwatch", "run", "--", sys.executable, *web))},
    }


def pss_mb(process: psutil.Process) -> tuple[int, float]:
    """Processes and MB of a program and all that it has started."""
    family = [process, *process.children(recursive=True)]
    return len(family), sum(each.memory_full_info().pss for each in family) / 2**20


def measure(folder: Path, programs: Programs, seconds: float) -> float:
    """Start them, wait, print each; the sum of those that are memwatch's."""
    environ = {
        **os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "MEMWATCH_TRANSPORT": f"local://{folder}/transport"
    }  # fmt: skip
    running = {
        name: psutil.Popen(
            [sys.executable, *program], cwd=folder, env={**environ, "DJANGO_SETTINGS_MODULE": settings},
            stdout=subprocess.DEVNULL,
        )
        for name, (settings, program) in programs.items()
    }  # fmt: skip
    try:
        time.sleep(seconds)
        own = 0.0
        for name, process in running.items():
            if process.poll() is not None:
                raise SystemExit(f"{name} has ended with {process.returncode}")
            count, mb = pss_mb(process)
            own += mb if name != "web" else 0.0
            print(f"   {name:<12} {count} processes, {mb:6.1f} MB", flush=True)
        print(f"   {'of memwatch':<25} {own:6.1f} MB", flush=True)
        return own
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(60)


def measure_hub(folder: Path, seconds: float) -> float:
    """The programs of ``make run``, as :func:`measure`."""
    environ = {**os.environ, "MEMWATCH_VAR": str(folder / "hub"), "DJANGO_SETTINGS_MODULE": "project.settings"}
    command = ["manage.py", "run_stack", "--port", str(free_port()), "--exporter-port", str(free_port())]
    supervisor = psutil.Popen([sys.executable, *command], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while len(supervisor.children()) < len(_HUB):
            if time.monotonic() > deadline:
                raise SystemExit("make run has not started its programs")
            time.sleep(0.2)
        time.sleep(seconds)
        for child in supervisor.children():
            count, mb = pss_mb(child)
            name = next((word for word in child.cmdline() if word in _HUB), "?")
            print(f"   {name:<20} {count} processes, {mb:6.1f} MB", flush=True)
        count, total = pss_mb(supervisor)
        print(f"   {'together':<20} {count} processes, {total:6.1f} MB", flush=True)
        return total
    finally:
        supervisor.terminate()
        supervisor.wait(60)


def main() -> int:
    """Measure; 1 when slim is not half of the full way, or the hub takes too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_site", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="after the start (default: %(default)s)")
    seconds = parser.parse_args().seconds
    totals = {}
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as made:
        folder = Path(made)
        generate(folder)
        environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": "settings"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=folder, env=environ, check=True)
        for way, programs in ways().items():
            print(f"   {way}:", flush=True)
            totals[way] = measure(folder, programs, seconds)
        print("   make run:", flush=True)
        hub = measure_hub(folder, seconds)
    return 0 if totals["slim"] <= SHARE * totals["embedded"] and hub <= HUB_LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
