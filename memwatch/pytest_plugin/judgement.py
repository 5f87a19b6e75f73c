"""From counts by call to what grows with every call: the engine's rules, on exact counts. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from memwatch.detection import History, Thresholds, Verdict, judge
from memwatch.pytest_plugin.findings import Growth
from memwatch.pytest_plugin.ledger import MALLOC, MAPPED, TOUCHED, Ledger
from memwatch.records import KIB_PER_MB

LEAST_GROWTH = 12
"""Objects or blocks that must come in a series: one in two of its steps. A cache that resizes makes fewer."""
LEAST_BLOCKS, LEAST_KIB = 8, 8.0
"""Blocks and KiB of the first look's last round that make a series worth while: less is free lists."""
LEAST_MAPPED_KIB = 128.0
"""The same of memory that is mapped: less is a thread's share, or the last page of many."""
NATIVE_BYTES, MOST_NATIVE_KIB = 16, 128.0
"""A native leak is at least so many bytes for each call; with many calls so many KiB in all. The C library keeps some
of what was freed ready for each thread, and counts it as in use."""
BLOCKS_CALLS, OBJECTS_CALLS = 200, 1_000
"""The same as calls for each."""
FADED = 0.5
"""A leak keeps its rate when there are more calls; what fills up falls below this share of it."""
STAYED = 0.5
"""Share of a growth that must still be there when all garbage is collected, old objects included."""
THRESHOLDS = Thresholds(min_growth_percent=50.0, min_growth_count=LEAST_GROWTH)


def may_leak(ledger: Ledger) -> bool:
    """Whether the first look added anything that is worth a series, in its last and longest round above all."""
    calls = int(ledger.calls[-1] - ledger.calls[-2])
    least = max(1, calls // OBJECTS_CALLS)
    if any(_added(column) >= least for column in ledger.objects.values()):
        return True
    if _added(ledger.blocks) >= max(LEAST_BLOCKS, calls // BLOCKS_CALLS):
        return True
    memory = ((ledger.memory_kib(of), kib) for of, kib in ((MALLOC, LEAST_KIB), (MAPPED, LEAST_MAPPED_KIB)))
    return any(column is not None and _added(column) >= kib for column, kib in memory)


def _added(column: Sequence[float]) -> float:
    """In the last round; in all of them where it fell in one, so that noise may have hidden what the last one added."""
    last = column[-1] - column[-2]
    falls = any(after < before for before, after in pairwise(column))
    return max(last, column[-1] - column[0]) if falls else last


def leaks(ledger: Ledger) -> tuple[list[Growth], bool]:
    """What the rules call a leak, the largest first; and whether something grows of which they cannot tell yet."""
    verdicts = judge(history(ledger), thresholds=THRESHOLDS, window="calls")
    found = _lasting(verdicts, ledger, MALLOC)
    waits = any(verdict.outcome == "not enough data" and verdict.growth_count > 0 for verdict in verdicts)
    if not found:
        found = _lasting(judge(stairs(ledger), thresholds=THRESHOLDS, window="calls"), ledger, MALLOC)
    if not found:
        found = _lasting(judge(mapped(ledger), thresholds=THRESHOLDS, window="calls"), ledger, MAPPED)
    return found, waits


def _lasting(verdicts: Sequence[Verdict], ledger: Ledger, memory: str) -> list[Growth]:
    found = [_growth(verdict, ledger, memory) for verdict in verdicts if verdict.is_leak]
    return [each for each in found if _stayed(ledger, each) and not _is_spare(each)]


def _is_spare(growth: Growth) -> bool:
    return growth.unit == "KiB" and growth.grown < min(growth.calls * NATIVE_BYTES / 1024, MOST_NATIVE_KIB)


def _stayed(ledger: Ledger, growth: Growth) -> bool:
    stayed = ledger.stayed(growth.unit, growth.type, growth.memory)
    return stayed is None or stayed >= STAYED * growth.grown


def history(ledger: Ledger) -> History:
    """As the engine reads it: a second between two counts, each column counted from its lowest."""
    objects = ledger.objects
    figures: dict[str, Sequence[float | None]] = {
        "allocated_blocks": _from_lowest(ledger.blocks),
        "total_objects": _from_lowest([sum(row) for row in zip(*objects.values(), strict=True)] or [0] * ledger.rows),
    }
    figures |= _mb("malloc_used_mb", ledger.memory_kib(MALLOC))
    return History(
        times=tuple(float(row) for row in range(ledger.rows)),
        figures=figures,
        counts={name: [int(each) for each in _from_lowest(column)] for name, column in objects.items()},
    )


def stairs(ledger: Ledger) -> History:
    """The C library's memory in use, beside what is resident: a pool that grows in stairs is touched page by page."""
    figures = _mb("malloc_used_mb", ledger.memory_kib(MALLOC)) | _mb("rss_mb", ledger.memory_kib(TOUCHED))
    return _of_memory(ledger, figures | {"pymalloc_used_mb": [0.0] * ledger.rows})


def mapped(ledger: Ledger) -> History:
    """What is mapped beside both allocators, judged by the rules for memory in use."""
    return _of_memory(ledger, _mb("malloc_used_mb", ledger.memory_kib(MAPPED)))


def _of_memory(ledger: Ledger, figures: Mapping[str, Sequence[float]]) -> History:
    return History(times=tuple(float(row) for row in range(ledger.rows)), figures=figures, counts={})


def _mb(name: str, kib: Sequence[float] | None) -> dict[str, Sequence[float]]:
    return {} if kib is None else {name: [each / KIB_PER_MB for each in _from_lowest(kib)]}


def _from_lowest(column: Sequence[float]) -> list[float]:
    lowest = min(column)
    return [value - lowest for value in column]


def _growth(verdict: Verdict, ledger: Ledger, memory: str) -> Growth:
    unit = str(verdict.statistics.get("unit", "objects"))
    columns = {"blocks": ledger.blocks, "KiB": ledger.memory_kib(memory)}
    return Growth(
        kind=verdict.kind,
        type=verdict.object_type,
        unit=unit,
        grown=verdict.growth_count,
        calls=ledger.made,
        noise=_noise(columns.get(unit) or ledger.objects.get(verdict.object_type, [])),
        grows_with=verdict.grows_with,
        memory=memory,
    )


def _noise(column: Sequence[float]) -> float:
    """Of counts with the same number of calls between them, beside a straight line from the first to the last."""
    if len(column) < 3:
        return 0.0
    slope = (column[-1] - column[0]) / (len(column) - 1)
    beside = [value - slope * row for row, value in enumerate(column)]
    return max(beside) - min(beside)


def still(before: Sequence[Growth], after: Sequence[Growth]) -> list[Growth]:
    """Of the leaks of the longer series those that did not fade; a leak that is new there stays."""
    rates = {growth.type: growth.per_call for growth in before}
    return [each for each in after if each.per_call >= FADED * rates.get(each.type, 0.0)]
