"""No leak: a limit of requests by address, in memory, whose windows that are over are swept out now and then.

Reported as alisaifee/flask-limiter#458, which asked whether they ever are.

Holder: ``MemoryStorage.counters`` and ``.expirations``, dicts by address, up to the next sweep.
"""

import random

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="limits by address, swept now and then",
    source="https://github.com/alisaifee/flask-limiter/issues/458",
)
_traffic = Traffic(326)
_random = random.Random(326)
WINDOW = 2_000
SWEEP_EVERY = 3_000


class MemoryStorage:
    """How many requests came in a window; the time is the number of the request."""

    def __init__(self) -> None:
        self.counters: dict[str, list[int]] = {}
        self.expirations: dict[str, int] = {}

    def incr(self, key: str, now: int) -> int:
        """Count one more, in a new window when the last is over."""
        if self.expirations.get(key, now) <= now:
            self.counters[key] = []
            self.expirations[key] = now + WINDOW
        self.counters[key].append(now)
        return len(self.counters[key])

    def sweep(self, now: int) -> None:
        """Forget the windows that are over."""
        for key in [key for key, at in self.expirations.items() if at <= now]:
            del self.counters[key], self.expirations[key]


_storage = MemoryStorage()


def setup() -> None:
    _storage.counters.clear()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 3 == 0:
        address = _random.getrandbits(15)
        assert _storage.incr(f"10.0.{address >> 8}.{address & 255}/minute", i) < 100
    if i % SWEEP_EVERY == 0:
        _storage.sweep(i)
