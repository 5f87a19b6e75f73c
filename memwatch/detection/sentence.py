"""A verdict in one sentence that an operator can act on."""

from __future__ import annotations

from memwatch.detection.case import Case, Decision
from memwatch.detection.severity import Urgency
from memwatch.detection.verdict import describe
from memwatch.records import KIB_PER_MB

_LIMITS = {"setting": "the set limit", "cgroup": "the container's limit", "rlimit": "the process limit"}


def sentence(case: Case, decision: Decision, *, per_hour: float = 0.0, urgency: Urgency | None = None) -> str:
    """What grows, how fast, since when, and when memory is exhausted; or why it is harmless."""
    if decision.outcome != "leak":
        return f"{decision.outcome}: {decision.reason}" if decision.reason else decision.outcome
    series = case.series
    first, last = round(case.values[0]), round(case.values[-1]) + series.kept
    what = {"objects": series.name, "untracked": "memory in objects that the garbage collector does not track"}.get(
        series.kind, "native memory, outside Python's objects,"
    )
    span = duration(case.span_s)
    text = f"{what} grows by {amount(per_hour, series.unit)} an hour ({_change(first, last, series.unit)} in {span})"
    if series.container is not None:
        text += f", held in {describe(series.container)}"
    if series.kind == "native":
        names = ", ".join(case.history.extension_modules[:8])
        text += f"; extension modules loaded: {names}" if names else "; no extension module is known to be loaded"
    text += f"; it {decision.reason}"
    if urgency is not None and urgency.time_to_exhaustion_s is not None:
        limit = _LIMITS.get(urgency.limit_source or "", "the host's memory")
        text += f"; at this rate {limit} is exhausted in {duration(urgency.time_to_exhaustion_s)}"
    return text[0].upper() + text[1:] if series.kind != "objects" else text


def amount(value: float, unit: str) -> str:
    """``1,234 objects``; a size in MB, below 1 MB in KB."""
    if unit != "KiB":
        return f"{value:,.0f} {unit}"
    return f"{value / KIB_PER_MB:,.1f} MB" if abs(value) >= KIB_PER_MB else f"{value:,.0f} KB"


def _change(first: float, last: float, unit: str) -> str:
    return f"{first:,} to {last:,}" if unit != "KiB" else f"{amount(first, unit)} to {amount(last, unit)}"


def number(value: float) -> str:
    """``1,234``; with three significant digits below 10."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """E.g. ``45 s``, ``12 min``, ``3.5 h``, ``9 days``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.1f} h"
    if seconds < 730 * 86400:
        return f"{seconds / 86400:,.0f} days"
    return "years"
