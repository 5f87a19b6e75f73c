"""Adding up traces of allocations."""

from __future__ import annotations

from pathlib import Path

import memwatch
from memwatch.diagnosis.allocations.sites import Frames, Sizes, by_frames

OURS = Path(memwatch.__file__).parent


def summed(traces: list[tuple[int, int, Frames, int]]) -> Sizes:
    steps = by_frames(traces)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            sizes: Sizes = end.value
            return sizes


def test_allocations_of_the_observer_are_left_out() -> None:
    shop = (("shop/views.py", 7),)
    own = ((str(OURS / "diagnosis" / "allocations" / "sites.py"), 51), ("shop/views.py", 7))
    sampled = ((str(OURS / "sampling" / "sampler.py"), 5),)
    traces = [(0, 100, shop, 1), (0, 50, shop, 1), (0, 4_000, own, 2), (0, 900, sampled, 1)]
    assert summed(traces) == {shop: [150, 2]}
