"""The processes of a release, at birth and later. As many queries for forty of them as for one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from django.db.models import Count

from memwatch.conf import get_settings
from memwatch.detection.releases import collector
from memwatch.detection.releases import figures as names
from memwatch.detection.releases.comparison import Sample, Side, enough
from memwatch.detection.releases.result import AGE, JOBS, At
from memwatch.detection.statistics.estimators import theil_sen
from memwatch.models import Baseline, Process, Release
from memwatch.queries.baselines import warm_up
from memwatch.queries.diagnosis.object_types import names_of
from memwatch.queries.recommendations import points_of
from memwatch.recommendations.facts import Point
from memwatch.records import KIB_PER_MB

MOST_PROCESSES = 40
"""Of each release, the newest."""
AGES_S = tuple(hours * 3600.0 for hours in (0.25, 1, 4, 12, 24, 72))
"""Later figures are compared at the highest of these ages that enough processes of both releases have reached."""
MUCH_MORE_WORK = 1.5
"""If one release has handled so many times as many jobs at that age, the same number of jobs is compared instead."""
MARGIN = 1.05
"""A point that is so much further counts as there."""
LEAST_POINTS = 4
"""A slope of fewer says little."""
_BY_GENERATION = tuple(f"gc_collections_gen{number}" for number in range(3))
_COLUMNS = (
    "process_id", "timestamp", "rss_kib", "uss_kib", "heap_used_kib", "total_objects", "allocated_blocks",
    *_BY_GENERATION, "gc_threshold", "counts",
)  # fmt: skip
_LEAST_SPAN = timedelta(minutes=10)


class _Birth(NamedTuple):
    """The automatic baseline of a process."""

    process: int
    timestamp: datetime
    rss_kib: int | None
    uss_kib: int | None
    heap_kib: int | None
    objects: int | None
    blocks: int | None
    young: int | None
    middle: int | None
    full: int | None
    thresholds: Sequence[int] | None
    counts: Mapping[str, int] | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Worker:
    """One process."""

    pk: int
    started_at: datetime
    until: datetime
    is_worker: bool
    collections: tuple[int | None, ...]
    """By generation, in the last snapshot."""
    objects: int | None
    measured_at: datetime | None
    birth: _Birth | None = None
    points: Sequence[Point] = ()

    @property
    def birth_age_s(self) -> float:
        return 0.0 if self.birth is None else (self.birth.timestamp - self.started_at).total_seconds()


def sides(before: Release, after: Release, now: datetime) -> tuple[Side, Side, At | None]:
    """Both releases, and where their later figures were taken. Nine queries at most."""
    counted = dict(
        Process.objects.filter(release__in=(before, after), outside=False)
        .order_by()
        .values_list("release")
        .annotate(Count("pk"))
    )
    old, new = _alike(_workers(before, now), _workers(after, now))
    births = _births([each.pk for each in (*old, *new)])
    points = _points((*old, *new), now)
    old, new = (
        [dataclasses.replace(each, birth=births.get(each.pk), points=points.get(each.pk, ())) for each in group]
        for group in (old, new)
    )
    known = names_of(int(key) for birth in births.values() for key in birth.counts or ())
    warm = _alike_at_birth(old, new)
    at = _at(old, new)
    found = []
    for release, group, born in ((before, old, warm[0]), (after, new, warm[1])):
        fair = {each.pk for each in born}
        samples = [_sample(each, at, is_fair=each.pk in fair) for each in group]
        types = [_types(each.birth, known) for each in group if each.pk in fair and each.birth and each.birth.counts]
        found.append(
            Side(
                id=release.pk,
                service=release.service.name,
                name=release.name,
                processes=counted.get(release.pk, 0),
                samples=samples,
                types=types,
            )
        )
    return found[0], found[1], at


def _workers(release: Release, now: datetime) -> list[_Worker]:
    rows = Process.objects.filter(release=release, outside=False).order_by("-started_at", "-pk")
    last = "last_snapshot__"
    columns = (
        "pk", "started_at", "ended_at", "last_seen_at", "program", *(f"{last}{each}" for each in _BY_GENERATION),
        f"{last}total_objects", f"{last}timestamp",
    )  # fmt: skip
    return [
        _Worker(
            pk,
            started,
            ended or min(seen, now),
            program.endswith((" worker", " child")),
            tuple(by_generation),
            objects,
            at,
        )
        for pk, started, ended, seen, program, *by_generation, objects, at in rows.values_list(*columns)[
            :MOST_PROCESSES
        ]
    ]


def _alike(old: Sequence[_Worker], new: Sequence[_Worker]) -> tuple[list[_Worker], list[_Worker]]:
    """The workers alone, where both releases have some: a main process is another program."""
    some = [each for each in old if each.is_worker], [each for each in new if each.is_worker]
    return some if all(some) else (list(old), list(new))


def _births(processes: Sequence[int]) -> dict[int, _Birth]:
    """The first of each, which stays when somebody resets the baseline."""
    rows = Baseline.objects.filter(process__in=processes, automatic=True).order_by("-pk")
    return {row[0]: _Birth._make(row) for row in rows.values_list(*_COLUMNS)}


def _points(workers: Iterable[_Worker], now: datetime) -> dict[int, list[Point]]:
    """By the hour for all, if the snapshots of one are gone: the lowest of an hour is lower than one of five."""
    group = list(workers)
    started = {each.pk: each.started_at for each in group}
    if not started:
        return {}
    kept = now - timedelta(hours=get_settings().retention_snapshots_hours)
    first = min(started.values())
    return points_of(started, set(started) if first < kept else set(), first - timedelta(hours=1))


def _warm(workers: Iterable[_Worker]) -> list[_Worker]:
    """Those whose baseline was taken when they had imported what they need."""
    youth = warm_up(get_settings().snapshot_interval).total_seconds()
    return [each for each in workers if each.birth is not None and each.birth_age_s >= youth]


def _alike_at_birth(old: Sequence[_Worker], new: Sequence[_Worker]) -> tuple[list[_Worker], list[_Worker]]:
    """The warm ones; where they are too few the cold ones, if they are enough: never warm with cold."""
    warm = _warm(old), _warm(new)
    known = {each.pk for each in (*warm[0], *warm[1])}
    cold = tuple([each for each in group if each.birth is not None and each.pk not in known] for group in (old, new))
    return (cold[0], cold[1]) if not enough(*map(len, warm)) and enough(*map(len, cold)) else warm


def _at(old: Sequence[_Worker], new: Sequence[_Worker]) -> At | None:
    for age in reversed(AGES_S):
        reached = [[each for each in group if _reached(each, age)] for group in (old, new)]
        if enough(*map(len, reached)):
            jobs = [median(_jobs(each, age) for each in group) for group in reached]
            if min(jobs) >= 1 and max(jobs) / min(jobs) > MUCH_MORE_WORK:
                return At(JOBS, min(jobs))
            return At(AGE, age)
    return None


def _jobs(worker: _Worker, age: float) -> float:
    return max(point.jobs for point in worker.points if point.age_s <= age * MARGIN)


def _reached(worker: _Worker, age: float) -> bool:
    return (worker.until - worker.started_at).total_seconds() >= age and _level(worker, At(AGE, age)) is not None


def _level(worker: _Worker, at: At) -> float | None:
    """The least RSS in the second half of the way there: peaks of jobs are left out."""
    near = [point.rss_mb for point in worker.points if at.value / 2 <= _place(point, at) <= at.value * MARGIN]
    return min(near, default=None)


def _place(point: Point, at: At) -> float:
    return point.age_s if at.axis == AGE else point.jobs


def _sample(worker: _Worker, at: At | None, *, is_fair: bool) -> Sample:
    found: dict[str, float | None] = {}
    birth = worker.birth
    if birth is not None and is_fair:
        found[names.BIRTH] = _mb(birth.rss_kib)
        found[names.PRIVATE] = _mb(birth.uss_kib)
        found[names.HEAP] = _mb(birth.heap_kib)
        found[names.OBJECTS] = birth.objects
        found[names.BLOCKS] = birth.blocks
        if (span_h := _span_h(worker, birth)) is not None:
            made = _collections(worker, birth)
            found[names.COLLECTIONS] = None if made[2] is None else made[2] / span_h
            found[names.COLLECTING] = _collecting_s(made, worker, birth, span_h)
    if at is not None:
        found[names.LATER] = _level(worker, at)
        way = [p for p in worker.points if p.age_s >= worker.birth_age_s and _place(p, at) <= at.value * MARGIN]
        if found[names.LATER] is not None and len(way) >= LEAST_POINTS:
            found[names.GROWTH] = theil_sen([p.age_s / 3600 for p in way], [p.rss_mb for p in way]).slope
            if len({p.jobs for p in way}) >= LEAST_POINTS:
                found[names.GROWTH_PER_JOB] = theil_sen([p.jobs for p in way], [p.rss_mb for p in way]).slope * 1024
    return {name: float(value) for name, value in found.items() if value is not None}


def _span_h(worker: _Worker, birth: _Birth) -> float | None:
    """Hours from birth to the last snapshot, where they are enough to tell."""
    span = timedelta(0) if worker.measured_at is None else worker.measured_at - birth.timestamp
    return span / timedelta(hours=1) if span >= _LEAST_SPAN else None


def _collections(worker: _Worker, birth: _Birth) -> tuple[int | None, ...]:
    """In that span, by generation."""
    before = (birth.young, birth.middle, birth.full)
    return tuple(
        None if early is None or late is None or late < early else late - early
        for early, late in zip(before, worker.collections, strict=True)
    )


def _collecting_s(made: Sequence[int | None], worker: _Worker, birth: _Birth, span_h: float) -> float | None:
    objects = birth.objects if worker.objects is None else worker.objects
    known = [each for each in made if each is not None]
    if objects is None or len(known) < len(made):
        return None
    return collector.seconds(known, objects, birth.thresholds) / span_h


def _types(birth: _Birth, known: Mapping[int, str]) -> dict[str, float]:
    return {known[int(key)]: float(count) for key, count in (birth.counts or {}).items()}


def _mb(kib: int | None) -> float | None:
    return None if kib is None else kib / KIB_PER_MB
