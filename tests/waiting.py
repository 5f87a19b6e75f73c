"""Waiting for what comes to be, instead of for a time that is too short on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    *,
    within_s: float = 30.0,
    every_s: float = 0.02,
    seen: Callable[[], object] = lambda: "",
) -> T:
    """What ``condition`` returns once that is true. Before, an :class:`OSError` means not yet: a server starts.

    Raises :class:`AssertionError` with the last answer and what ``seen`` returns, when the time is over.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            last: object = (found := condition())
            if found:
                return found
        except OSError as error:
            last = error
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {last!r}; {seen()}"
        time.sleep(every_s)
