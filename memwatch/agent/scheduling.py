"""When to sample, and when to try an absent transport again. Times are monotonic seconds, given by the caller."""

from __future__ import annotations

import random


class Timetable:
    """A first snapshot soon after the start, the second at a random phase, then one every ``interval_s``."""

    first_within_s = 2.0
    """The first snapshot falls at random within this time, so that a thousand processes do not pause at once."""

    def __init__(self, interval_s: float, *, now: float, chance: random.Random) -> None:
        self._interval_s = interval_s
        self._chance = chance
        self._first = True
        self.next_at = now + chance.random() * min(self.first_within_s, interval_s)

    def due(self, now: float) -> bool:
        return now >= self.next_at

    def taken(self, now: float) -> None:
        """A snapshot was taken for the timetable; the next is due one interval later, missed ones are left out."""
        if self._first:
            self._first = False
            self.next_at = now + self._interval_s * self._chance.uniform(0.1, 1.0)
            return
        self.next_at += self._interval_s
        if self.next_at <= now:
            late = now - self.next_at
            self.next_at += self._interval_s * (1 + late // self._interval_s)


class Backoff:
    """Growing pauses between attempts, each drawn at random between half and the whole of its length."""

    def __init__(self, *, chance: random.Random, first_s: float = 1.0, longest_s: float = 60.0) -> None:
        self._chance = chance
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0
        self.retry_at = 0.0

    def failed(self, now: float) -> None:
        length = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        self.retry_at = now + length * self._chance.uniform(0.5, 1.0)

    def succeeded(self) -> None:
        self._failures = 0
        self.retry_at = 0.0

    def ready(self, now: float) -> bool:
        return now >= self.retry_at
