"""What the last week says of each service: lives, peaks, limits, settings. Seven queries, however many processes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, Q, Value, When, Window
from django.db.models.functions import Mod, RowNumber

from memwatch.conf import get_settings
from memwatch.models import Process, Service, Snapshot, SnapshotRollup, WorkName, WorkRollup
from memwatch.queries import work
from memwatch.queries.processes.surroundings import containers
from memwatch.recommendations import facts
from memwatch.recommendations.advice import Advice, advise
from memwatch.recommendations.facts import CONTAINER, HOST, PROCESS, Life, Peaks, Point
from memwatch.records import KIB_PER_MB, histogram
from memwatch.sampling.identity.program import WEB_SERVERS

WEEK = timedelta(days=7)
MOST_LIVES = 40
"""Of each service, the newest."""
DETAILED = timedelta(hours=6)
"""Shorter lives are read from their snapshots, longer ones from the hourly roll-ups."""
MOST_SNAPSHOTS = 200
"""Of each life."""
MOST_ASKED = 256
"""Workers that a server may say it has, beyond those that are seen: a report may name any number."""
SHARED_EVERY = 5
"""Shared memory is read with each fifth snapshot: steps of one more than its multiples meet some of them."""
_REPLACED = (Process.End.RECYCLED, Process.End.RECYCLED_BY_MEMWATCH)
_IS_WORKER = Q(program__endswith=" worker") | Q(program__endswith=" child")


class _Alive(NamedTuple):
    """A process that runs now. Sizes in KiB."""

    service: int
    host: str
    outside: bool
    program: str
    settings: Mapping[str, Any]
    rss: int | None
    pss: int | None
    uss: int | None
    container_limit: int | None
    limit: int | None
    limit_source: str | None

    @property
    def is_worker(self) -> bool:
        return self.program.endswith((" worker", " child"))

    @property
    def own(self) -> int:
        """What it takes beside the others."""
        return next((size for size in (self.pss, self.uss, self.rss) if size is not None), 0)


def target_share() -> float:
    """Which part of its limit memory may reach: that from which an alert is raised."""
    return get_settings().heap_warning_percent / 100


def advice_of(service: Service, now: datetime) -> Advice:
    """For one service."""
    return advise(facts_of([service], now)[0], target_share())


def advice_of_all(services: Sequence[Service], now: datetime) -> list[Advice]:
    """For each service, in this order."""
    share = target_share()
    return [advise(each, share) for each in facts_of(services, now)]


def advice_by_name(now: datetime, name: str | None, most: int) -> list[Advice]:
    """For the service of that name, or for the first ``most`` of all."""
    rows = Service.objects.order_by("name")
    return advice_of_all(list((rows if name is None else rows.filter(name=name))[:most]), now)


def facts_of(services: Sequence[Service], now: datetime) -> list[facts.Service]:
    """What is known of each, in this order."""
    ids = [service.pk for service in services]
    since = now - WEEK
    lives = _lives(ids, since, now)
    alive = _alive(ids)
    peaks = _peaks(ids, since, now)
    ends = _ends(ids, since)
    unwatched = _unwatched(alive, now)
    return [
        _service(service, lives.get(service.pk, []), alive, unwatched, peaks.get(service.pk), ends[service.pk], now)
        for service in services
    ]


def _lives(services: Iterable[int], since: datetime, now: datetime) -> dict[int, list[tuple[bool, Life]]]:
    """With each whether it is a worker, eldest first. Three queries."""
    recent = Process.objects.filter(Q(ended_at__isnull=True) | Q(ended_at__gte=since), service__in=services)
    ranked = recent.filter(outside=False).annotate(
        is_worker=Case(When(_IS_WORKER, then=Value(True)), default=Value(False)),
        place=Window(RowNumber(), partition_by=[F("service"), F("is_worker")], order_by=F("started_at").desc()),
    )
    columns = (
        "pk", "service_id", "is_worker", "host", "release__name", "started_at", "ended_at", "last_seen_at",
        "end_reason",
    )  # fmt: skip
    rows = list(ranked.filter(place__lte=MOST_LIVES).order_by("started_at", "pk").values_list(*columns))
    started = {row[0]: row[5] for row in rows}
    long = {row[0] for row in rows if (row[6] or row[7]) - row[5] > DETAILED}
    points = points_of(started, long, since)
    found: dict[int, list[tuple[bool, Life]]] = defaultdict(list)
    for pk, service, is_worker, host, release, began, ended, seen, reason in rows:
        life = Life(
            started_s=began.timestamp(),
            lifetime_s=((ended or seen) - began).total_seconds(),
            points=tuple(points.get(pk, ())),
            host=host,
            release=release or "",
            end_reason=reason,
        )
        found[service].append((is_worker, life))
    return found


def points_of(started: Mapping[int, datetime], long: set[int], since: datetime) -> dict[int, list[Point]]:
    """The life of each process that started then, by age: the ``long`` ones by the hour. Two queries."""
    found: dict[int, list[Point]] = defaultdict(list)
    step = F("process__last_seq") / MOST_SNAPSHOTS * SHARED_EVERY + 1
    rows = Snapshot.objects.filter(process__in=started.keys() - long, rss_kib__isnull=False)
    thinned = rows.annotate(rest=Mod(F("seq"), step)).filter(rest=0).order_by("process", "timestamp")
    columns = ("process_id", "timestamp", "rss_kib", "uss_kib", "requests_handled", "tasks_handled")
    for pk, at, rss, uss, requests, tasks in thinned.values_list(*columns).iterator():
        found[pk].append(_point(started[pk], at, rss, uss, (requests or 0) + (tasks or 0)))
    hours = SnapshotRollup.objects.filter(process__in=long, period=SnapshotRollup.Period.HOUR, start__gte=since)
    figures = ("figures__rss_kib", "figures__uss_kib", "figures__requests_handled", "figures__tasks_handled")
    columns = ("process_id", "start", *figures)
    for pk, start, rss, uss, requests, tasks in hours.order_by("process", "start").values_list(*columns).iterator():
        if rss:
            jobs = (requests[1] if requests else 0) + (tasks[1] if tasks else 0)
            at = max(start + timedelta(minutes=30), started[pk])
            found[pk].append(_point(started[pk], at, rss[0], min(uss[0], rss[0]) if uss else None, jobs))
    return found


def _point(started: datetime, at: datetime, rss: float, uss: float | None, jobs: float) -> Point:
    private = None if uss is None else uss / KIB_PER_MB
    return Point(max(0.0, (at - started).total_seconds()), jobs, rss / KIB_PER_MB, private)


def _alive(services: Iterable[int]) -> list[_Alive]:
    """Processes of these services, and all others of their hosts."""
    hosts = Process.objects.alive().filter(service__in=services).order_by().values("host")
    last = "last_snapshot__"
    rows = Process.objects.alive().filter(host__in=hosts).order_by("last_seen_at").values_list(
        "service_id", "host", "outside", "program", "server_settings",
        *(last + name for name in ("rss_kib", "pss_kib", "uss_kib", "cgroup_limit_kib", "heap_limit_kib")),
        f"{last}heap_limit_source",
    )  # fmt: skip
    return [_Alive(*row) for row in rows]


def _peaks(services: Iterable[int], since: datetime, now: datetime) -> dict[int, Peaks]:
    rows = work.within(WorkRollup.objects.filter(service__in=services), since, now).filter(peak_calls__gt=0)
    rows = rows.exclude(work__kind=WorkName.Kind.COMMAND).order_by()
    counts: dict[int, histogram.Counts] = defaultdict(dict)
    calls, highest = Counter[int](), dict[int, tuple[int, str]]()
    columns = ("service_id", "work__name", "peak_calls", "peak_kib_max", "peak_counts")
    for service, name, number, peak, more in rows.values_list(*columns).iterator():
        calls[service] += number
        histogram.add(counts[service], more)
        highest[service] = max(highest.get(service, (0, "")), (peak, name))
    return {
        service: Peaks(
            calls=calls[service],
            typical_mb=(histogram.quantile(counts[service], 0.95, most) or 0.0) / KIB_PER_MB,
            highest_mb=most / KIB_PER_MB,
            highest_job=name,
        )
        for service, (most, name) in highest.items()
    }


def _ends(services: Iterable[int], since: datetime) -> dict[int, dict[str, int]]:
    rows = Process.objects.ended().filter(service__in=services, outside=False, ended_at__gte=since).order_by()
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for service, reason, count in rows.values_list("service_id", "end_reason").annotate(Count("pk")):
        found[service][reason] = count
    return found


def _unwatched(alive: Iterable[_Alive], now: datetime) -> dict[str, float]:
    """Memory of programs without an agent, by host."""
    found = containers({each.host for each in alive}, now=now)
    return {each.host: each.figures.unwatched_mb or 0.0 for each in reversed(found)}


def _service(  # noqa: PLR0917 - each the result of one query
    service: Service,
    lives: Sequence[tuple[bool, Life]],
    alive: Sequence[_Alive],
    unwatched: Mapping[str, float],
    peaks: Peaks | None,
    ends: Mapping[str, int],
    now: datetime,
) -> facts.Service:
    own = [each for each in alive if each.service == service.pk]
    inside = [each for each in own if not each.outside]
    workers = [each for each in inside if each.is_worker] or inside
    host, count = max(Counter(each.host for each in workers).items(), key=lambda item: item[1], default=("", 0))
    here = [each for each in alive if each.host == host]
    parents = [each.rss or 0 for each in here if each.service == service.pk and each not in workers]
    others = sum(each.own for each in here if each.service != service.pk)
    limit_kib, limit_of = _limit(workers)
    current: dict[str, Any] = {}
    for each in (*workers, *(each for each in inside if not each.is_worker)):
        current |= each.settings
    asked = current.get("concurrency" if current.get("server") == "celery" else "workers")
    if isinstance(asked, int) and count:
        # One may be on the way from its end to the first report of its successor.
        count = max(count, min(asked, MOST_ASKED))
    days = max(1.0, min(WEEK, now - service.created_at) / timedelta(days=1))
    return facts.Service(
        name=service.name,
        server=str(current.get("server") or _server(workers)),
        lives=tuple(life for is_worker, life in lives if is_worker) or tuple(life for _worker, life in lives),
        workers=count,
        limit_mb=None if limit_kib is None else limit_kib / KIB_PER_MB,
        limit_of=limit_of,
        parent_mb=sum(parents) / KIB_PER_MB,
        others_mb=0.0 if limit_of == PROCESS else others / KIB_PER_MB + unwatched.get(host, 0.0),
        sharers=len({each.service for each in here if each.is_worker} | {service.pk}),
        peaks=peaks,
        current=current,
        recycled_per_day=sum(ends.get(reason, 0) for reason in _REPLACED) / days,
        ends=ends,
    )


def _limit(workers: Iterable[_Alive]) -> tuple[int | None, str]:
    """The narrowest, in KiB, and whose it is."""
    found = []
    for each in workers:
        if each.container_limit:
            found.append((each.container_limit, CONTAINER))
        elif each.limit:
            found.append((each.limit, HOST if each.limit_source == "host" else PROCESS))
    return min(found, default=(None, CONTAINER), key=lambda item: item[0] or 0)


def _server(workers: Iterable[_Alive]) -> str:
    """By the program, where no process says more."""
    named = [each.program for each in workers]
    if any(program in ("celery main", "celery child") for program in named):
        return "celery"
    return next((name for program in named if (name := program.partition(" ")[0]) in WEB_SERVERS), "")
