"""What the system counts of the process beside its memory: CPU time, context switches, open files."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

from memwatch.sampling.isolation import psutil

MOST_LISTED = 100_000
"""Open files that are counted one by one. Of more than these the number is not known."""
SLOW_S = 0.005
"""CPU time of such a count that is too much for every snapshot."""
PAUSE = 10
"""After a slow one the next comes with the tenth snapshot."""


class UsageFigures(NamedTuple):
    """Of the process with all its threads, by their names in the snapshot."""

    cpu_user_s: float | None = None
    cpu_system_s: float | None = None
    open_files: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None


class Usage:
    """Reads them, in microseconds mostly."""

    def __init__(self, descriptors: str = "/proc/self/fd") -> None:
        self._descriptors = Path(descriptors)
        self._pause = 0
        """Snapshots that go without a count."""

    def read(self) -> UsageFigures:
        """Now. What the platform does not give is ``None``."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return UsageFigures(
            cpu_user_s=round(used.ru_utime, 6),
            cpu_system_s=round(used.ru_stime, 6),
            open_files=self._open_files(),
            voluntary_switches=used.ru_nvcsw,
            involuntary_switches=used.ru_nivcsw,
        )

    def _open_files(self) -> int | None:
        """Linux tells the number as the size of the folder from 6.2 on; before, its entries have to be counted."""
        try:
            size = self._descriptors.stat().st_size
        except OSError:
            return _open_files_elsewhere()
        return size or self._counted()

    def _counted(self) -> int | None:
        if self._pause > 0:
            self._pause -= 1
            return None
        start = time.thread_time()
        count = counted(str(self._descriptors))
        if time.thread_time() - start > SLOW_S:
            self._pause = PAUSE - 1
        return count


def counted(folder: str, most: int = MOST_LISTED) -> int | None:
    """The entries of ``/proc/self/fd`` without the one that reads it; ``None`` for more than ``most``.

    One entry at a time: a list of them all would take megabytes.
    """
    number = -1
    try:
        with os.scandir(folder) as entries:
            for _entry in entries:
                number += 1
                if number > most:
                    return None
    except OSError:
        return None
    return number


def _open_files_elsewhere() -> int | None:
    if sys.platform == "linux":  # no /proc
        return None
    system = psutil()
    try:
        number: int = system.Process().num_fds()
    except (system.Error, OSError, AttributeError):
        return None
    return number
