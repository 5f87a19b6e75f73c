"""A few requests a second from one visitor, and how long each took."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Sequence

TOO_LONG_S = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """When it was sent, in seconds of the monotonic clock, how long it took, and the answer's status."""

    at: float
    took_s: float
    status: int


class Load:
    """Asks for the pages in turn until it is stopped: one request at a time, and never more than ``per_second``."""

    def __init__(self, get: Callable[[str], int], pages: Sequence[str], per_second: float) -> None:
        self._get, self._pages, self._pause_s = get, pages, 1 / per_second
        self._ended = threading.Event()
        self._done: list[Request] = []
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for page in itertools.cycle(self._pages):
            start = time.monotonic()
            status = self._get(page)
            took_s = time.monotonic() - start
            self._done.append(Request(start, took_s, status))
            if self._ended.wait(max(0.0, self._pause_s - took_s)):
                return

    @property
    def done(self) -> list[Request]:
        """So far."""
        return list(self._done)

    def stop(self) -> list[Request]:
        """All that were answered."""
        self._ended.set()
        self._thread.join(TOO_LONG_S)
        return self.done


def longest_ms(requests: Sequence[Request], start: float, end: float) -> float | None:
    """Of those that were under way in that time; ``None`` where none was."""
    under_way = [each.took_s for each in requests if each.at < end and each.at + each.took_s > start]
    return max(under_way) * 1e3 if under_way else None
