"""Modules of the benchmark in processes of their own."""

from __future__ import annotations

import json
import os
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

    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def lines_so_far(self) -> int:
        """How many it has printed by now. Read at a place of its own: the child writes at the file's."""
        number = self._output.fileno()
        return os.pread(number, os.fstat(number).st_size, 0).count(b"\n")

    def lines(self) -> list[Any]:
        """Wait for its end; what it printed, a line of JSON each."""
        if self._process.wait():
            raise SystemExit(f"{self._process.args!r} failed")
        with self._output:
            self._output.seek(0)
            return [json.loads(line) for line in self._output]
