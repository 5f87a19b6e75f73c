"""A clock that can be set while programs run, in every Python process that finds this file on its path.

The file named by ``OUTAGE_CLOCK`` holds the seconds by which the clock is wrong; where it lacks, the clock is right.
Only the time of day is changed, as when a machine's clock is set; monotonic clocks go on.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from typing import Any

LOOK_EVERY_S = 0.25


def _offset(path: str) -> float:
    try:
        with open(path) as file:  # noqa: PTH123 - imported by every process at its start
            return float(file.read() or 0)
    except OSError:
        return 0.0


class _Clock:
    """How wrong the clock is; a forked child goes on with its parent's."""

    def __init__(self) -> None:
        self._wrong_by = 0.0
        self._traveller: Any = None

    def set(self, wrong_by: float) -> None:
        if wrong_by == self._wrong_by:
            return
        import time_machine

        if self._traveller is not None:
            self._traveller.stop()
            self._traveller = None
        if wrong_by:
            there = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=wrong_by)
            self._traveller = time_machine.travel(there, tick=True)
            self._traveller.start()
        self._wrong_by = wrong_by


_clock = _Clock()


def _follow(path: str) -> None:
    while True:
        _clock.set(_offset(path))
        time.sleep(LOOK_EVERY_S)


def _start() -> None:
    path = os.environ.get("OUTAGE_CLOCK")
    if path:
        # Now, while there is one thread: a child that is forked during the import would have half of it for ever.
        import time_machine  # noqa: F401

        threading.Thread(target=_follow, args=(path,), name="clock", daemon=True).start()


_start()
os.register_at_fork(after_in_child=_start)
