"""The gates: what has grown enough to be looked at. They are cheap, and quiet series end here."""

from __future__ import annotations

from statistics import median

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.statistics.estimators import mann_kendall, without_daily

WATCH_POINTS = 16
"""A standing watch waits for this many: below, a cache that is filling looks like a leak."""

END_POINTS = 16
"""From here on the ends are also taken as medians of three: a single noisy end must not hide a leak."""

STEADY_TAU = 0.8
"""So little noise that a small growth is one: the gate for leaks on top of a large population."""
STEADY_COUNT, STEADY_SHARE = 300, 0.04
DAILY_SPAN_S = 20 * 3600.0
"""From here on ups and downs may be those of a day: they are taken off before a growth is called unsteady. Whether it
is a leak the rules say, which see them."""

BLOCKS, BLOCKS_SHARE, BLOCKS_KIB = 1000, 0.005, 128
"""Untracked objects: blocks are counted exactly, so that little memory behind them is enough."""
MEMORY_KIB, MEMORY_SHARE = 256, 0.01
"""What memory that is no objects must have gained: less is an import, or the allocators' own reserve."""
MAPPED_KIB = 1024
"""The same beyond both allocators, where pages of libraries come and go."""
WATCH_BLOCKS, WATCH_MEMORY_KIB, WATCH_SHARE = 10_000, 2048, 0.02
"""A standing watch asks for more of memory that nothing explains: the interpreter's free lists take up to 40,000
blocks and slowly; 2 MB an hour are 48 MB a day, and what is slower the windows of a day and a week find."""
ENTRIES, ENTRIES_SHARE, ENTRIES_KIB = 300, 0.04, 16
"""What a single container must have gained. It is direct evidence, so less memory is enough."""
SLOT_BYTES = 8
"""A container's own share of an entry."""
SMALL_BLOCK_BYTES = 64
"""A typical block, where no memory figure says what blocks weigh."""


def _quiet(reason: str) -> Decision:
    return Decision("quiet", "gates", reason)


def gates(case: Case) -> Decision | None:
    """2. Is there anything to look at? By the contract, or by a small but steady gain, or by memory."""
    if len(case.values) < 3:
        return Decision("not enough data", "gates", f"{len(case.values)} points, three are the least")
    return _GATES[case.series.unit](case)


def _objects_gate(case: Case) -> Decision | None:
    ends = [(case.values[0], case.values[-1])]
    if len(case.values) >= END_POINTS:
        ends.append((median(case.values[:3]), median(case.values[-3:])))
    for initial, current in ends:
        growth, limits = current - initial, case.thresholds
        if growth > limits.min_growth_count and growth * 100 > limits.min_growth_percent * initial:
            case.gate = "contract"
            return None
    return _steady_gate(case, max(STEADY_COUNT, STEADY_SHARE * case.values[0]))


def _steady_gate(case: Case, least: float) -> Decision | None:
    case.least = least
    if case.growth < least:
        return _quiet("has not grown by enough")
    if len(case.values) < WATCH_POINTS:
        return _quiet("a growth this small needs more points")
    tau = mann_kendall(case.values).tau
    case.found["tau_raw"] = tau
    if tau < STEADY_TAU and case.watching and case.span_s >= DAILY_SPAN_S:
        tau = case.found["tau_without_daily"] = mann_kendall(without_daily(case.times, case.values)).tau
    if tau < STEADY_TAU:
        return _quiet("a growth this small is within its ups and downs")
    case.gate = "steady"
    return None


def _blocks_gate(case: Case) -> Decision | None:
    least, share = (WATCH_BLOCKS, WATCH_SHARE) if case.watching else (BLOCKS, BLOCKS_SHARE)
    case.least = max(least, share * case.values[0])
    if case.growth < case.least:
        return _quiet("has not grown by enough")
    gained = memory_growth_kib(case)
    if gained is None:
        gained = case.growth * SMALL_BLOCK_BYTES / 1024
    if gained < BLOCKS_KIB:
        return _quiet("the memory behind it is little")
    case.gate = "memory"
    return None


def _entries_gate(case: Case) -> Decision | None:
    container = case.series.container
    weight = SLOT_BYTES + ((container.entry_bytes or 0.0) if container is not None else 0.0)
    if container is not None and container.type == "bytearray":
        weight = 1.0
    case.least = max(ENTRIES, ENTRIES_SHARE * case.values[0])
    if case.growth < case.least or case.growth * weight < ENTRIES_KIB * 1024:
        return _quiet("has not grown by enough")
    case.gate = "memory"
    return None


def _kib_gate(case: Case) -> Decision | None:
    least, share = MAPPED_KIB if case.series.source.startswith("rss") else MEMORY_KIB, MEMORY_SHARE
    if case.watching:
        least, share = WATCH_MEMORY_KIB, WATCH_SHARE
    case.least = max(least, share * case.values[0])
    if case.growth < case.least:
        return _quiet("has not grown by enough")
    case.gate = "memory"
    return None


_GATES: dict[str, Rule] = {
    "objects": _objects_gate,
    "blocks": _blocks_gate,
    "entries": _entries_gate,
    "KiB": _kib_gate,
}


def memory_growth_kib(case: Case) -> float | None:
    """What the memory of small blocks gained over the series, else all memory; ``None`` where neither is known."""
    for name in ("pymalloc_used_mb", "heap_used_mb", "rss_mb"):
        times, values = case.history.known(name)
        inside = [value for time, value in zip(times, values, strict=True) if case.times[0] <= time <= case.times[-1]]
        if len(inside) > 1:
            return (inside[-1] - inside[0]) * 1024
    return None
