"""Memory that the allocators hold and do not use: said, but no leak."""

from __future__ import annotations

from memwatch.detection.case import floors
from memwatch.detection.history import History
from memwatch.detection.series import committed_kib
from memwatch.detection.statistics.estimators import mann_kendall
from memwatch.detection.verdict import Verdict

LEAST_KIB, LEAST_SHARE = 4096, 0.1
"""Four arenas and a tenth of what was held: less is the allocators' ordinary reserve."""
USED_SHARE = 0.25
"""In use may have risen by this share of what was newly taken: more, and it is use that grows."""


def fragmentation(history: History, window: str) -> Verdict | None:
    """``expected`` where committed memory rises and memory in use does not; ``None`` where there is nothing to say."""
    series = committed_kib(history)
    times, used = history.known("heap_used_mb")
    if series is None or len(used) < 8 or series.growth < max(LEAST_KIB, LEAST_SHARE * series.values[0]):
        return None
    gained = (used[-1] - used[0]) * 1024
    if gained > USED_SHARE * series.growth or mann_kendall(floors(series.times, series.values)[1]).tau < 0.4:
        return None
    free = max(0.0, 1 - used[-1] * 1024 / series.values[-1]) * 100
    first, last = round(series.values[0]), round(series.values[-1])
    return Verdict(
        outcome="expected",
        kind="fragmentation",
        object_type="fragmentation",
        rule="fragmentation",
        sentence=f"expected: fragmentation: the allocators hold {last - first:,} KiB more, in use is as before; "
        f"{free:.0f} % of what they hold is free",
        initial_count=first,
        current_count=last,
        growth_count=last - first,
        growth_percent=(last - first) / first * 100 if first else 0.0,
        window=window,
        statistics={"unit": "KiB", "source": series.source, "free_percent": round(free, 1), "points": len(times)},
    )
