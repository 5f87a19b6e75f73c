"""The guest benchmark's host, with recordings made in its worker, and what a request costs it in CPU."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.guest.host import GTHREAD, Host
from memwatch.transport import open_hub
from memwatch.transport.wire import Command, Report

KEY = hashlib.sha256(b"memwatch.commands:benchmark").hexdigest()
"""As the settings derive it from the host's SECRET_KEY."""
LONGEST_S = 120.0


class RecordedHost(Host):
    """One gunicorn with one worker, watched."""

    def __init__(self, folder: Path, *, worker: Sequence[str] = GTHREAD) -> None:
        super().__init__(folder, "on", interval_s=60, worker=worker)
        (self._worker,) = psutil.Process(self._process.pid).children()
        self._hub = open_hub(f"local://{folder}/transport")
        self._key = ""

    def cpu_ms_per_request(self, seconds: float) -> float:
        """CPU of the worker for each request, over so long a load."""
        before = sum(self._worker.cpu_times()[:2])
        requests = len(self.load(seconds))
        return (sum(self._worker.cpu_times()[:2]) - before) * 1e3 / requests

    def _reports(self) -> list[Report]:
        deliveries = self._hub.read(limit=1000)
        self._hub.acknowledge(deliveries)
        reports = [Report.decode(delivery.payload) for delivery in deliveries]
        return [report for report in reports if report.process.pid == self._worker.pid]

    def record(self, kind: str, options: dict[str, Any]) -> tuple[float, dict[str, float]]:
        """CPU per request while it records, and what the recording itself says it has cost."""
        deadline = time.monotonic() + LONGEST_S
        while not self._key:
            self._key = next((report.process.key for report in self._reports()), "")
            self.load(0.1)
        wanted = secrets.token_hex(8)
        command = Command.make("record", self._key, recording=wanted, kind=kind, options=options)
        answer = self._hub.request({self._key: command.encode(KEY)}, timeout_s=30)[self._key]
        (said,) = Report.decode(answer).answers
        if said.state != "done":
            raise RuntimeError(f"{kind} was refused: {said.detail}")
        costs = []
        while time.monotonic() < deadline:
            costs.append(self.cpu_ms_per_request(0.5))
            parts = [part for report in self._reports() for part in report.recordings if part.recording == wanted]
            over = [part for part in parts if part.state != "running" and part.part == part.parts - 1]
            if over:
                if over[0].state != "done":
                    raise RuntimeError(f"{kind} failed: {over[0].error}")
                return costs[0], dict(over[0].measured)
        raise RuntimeError(f"{kind} did not end")

    def close(self) -> None:
        """Stop gunicorn and the hub."""
        self._hub.close()
        super().close()
