"""The gates: has a series grown enough to be judged? They are cheap, and most series end here."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.sentence import number
from memwatch.detection.statistics.estimators import mann_kendall, without_daily

WATCH_POINTS = 16
"""A standing watch waits for this many points: with fewer, a cache that fills looks like a leak."""

END_POINTS = 16
"""From this many points on, medians of three at both ends are compared too: one noisy end must not hide a leak."""

STEADY_TAU, LEAST_TAU = 0.8, 0.5
"""Kendall's tau of 16 points from which a small growth counts: the gate for leaks on top of a large population. More
points need less to be as sure, but never less than the second: what wanders with the load reaches that by chance."""
STEADY_COUNT, STEADY_SHARE = 300, 0.04
DAILY_SPAN_S = 20 * 3600.0
"""From this span on, ups and downs may be those of a day: the daily curve is subtracted before tau is computed. The
later rules see the daily curve."""

BLOCKS, BLOCKS_SHARE, BLOCKS_KIB = 1000, 0.005, 128
"""Least growth in blocks, as a share, and in KiB. Blocks are counted exactly, so little memory is enough."""
MEMORY_KIB, MEMORY_SHARE = 256, 0.01
"""Least growth of memory outside tracked objects: less is an import, or the allocators' reserve."""
MAPPED_KIB = 1024
"""Least growth of memory beyond both allocators, where pages of libraries come and go."""
WATCH_BLOCKS, WATCH_MEMORY_KIB, WATCH_SHARE = 10_000, 2048, 0.02
"""A standing watch requires more growth of memory that nothing explains: the interpreter's free lists slowly take up
to 40,000 blocks. 2 MB an hour is 48 MB a day; the windows of a day and a week find slower leaks."""
CALLS_KIB = 64
"""Least growth of malloc's memory over the calls of a test: less is the C library's own reserve of freed pieces."""
ENTRIES, ENTRIES_SHARE, ENTRIES_KIB = 300, 0.04, 16
"""Least growth of a single container. It is direct evidence, so less memory is enough."""
SLOT_BYTES = 8
"""Bytes that the container itself needs for an entry."""
SMALL_BLOCK_BYTES = 64
"""Assumed size of a block where no memory figure gives it."""


def _quiet(reason: str) -> Decision:
    return Decision("quiet", reason)


def _gates(case: Case) -> Decision | None:
    """Pass a case that grew past the contract's thresholds, by a small but steady amount, or in memory."""
    if len(case.values) < 3:
        return Decision("not enough data", f"{len(case.values)} points, at least three are needed")
    return _GATES[case.series.unit](case)


def _explain(case: Case) -> str:
    limits, unit = case.thresholds, case.series.unit
    text = f"growth of {number(case.growth)} {unit} from {number(case.values[0])}"
    if case.gate == "contract":
        return f"{text}: more than {limits.min_growth_percent:g} % and more than {limits.min_growth_count:,}"
    if case.gate == "steady":
        tau, daily = case.statistics.get("tau_raw", 0.0), case.statistics.get("tau_without_daily")
        measured = f"tau of all points is {tau:.2f}" if daily is None else f"tau without the daily curve is {daily:.2f}"
        return f"{text}: small but steady, {measured} (at least {case.statistics['tau_least']:.2g})"
    return f"{text}: more than an import or the allocators' reserve takes" if case.gate else text


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
        return _quiet("it has not grown enough")
    if len(case.values) < WATCH_POINTS:
        return _quiet("growth this small needs more points")
    tau, enough = mann_kendall(case.values).tau, steady_tau(case)
    case.statistics |= {"tau_raw": tau, "tau_least": enough}
    if tau < enough and case.watching and case.span_s >= DAILY_SPAN_S:
        tau = case.statistics["tau_without_daily"] = mann_kendall(without_daily(case.times, case.values)).tau
    if tau < enough:
        return _quiet("growth this small is within its ups and downs")
    case.gate = "steady"
    return None


def steady_tau(case: Case) -> float:
    """The least tau of so many points that is as unlikely by chance as ``STEADY_TAU`` of 16; over days, that itself."""
    if case.span_s >= DAILY_SPAN_S:
        return STEADY_TAU
    n = len(case.values)
    return max(LEAST_TAU, min(STEADY_TAU, STEADY_TAU * _deviation(n) / _deviation(WATCH_POINTS)))


def _deviation(n: int) -> float:
    """The standard deviation of tau of n points without a trend (Kendall 1975)."""
    return math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))


def _blocks_gate(case: Case) -> Decision | None:
    if case.exact:
        return _exact_gate(case, case.thresholds.min_growth_count)
    least, share = (WATCH_BLOCKS, WATCH_SHARE) if case.watching else (BLOCKS, BLOCKS_SHARE)
    case.least = max(least, share * case.values[0])
    if case.growth < case.least:
        return _quiet("it has not grown enough")
    gained = memory_growth_kib(case)
    if gained is None:
        gained = case.growth * SMALL_BLOCK_BYTES / 1024
    if gained < BLOCKS_KIB:
        return _quiet("it holds little memory")
    case.gate = "memory"
    return None


def _entries_gate(case: Case) -> Decision | None:
    container = case.series.container
    weight = SLOT_BYTES + ((container.entry_bytes or 0.0) if container is not None else 0.0)
    if container is not None and container.type == "bytearray":
        weight = 1.0
    case.least = max(ENTRIES, ENTRIES_SHARE * case.values[0])
    if case.growth < case.least or case.growth * weight < ENTRIES_KIB * 1024:
        return _quiet("it has not grown enough")
    case.gate = "memory"
    return None


def _exact_gate(case: Case, least: float) -> Decision | None:
    case.least = least
    if case.growth < least:
        return _quiet("it has not grown enough")
    case.gate = "memory"
    return None


def _kib_gate(case: Case) -> Decision | None:
    if case.exact:
        return _exact_gate(case, CALLS_KIB)
    least, share = MAPPED_KIB if case.series.source.startswith("rss") else MEMORY_KIB, MEMORY_SHARE
    if case.watching:
        least, share = WATCH_MEMORY_KIB, WATCH_SHARE
    case.least = max(least, share * case.values[0])
    if case.growth < case.least:
        return _quiet("it has not grown enough")
    case.gate = "memory"
    return None


_GATES: dict[str, Callable[[Case], Decision | None]] = {
    "objects": _objects_gate,
    "blocks": _blocks_gate,
    "entries": _entries_gate,
    "KiB": _kib_gate,
}


def memory_growth_kib(case: Case) -> float | None:
    """Growth over the series, in KiB, of small blocks or else of all memory; ``None`` where neither is known."""
    for name in ("pymalloc_used_mb", "heap_used_mb", "rss_mb"):
        times, values = case.history.known(name)
        inside = [value for time, value in zip(times, values, strict=True) if case.times[0] <= time <= case.times[-1]]
        if len(inside) > 1:
            return (inside[-1] - inside[0]) * 1024
    return None


GATES = Rule(name="gates", question="Has it grown enough to be judged?", decide=_gates, explain=_explain)
