"""The clock for the time that jobs take."""

from __future__ import annotations

import time


class Clock:
    """Tools that stop the time for tests replace the function in every module that has it by name: here is none."""

    now = staticmethod(time.perf_counter)
    since_1970 = staticmethod(time.time)
