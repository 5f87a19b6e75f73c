"""No leak: frames of Polars with texts, of many sizes, made and dropped; its allocator keeps what they took.

Reported as pola-rs/polars#19497.

Holder: Polars' own allocator (jemalloc), which gives room back late, and not all of it.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="frames of Polars with texts",
    requires=("polars==1.12.0",),
    source="https://github.com/pola-rs/polars/issues/19497",
)
_traffic = Traffic(241)
_random = random.Random(241)
_polars: Any = None


def setup() -> None:
    global _polars
    import polars

    _polars = polars


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        count = _random.randint(200, 6000)
        names = [f"customer {number} of branch {i}" for number in range(count)]
        frame = _polars.DataFrame({"name": names}).with_columns(_polars.col("name").str.to_uppercase().alias("loud"))
        assert frame.filter(_polars.col("loud").str.contains("7 OF")).height > 0
