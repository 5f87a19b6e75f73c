"""Programs under ``memwatch run``, and what their agents report."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from memwatch.transport import open_hub
from memwatch.transport.wire import Report
from tests.waiting import until

ROOT = Path(__file__).parents[2]
KEY = "the key of the tests"


class Hub:
    """Reads all that arrives."""

    def __init__(self, folder: Path) -> None:
        self.url = f"local://{folder}/hub"
        self._hub = open_hub(self.url)
        self.reports: list[Report] = []

    def read(self) -> list[Report]:
        """All reports so far."""
        deliveries = self._hub.read(limit=100)
        self.reports += [Report.decode(each.payload) for each in deliveries]
        self._hub.acknowledge(deliveries)
        return self.reports

    def of(self, pid: int) -> list[Report]:
        """Those of a process."""
        return [each for each in self.read() if each.process.pid == pid]

    def wait_for(self, pid: int) -> Report:
        """The first of a process."""
        return until(lambda: self.of(pid), within_s=60, seen=self.seen)[0]

    def seen(self) -> object:
        """Who has reported."""
        return [(each.process.pid, each.process.service, each.process.program) for each in self.reports]

    def jobs(self) -> dict[tuple[str, str], int]:
        """Calls by kind and name, of all processes."""
        found: dict[tuple[str, str], int] = {}
        for report in self.read():
            for _number, snapshot in report.snapshots:
                for each in snapshot.work or ():
                    found[each.kind, each.name] = found.get((each.kind, each.name), 0) + each.calls
        return found


def environment(hub: Hub, **more: str) -> dict[str, str]:
    """Of a program that finds this very memwatch, whatever is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "DJANGO_"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "MEMWATCH_TRANSPORT": hub.url,
        "MEMWATCH_COMMAND_KEY": KEY,
        "MEMWATCH_SNAPSHOT_INTERVAL": "0.2",
        **more,
    }


def command(*program: str, options: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", "memwatch", "run", *options, "--", *program]


def python(*arguments: str, options: Sequence[str] = ()) -> list[str]:
    """A Python program under ``memwatch run``."""
    return command(sys.executable, *arguments, options=options)


def done(
    arguments: Sequence[str], environ: dict[str, str], cwd: Path, **more: object
) -> subprocess.CompletedProcess[str]:
    """Run to its end."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        arguments, env=environ, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **more
    )


@contextmanager
def running(arguments: Sequence[str], environ: dict[str, str], cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run until the end of the block; with pipes for input and output, errors in the file ``errors``."""
    with (cwd / "errors").open("w") as errors:
        process = subprocess.Popen(
            arguments, env=environ, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
