"""What views, tasks and commands took and kept in a range of time, summed up by service and name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Max, Q, QuerySet, Sum

from memwatch.conf import get_settings
from memwatch.models import WorkName, WorkRollup
from memwatch.models.functions import Moment
from memwatch.records import KIB_PER_MB, histogram
from memwatch.records.work import HISTOGRAMS, MAXIMA, SUMS

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USUAL = timedelta(hours=24)
"""The range when none is asked for: the last day."""
HOURLY_SPAN = timedelta(days=8)
"""A range up to this long is drawn by the hour, a longer one by the day."""
MOST_STEPS = 400

Key = tuple[int, int]
"""The id of the service, and of the name."""


@dataclasses.dataclass(kw_only=True, slots=True)
class WorkRow:
    """One view, task or command of one service."""

    service_id: int
    service: str
    work_id: int
    kind: str
    name: str
    sums: Mapping[str, Any]
    """By the names of :data:`SUMS` and :data:`MAXIMA`."""
    counts: dict[str, histogram.Counts] = dataclasses.field(default_factory=dict)
    """By the names of :data:`HISTOGRAMS`, once :func:`measured` has read them."""
    peak_process_id: int | None = None
    """Where its highest peak was, once :func:`measured` has read it."""
    peak_trace: str = ""
    """In which span of OpenTelemetry, where jobs are linked with traces."""

    @property
    def key(self) -> Key:
        return self.service_id, self.work_id

    @property
    def calls(self) -> int:
        return int(self.sums["calls"])

    @property
    def errors(self) -> int:
        return int(self.sums["errors"])

    @property
    def shared(self) -> int:
        """Calls that ran beside another job of their process."""
        return int(self.sums["shared"])

    @property
    def kept_blocks_per_call(self) -> float | None:
        """A mean over the calls that were measured; ``None`` where none was."""
        return _mean(self.sums["blocks"], self.sums["blocks_calls"])

    @property
    def kept_kib_per_call(self) -> float | None:
        return _mean(self.sums["rss_kib"], self.sums["rss_calls"])

    @property
    def peak_mb_p50(self) -> float | None:
        return self._peak_mb(0.5)

    @property
    def peak_mb_p95(self) -> float | None:
        return self._peak_mb(0.95)

    @property
    def peak_mb_max(self) -> float | None:
        return float(self.sums["peak_kib_max"]) / KIB_PER_MB if self.sums["peak_calls"] else None

    @property
    def seconds_p95(self) -> float | None:
        most = float(self.sums["seconds_max"]) * 1e6
        found = histogram.quantile(self.counts.get("seconds_counts", {}), 0.95, most)
        return None if found is None else found / 1e6

    def _peak_mb(self, share: float) -> float | None:
        found = histogram.quantile(self.counts.get("peak_counts", {}), share, self.sums["peak_kib_max"])
        return None if found is None else found / KIB_PER_MB


FIGURES = (
    "calls", "errors", "kept_blocks_per_call", "kept_kib_per_call", "peak_mb_p50", "peak_mb_p95", "peak_mb_max",
    "seconds_p95", "shared",
)  # fmt: skip
ORDERS = ("service", "kind", "name", *FIGURES)
"""What rows can be ordered by."""
_OF_HISTOGRAMS = ("peak_mb_p50", "peak_mb_p95", "seconds_p95")


def _mean(total: float, calls: int) -> float | None:
    return total / calls if calls else None


def asked_for(service: int | None = None, *, kind: str = "", words: str = "") -> QuerySet[WorkRollup]:
    """Those of a service, of a kind, and with each of the words in the name; all where nothing is asked for."""
    rows = WorkRollup.objects.all()
    if service is not None:
        rows = rows.filter(service=service)
    if kind:
        rows = rows.filter(work__kind=kind)
    for word in words.split():
        rows = rows.filter(work__name__icontains=word)
    return rows


def of_name(name: WorkName) -> QuerySet[WorkRollup]:
    """In every service."""
    return WorkRollup.objects.filter(work=name)


def of_row(row: WorkRollup) -> QuerySet[WorkRollup]:
    """This hour or day alone."""
    return WorkRollup.objects.filter(pk=row.pk)


def within(
    rows: QuerySet[WorkRollup], since: datetime, until: datetime, now: datetime | None = None
) -> QuerySet[WorkRollup]:
    """The hours from that of ``since`` to before ``until``; whole days in between, and what has no hours any more, as
    days.
    """
    period, begin, kept = WorkRollup.Period, start_of_hour(since), _hours_kept(now)
    first = _day_after(begin) if begin >= kept else _start_of_day(begin)
    last = _start_of_day(until) if until >= kept else _day_after(until)
    if first >= last:
        return rows.filter(period=period.HOUR, start__gte=begin, start__lt=until)
    return rows.filter(
        Q(period=period.DAY, start__gte=first, start__lt=last)
        | Q(period=period.HOUR, start__gte=begin, start__lt=first)
        | Q(period=period.HOUR, start__gte=last, start__lt=until)
    )


def summed(rows: QuerySet[WorkRollup]) -> list[WorkRow]:
    """A row for each service and name, by service, kind and name. One query; histograms are left out."""
    figures: dict[str, Any] = {f"sum_{name}": Sum(name) for name in SUMS}
    figures |= {f"sum_{name}": Max(name) for name in MAXIMA}
    owner = ("service_id", "service__name", "work_id", "work__kind", "work__name")
    found = rows.order_by("service__name", "work__kind", "work__name").values(*owner).annotate(**figures)
    return [
        WorkRow(
            service_id=row["service_id"],
            service=row["service__name"],
            work_id=row["work_id"],
            kind=row["work__kind"],
            name=row["work__name"],
            sums={name: row[f"sum_{name}"] or 0 for name in (*SUMS, *MAXIMA)},
        )
        for row in found
    ]


def measured(rows: QuerySet[WorkRollup], some: Iterable[WorkRow]) -> list[WorkRow]:
    """``some`` of the rows with their histograms, and where their highest peak was. One query at most."""
    found = list(some)
    known = {row.key: row for row in found if not row.counts}
    if not known:
        return found
    highest: dict[Key, int] = {}
    columns = ("service_id", "work_id", "peak_calls", "peak_kib_max", "peak_process_id", "peak_trace", *HISTOGRAMS)
    for service, work, peak_calls, peak, process, trace, *counts in _of(rows, known).values_list(*columns).iterator():
        row = known.get((service, work))
        if row is None:
            continue
        for name, more in zip(HISTOGRAMS, counts, strict=True):
            histogram.add(row.counts.setdefault(name, {}), more)
        if peak_calls and peak >= highest.get(row.key, 0):
            highest[row.key], row.peak_process_id, row.peak_trace = peak, process, trace
    return found


def ordered(rows: QuerySet[WorkRollup], by: str, *, reverse: bool = False) -> list[WorkRow]:
    """All rows by one of :data:`ORDERS`, those without the figure last. One query, two by a figure of a histogram."""
    found = summed(rows)
    if by in _OF_HISTOGRAMS:
        found = measured(rows, found)
    known = [row for row in found if getattr(row, by) is not None]
    known.sort(key=lambda row: getattr(row, by), reverse=reverse)
    return known + [row for row in found if getattr(row, by) is None]


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """How a row went over time, in steps of an hour or a day, oldest first."""

    step: timedelta
    calls: tuple[int, ...]
    kept_blocks: tuple[float | None, ...]
    """About as many as all calls of the step kept; ``None`` where none of them was measured."""


def courses(
    rows: QuerySet[WorkRollup], some: Iterable[WorkRow], since: datetime, until: datetime, now: datetime | None = None
) -> dict[Key, Course]:
    """``rows`` not yet narrowed to a range. One query."""
    known = {row.key for row in some}
    hourly = until - since <= HOURLY_SPAN and start_of_hour(since) >= _hours_kept(now)
    step = HOUR if hourly else DAY
    period = WorkRollup.Period.HOUR if hourly else WorkRollup.Period.DAY
    begin = max(start_of_hour(since) if hourly else _start_of_day(since), until - MOST_STEPS * step)
    begin = start_of_hour(begin) if hourly else _start_of_day(begin)
    steps = max(1, -((begin - until) // step))
    wanted = _of(rows, known).filter(period=period, start__gte=begin, start__lt=until)
    calls = {key: [0] * steps for key in known}
    blocks: dict[Key, list[float | None]] = {key: [None] * steps for key in known}
    columns = ("service_id", "work_id", Moment("start"), "calls", "blocks_calls", "blocks")
    for service, work, at, count, blocks_calls, kept in wanted.values_list(*columns) if known else ():
        place, key = (at - begin) // step, (service, work)
        if key in known and 0 <= place < steps:
            calls[key][place] += count
            mean = _mean(kept, blocks_calls)
            blocks[key][place] = None if mean is None else mean * count
    return {key: Course(step, tuple(calls[key]), tuple(blocks[key])) for key in known}


def first_start(service: int | None = None) -> datetime | None:
    """When the oldest work that is still known began, of one service or of all. Two queries."""
    rows = WorkRollup.objects.all() if service is None else WorkRollup.objects.filter(service=service)
    starts = [
        rows.filter(period=period).order_by("start").values_list("start", flat=True).first()
        for period in (WorkRollup.Period.HOUR, WorkRollup.Period.DAY)
    ]
    hour, day = starts
    return hour if hour is not None and (day is None or day >= _start_of_day(hour)) else day


def services_with_work() -> list[tuple[int, str]]:
    """Id and name of each, by name."""
    days = WorkRollup.objects.filter(period=WorkRollup.Period.DAY)
    return list(days.order_by("service__name").values_list("service_id", "service__name").distinct())


def _of(rows: QuerySet[WorkRollup], keys: Iterable[Key]) -> QuerySet[WorkRollup]:
    wanted: Sequence[Key] = list(keys)
    return rows.filter(service__in={key[0] for key in wanted}, work__in={key[1] for key in wanted}).order_by()


def start_of_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _start_of_day(moment: datetime) -> datetime:
    return start_of_hour(moment).replace(hour=0)


def _day_after(moment: datetime) -> datetime:
    """The first start of a day that is not before ``moment``."""
    start = _start_of_day(moment)
    return start if start == moment else start + DAY


def _hours_kept(now: datetime | None) -> datetime:
    """Since when hours are there for certain: see :mod:`memwatch.services.retention`."""
    kept = timedelta(days=get_settings().retention_hourly_days)
    return _start_of_day((now or datetime.now(UTC)) - kept)
