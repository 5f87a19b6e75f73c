"""The host process under gunicorn, and a client that asks it as fast as it answers."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

SITE = Path(__file__).parent / "site"
START_S = 30.0
GTHREAD = ("--worker-class", "gthread", "--threads", "2", "--keep-alive", "60")
SYNC = ("--worker-class", "sync")
"""Closes the connection after each request."""


class Host:
    """One gunicorn with one worker; ``has``: ``nothing``, memwatch switched ``off``, or ``on``."""

    def __init__(
        self,
        folder: Path,
        has: str,
        *,
        interval_s: float = 60.0,
        environment: Mapping[str, str] | None = None,
        worker: Sequence[str] = GTHREAD,
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH", "DJANGO"))}
        chosen = {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "host_settings",
            "PYTHONPATH": f"{SITE}:{Path(__file__).parents[2]}",
            "HOST_HAS": has,
            "MEMWATCH_AGENT": "on" if has == "on" else "off",
            "MEMWATCH_TRANSPORT": f"local://{folder}/transport",
            "MEMWATCH_SNAPSHOT_INTERVAL": str(interval_s),
            **(environment or {}),
        }
        kind = ("--workers", "1", *worker)
        quiet = ("--log-level", "error", "--no-control-socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "host", "--bind", f"127.0.0.1:{self.port}", *kind, *quiet],
            env=chosen,
        )
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.ask()
                break
            except OSError:
                self._connection.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("gunicorn did not start") from None
                time.sleep(0.05)

    def ask(self, path: str = "/") -> float:
        """One request; the seconds that it took."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"the host answered {response.status}")
        return time.perf_counter() - began

    def load(self, seconds: float) -> list[float]:
        """Ask for so long; what each request took."""
        until = time.perf_counter() + seconds
        took = []
        while time.perf_counter() < until:
            took.append(self.ask())
        return took

    def worker_memory(self) -> tuple[float, float]:
        """RSS and USS of the worker in MB."""
        ((rss, uss, _pss),) = self.memory_of_workers()
        return rss, uss

    def memory_of_workers(self) -> list[tuple[float, float, float]]:
        """RSS, USS and PSS of each worker in MB."""
        each = [worker.memory_full_info() for worker in psutil.Process(self._process.pid).children()]
        return [(memory.rss / 2**20, memory.uss / 2**20, memory.pss / 2**20) for memory in each]

    def close(self) -> None:
        """Stop gunicorn."""
        self._connection.close()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
