"""No leak: four connections, each with a buffer that grows to its biggest message so far; most messages are small.

Reported as rust-postgres/rust-postgres#1081, where psycopg is said to do so too: a high-water mark.
"""

import random

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="buffers that keep the size of the biggest message",
    source="https://github.com/rust-postgres/rust-postgres/issues/1081",
)
_traffic = Traffic(117)
_random = random.Random(117)
_buffers = [bytearray() for _ in range(4)]


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        buffer = _buffers[i // 20 % 4]
        size = min(800_000, int(2000 * _random.paretovariate(1.1)))
        if size > len(buffer):
            buffer.extend(bytes(size - len(buffer)))
        buffer[:size] = b"x" * size
