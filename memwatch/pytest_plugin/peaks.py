"""The most that one call needs, and what calls keep: plain figures without a verdict."""

from __future__ import annotations

from memwatch.pytest_plugin.calls import Steps
from memwatch.pytest_plugin.counting import Counter, collect
from memwatch.pytest_plugin.findings import Kept
from memwatch.pytest_plugin.ledger import Ledger
from memwatch.records import MB


def peak_mb(warmup: int) -> Steps[float]:
    """Of one call, in MB above what was in use before it."""
    import tracemalloc  # noqa: PLC0415 - where it is asked for

    if warmup:
        yield warmup
    collect()
    starts = not tracemalloc.is_tracing()
    if starts:
        tracemalloc.start(1)
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        yield 1
        return float(tracemalloc.get_traced_memory()[1] - before) / MB
    finally:
        if starts:
            tracemalloc.stop()


def kept(count: int, warmup: int) -> Steps[Kept]:
    """By each of ``count`` calls; first counted, then in another row of calls traced."""
    import tracemalloc  # noqa: PLC0415 - where it is asked for

    if warmup:
        yield warmup
    counter = Counter()
    ledger = Ledger(counter.count(), 1)
    made = yield count
    ledger.add(counter.count(), made)
    objects = {name: (column[-1] - column[0]) / made for name, column in ledger.objects.items()}
    blocks = (ledger.blocks[-1] - ledger.blocks[0]) / made
    starts = not tracemalloc.is_tracing()
    if starts:
        tracemalloc.start(1)
    try:
        yield 1
        collect()
        before = tracemalloc.get_traced_memory()[0]
        traced = yield count
        collect()
        size = (tracemalloc.get_traced_memory()[0] - before) / max(traced, 1)
    finally:
        if starts:
            tracemalloc.stop()
    grown = sorted(((name, each) for name, each in objects.items() if each > 0), key=lambda pair: -pair[1])
    return Kept(calls=made, objects=dict(grown), blocks=blocks, bytes=size)
