"""Work by name as a table: what views, tasks and commands took in this hour and the one before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from memwatch import formatting
from memwatch.queries import work

MIN_HOURS = 1 / 60


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WorkLine:
    """One view, task or command of a service. What was not measured is ``None``."""

    service: str
    kind: str
    name: str
    calls: int
    calls_per_hour: float
    errors: int
    measured: int
    """Calls whose resident memory was measured."""
    kept_kib: float | None
    """By a call, on average."""
    kept_blocks: float | None
    peak_mb_p95: float | None
    peak_mb: float | None
    """The highest: how much more memory the process had than at the start of the call."""
    seconds_p95: float | None


SORTS: Mapping[str, Callable[[WorkLine], float]] = {
    "calls": lambda line: line.calls,
    "kept": lambda line: _known(line.kept_kib),
    "blocks": lambda line: _known(line.kept_blocks),
    "peak": lambda line: _known(line.peak_mb),
    "time": lambda line: _known(line.seconds_p95),
}
"""Largest first."""

HEADS = (
    "NAME", "KIND", "SERVICE", "CALLS/h", "KEPT KB", "BLOCKS", "PEAK 95 %", "PEAK", "TIME 95 %", "ERRORS"
)  # fmt: skip
NUMBERS = frozenset(HEADS[3:])


def _known(value: float | None) -> float:
    return float("-inf") if value is None else value


def lines(now: datetime, since: datetime, service: str = "") -> list[WorkLine]:
    """By service, kind and name, since the hour of ``since``."""
    rows = work.within(work.asked_for(), since, now, now)
    first = work.first_start()
    begin = max(work.start_of_hour(since), since if first is None else first)
    hours = max((now - begin).total_seconds() / 3600, MIN_HOURS)
    chosen = [row for row in work.summed(rows) if not service or row.service == service]
    return [
        WorkLine(
            service=row.service,
            kind=row.kind,
            name=row.name,
            calls=row.calls,
            calls_per_hour=row.calls / hours,
            errors=row.errors,
            measured=int(row.sums["rss_calls"]),
            kept_kib=row.kept_kib_per_call,
            kept_blocks=row.kept_blocks_per_call,
            peak_mb_p95=row.peak_mb_p95,
            peak_mb=row.peak_mb_max,
            seconds_p95=row.seconds_p95,
        )
        for row in work.measured(rows, chosen)
    ]


def rows(now: datetime) -> list[WorkLine]:
    """Of this hour and the one before."""
    return lines(now, now - work.HOUR)


def arranged(found: Iterable[WorkLine], *, sort: str, service: str = "", text: str = "") -> list[WorkLine]:
    """Those of the service with the text in them, sorted by one of ``SORTS``, or by name if that is empty."""
    chosen = [
        line
        for line in found
        if (not service or line.service == service)
        and text.lower() in f"{line.name} {line.kind} {line.service}".lower()
    ]
    return sorted(chosen, key=SORTS[sort], reverse=True) if sort else chosen


def cells(line: WorkLine) -> tuple[str, ...]:
    """As people read them, in the order of ``HEADS``."""
    return (
        line.name,
        line.kind,
        line.service,
        formatting.precise(line.calls_per_hour),
        formatting.precise(line.kept_kib),
        formatting.precise(line.kept_blocks),
        formatting.megabytes(line.peak_mb_p95),
        formatting.megabytes(line.peak_mb),
        formatting.took(line.seconds_p95),
        formatting.count(line.errors),
    )


def heading(found: Sequence[WorkLine], shown: Sequence[WorkLine], now: datetime, zone: str) -> str:
    """One line above the table."""
    part = "" if len(shown) == len(found) else f", {len(shown)} shown"
    calls = formatting.count(sum(line.calls for line in found))
    return (
        f"memwatch  {now:%H:%M:%S} {zone}  {len(found)} views, tasks and commands{part}, {calls} calls in this hour "
        "and the one before"
    )
