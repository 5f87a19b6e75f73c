"""The coming and going of a service beside what a case does: short-lived rows, and jobs whose number varies."""

from __future__ import annotations

import random
from collections import deque


class Job:
    """Something under way."""

    __slots__ = ("arguments", "number")

    def __init__(self, number: int, arguments: dict[str, object]) -> None:
        self.number = number
        self.arguments = arguments


class Traffic:
    """Deterministic by its seed; in the long run it holds no more than ``most`` jobs."""

    def __init__(self, seed: int, *, most: int = 120) -> None:
        self._random = random.Random(seed)
        self._most = most
        self._jobs: deque[Job] = deque()

    def tick(self, i: int) -> None:
        """Some rows that are dropped again, and now and then another number of jobs."""
        rows = [{"row": number, "text": str(number)} for number in range(3 + i % 5)]
        if i % 16 == 0:
            wanted = self._random.randint(self._most // 3, self._most)
            while len(self._jobs) > wanted:
                self._jobs.popleft()
            while len(self._jobs) < wanted:
                self._jobs.append(Job(i, {"id": i, "rows": rows}))
