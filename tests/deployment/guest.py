"""The guest project under a real server, and the server's end of its transport."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import psutil

from memwatch.transport import TransportUnavailable, open_hub
from memwatch.transport.wire import Command, Report
from tests.servers import free_port, require
from tests.waiting import until

SITE = Path(__file__).parent / "site"
KEY = "guest-key"
START_S = 40.0


def _obeying_permissions() -> list[str]:
    """A prefix under which root too may write only where permissions allow it."""
    if os.getuid() != 0:
        return []
    setpriv = require("setpriv", shutil.which("setpriv"), "run the tests as an ordinary user, or install util-linux")
    return [setpriv, "--bounding-set", "-dac_override,-dac_read_search"]


class Guest:
    """One started server program with all its processes, and everything they have reported."""

    def __init__(self, folder: Path, url: str, *, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.hub = open_hub(url)
        self.reports: list[Report] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._log = folder / "guest.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "DJANGO_"))},
            "DJANGO_SETTINGS_MODULE": "guest.settings",
            "GUEST_FOLDER": str(folder),
            "MEMWATCH_TRANSPORT": url,
            "MEMWATCH_SNAPSHOT_INTERVAL": "1",
            "PYTHONPATH": f"{SITE}:{Path(__file__).parents[2]}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "default",
            **(environment or {}),
        }

    def start(self, *command: str, privileged: bool = True) -> None:
        """Start ``python -m <command>`` (``{port}`` is filled in), if need be without root's power over permissions."""
        arguments = [part.format(port=self.port, folder=self.folder) for part in command]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *([] if privileged else _obeying_permissions()),
                    sys.executable,
                    *(["-m"] if arguments[0] != "manage.py" else []),
                    *arguments,
                ],
                cwd=SITE,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *command: str) -> None:
        """Run another program of the guest to its end."""
        subprocess.run([sys.executable, "-m", *command], cwd=SITE, env=self._environment, check=True, timeout=60)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def children(self) -> set[int]:
        """The processes that the started one has started, without multiprocessing's helpers and zombies."""
        found = set()
        for child in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = " ".join(child.cmdline())
                if line and "resource_tracker" not in line:
                    found.add(child.pid)
        return found

    def get(self, path: str) -> str:
        """A page of the guest, waited for while it starts."""

        def page() -> tuple[str]:
            self._must_run()
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=30) as response:
                return (str(response.read().decode()),)  # true, also where the page is empty

        return until(page, within_s=START_S, seen=lambda: self.log)[0]

    def collect(self) -> list[Report]:
        """Read what has arrived; all reports so far."""
        with contextlib.suppress(TransportUnavailable):
            deliveries = self.hub.read(limit=1000)
            self.reports += [Report.decode(delivery.payload) for delivery in deliveries]
            self.hub.acknowledge(deliveries)
        return self.reports

    def wait(self, condition: Callable[[list[Report]], bool], *, within_s: float = START_S) -> list[Report]:
        """Collect until the reports are as wanted."""

        def look() -> bool:
            self._must_run()
            return condition(self.collect())

        def seen() -> object:
            return {(report.process.pid, report.process.program) for report in self.reports}, self.log[-3000:]

        until(look, within_s=within_s, every_s=0.05, seen=seen)
        return self.reports

    def wait_for_snapshots(self, pids: Callable[[], Collection[int]], *, at_least: int) -> dict[int, Report]:
        """Those of :meth:`first_snapshots`, once there are ``at_least`` and all have sent one."""
        found: dict[int, Report] = {}

        def complete(_reports: list[Report]) -> bool:
            there, first = set(pids()), self.first_snapshots()
            found.clear()
            found.update({pid: first[pid] for pid in there & set(first)})
            return len(there) >= at_least and there <= set(first)

        self.wait(complete)
        return found

    def first_snapshots(self) -> dict[int, Report]:
        """The first report with a snapshot of each process, by pid."""
        return {report.process.pid: report for report in reversed(self.reports) if report.snapshots}

    def ask(self, name: str, *keys: str, timeout_s: float = 10.0, **arguments: Any) -> dict[str, Report]:
        """The answers of the processes with these keys."""
        commands = {key: Command.make(name, key, **arguments).encode(KEY) for key in keys}
        return {key: Report.decode(payload) for key, payload in self.hub.request(commands, timeout_s=timeout_s).items()}

    def _must_run(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, f"it ended: {self.log[-3000:]}"

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = 15.0) -> None:
        """Signal the started process and wait for its end, then kill what it has left behind."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.pid).children(recursive=True)
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(within_s)
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.collect()

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        self.hub.close()
