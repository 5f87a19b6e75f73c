"""When a figure is over its threshold: the same rules for the profiler of one process and for the whole fleet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

HOLD = 0.95
"""A raised alert is over when its value falls under this share of the threshold: 5 % of room against flapping."""
MIN_SPAN_S = 1800.0
"""A growth rate needs floors at least half an hour apart: one batch job is no trend."""
MIN_GROWTH_MB = 4.0
"""Growth of less between two floors is a late import or a fragmented arena, whatever its percentage."""
STILL_GROWING = 0.3
"""The last stretch must grow at this share of the whole span's rate: a step that is over is no growth."""
GC_MIN_RATE = 0.2
"""Collections a second under which a spike costs nothing worth a word."""

Hold = Callable[[str], float]
"""What the threshold of a type of alert is multiplied with: :data:`HOLD` while it is raised, else 1."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A threshold that is crossed now."""

    type: str
    """``heap_warning``, ``heap_critical``, ``growth_rate``, ``gc_spike``, ``leak`` and others."""
    severity: str
    message: str
    value: float
    threshold: float


def full(
    what: str, percent: float, size_mb: float, limit: str, *, warning: float, critical: float, hold: Hold
) -> Crossing | None:
    """Memory is near its limit: ``heap`` or ``container``. Critical takes the place of the warning."""
    for level, severity, threshold in (("critical", "critical", critical), ("warning", "medium", warning)):
        if percent >= threshold * hold(f"{what}_{level}"):
            return Crossing(
                type=f"{what}_{level}",
                severity=severity,
                value=percent,
                threshold=threshold,
                message=f"{what} at {percent:.1f} % of {size_mb:.0f} MB{limit}, {level} threshold {threshold:g} %",
            )
    return None


def growth(floors_mb: Sequence[float], stretch_s: float, *, threshold: float, hold: Hold) -> Crossing | None:
    """The memory never given back rises fast, and still does. ``threshold``: percent an hour.

    ``floors_mb``: the least memory of successive stretches of time, oldest first.
    """
    if len(floors_mb) < 2 or floors_mb[0] <= 0:
        return None
    first, last = floors_mb[0], floors_mb[-1]
    gain, hours = last - first, (len(floors_mb) - 1) * stretch_s / 3600
    if gain < MIN_GROWTH_MB or last - floors_mb[-2] < STILL_GROWING * gain / (len(floors_mb) - 1):
        return None
    value = gain / first * 100 / hours
    if value < threshold * hold("growth_rate"):
        return None
    return Crossing(
        type="growth_rate",
        severity="medium",
        value=value,
        threshold=threshold,
        message=(
            f"memory floor grows by {value:.1f} % an hour ({first:.0f} MB to {last:.0f} MB in {hours * 60:.0f} "
            f"minutes), threshold {threshold:g} % an hour"
        ),
    )


def gc_spike(rate: float, average: float, *, multiplier: float, hold: Hold) -> Crossing | None:
    """The collector runs far more often than before. Both are collections of generations 1 and 2 a second."""
    threshold = max(average * multiplier, GC_MIN_RATE)
    if rate <= threshold * hold("gc_spike"):
        return None
    return Crossing(
        type="gc_spike",
        severity="medium",
        value=rate,
        threshold=threshold,
        message=(
            f"{rate:.2f} collections of generations 1 and 2 a second against {average:.2f} before, "
            f"threshold {threshold:.2f}"
        ),
    )
