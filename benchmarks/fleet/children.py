"""Modules of the benchmark in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any


class Child:
    """A module in a process of its own; its lines go into a file, for a full pipe would hold it up."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when it has been read
        command = [sys.executable, "-m", f"benchmarks.fleet.{module}", *arguments]
        self._process = subprocess.Popen(command, stdout=self._output, text=True)

    def lines(self) -> list[Any]:
        """Wait for its end; what it printed, a line of JSON each."""
        if self._process.wait():
            raise SystemExit(f"{self._process.args!r} failed")
        with self._output:
            self._output.seek(0)
            return [json.loads(line) for line in self._output]
