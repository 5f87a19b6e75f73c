"""Did requests to a watched process take longer while something was away?

Both servers, the watched and the other, are asked in turn all the time, so what else the machine does meets both. The
ratio of their 99th percentiles during an outage, over the same ratio in the calm around it, is what the outage did to
the watched one alone. The interval is a bootstrap over blocks of two seconds (95 %).
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from pathlib import Path

BLOCK_S = 2.0
LIMIT = 1.05
_RESAMPLES = 200

Block = tuple[list[float], list[float]]
"""Seconds of the requests to the watched server, and to the other."""


class Requests:
    """What the load has written."""

    def __init__(self, path: Path) -> None:
        numbers = array("d")
        numbers.frombytes(path.read_bytes())
        self._began, self._which, self._took = numbers[0::3], numbers[1::3], numbers[2::3]

    def between(self, begin: float, end: float) -> list[Block]:
        """The requests of these monotonic seconds, in blocks."""
        blocks: dict[int, Block] = {}
        for began, which, took in zip(self._began, self._which, self._took, strict=True):
            if begin <= began < end:
                blocks.setdefault(int((began - begin) / BLOCK_S), ([], []))[int(which)].append(took)
        return list(blocks.values())


def p99_ratio(blocks: Sequence[Block]) -> float:
    """Watched over not."""
    watched, other = (sorted(took for block in blocks for took in block[side]) for side in (0, 1))
    return watched[int(len(watched) * 0.99)] / other[int(len(other) * 0.99)]


def change(during: Sequence[Block], calm: Sequence[Block]) -> tuple[float, float, float]:
    """The ratio of the ratios, and where it lies with 95 % confidence."""
    chance = random.Random(1)
    found = sorted(
        p99_ratio(chance.choices(during, k=len(during))) / p99_ratio(chance.choices(calm, k=len(calm)))
        for _ in range(_RESAMPLES)
    )
    return p99_ratio(during) / p99_ratio(calm), found[int(_RESAMPLES * 0.025)], found[int(_RESAMPLES * 0.975)]
