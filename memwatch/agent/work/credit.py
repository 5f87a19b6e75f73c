"""Time for reading memory: earned by the jobs, spent by what is read around them."""

from __future__ import annotations

import math
import random

SHARE = 0.008
"""Of the time of jobs, for measuring them: 1 % is promised, and costs are only known afterwards."""
MEASURED = 0.3
"""Share of long jobs that are measured: the reading takes some 100 microseconds where the processor's caches have been
used for other things, and most jobs are to take less than 50 more."""
SELDOM = MEASURED / 8
"""Share of short jobs for which it is asked whether they may be measured: asking takes time too."""
FIXED_S = 6e-6
"""What counting one job and writing it into the flight record takes, without any reading and without adding up; it
comes out of the same share."""
_MOST_CREDIT_S = 0.002
_FIRST_COST_S = 50e-6
"""A reading is taken to cost this much until it was timed."""


class Credit:
    """Time for one kind of reading, earned by the jobs and spent by it."""

    __slots__ = ("_cost", "_left")

    def __init__(self) -> None:
        self._left = _MOST_CREDIT_S
        self._cost = _FIRST_COST_S

    def earn(self, seconds: float) -> None:
        if seconds > 0:
            self._left = min(_MOST_CREDIT_S, self._left + seconds)
        else:  # jobs too short for any reading make no debt that later ones would have to pay
            self._left = max(min(self._left, 0.0), self._left + seconds)

    def pays(self, drawn: float) -> bool:
        """Whether the job that begins is measured: by chance in part, so that no pattern of jobs is always missed.

        ``drawn``: a random number from 0 to 1.
        """
        return self._left >= self._cost * (1 + drawn)

    def spend(self, seconds: float) -> None:
        """``seconds``: what the readings before and after a job took together.

        A reading during which the system ran something else took no longer than others: one by itself counts little.
        """
        self._cost += (min(seconds, 2 * self._cost) - self._cost) / 8
        self._left -= self._cost


def jobs_to_skip(chance: random.Random, share: float) -> int:
    """How many jobs to leave out until the next, so that each is chosen with the same chance ``share``, below 1."""
    return int(math.log1p(-chance.random()) / math.log1p(-share))
