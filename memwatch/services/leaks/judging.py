"""Leaks: the run that judges every process, and what operators do (from :mod:`memwatch.services.leaks.actions`)."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db import DatabaseError
from django.db.models import Min, Subquery
from django.utils import timezone

from memwatch.conf import Settings, get_settings
from memwatch.detection import History, Thresholds, judge
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.succession import grow_in_step
from memwatch.models import Baseline, Leak, Lease, Process, Recording
from memwatch.queries.judging.detection_input import EarlierCounts, judged_histories, rolled_histories
from memwatch.queries.judging.growth_prefilter import open_by_rollups, open_by_snapshots
from memwatch.services.leaks import work_culprits
from memwatch.services.leaks.endings import end_leaks
from memwatch.services.leaks.expected_growth import ExpectedRules
from memwatch.services.leaks.growth import update_growth
from memwatch.services.leaks.judgement import Judgement, Key, Verdicts, by_key
from memwatch.services.leaks.lifecycle import apply
from memwatch.services.leaks.looks import Looks, kept_by_expiring
from memwatch.services.leaks.recycled_workers import covered_by_services, judge_services
from memwatch.services.locking import writing
from memwatch.transport import Hub

HOW_FAR = timedelta(days=1)


def with_look_back(process: Process, history: History, *, followed: Collection[str]) -> History:
    """The history of an hour, which lets the rules ask what was in the day before.

    Not of types whose leak is ``followed``: it was looked into when it was opened, and goes on being seen by the hour.
    """
    begin = datetime.fromtimestamp(history.times[0], UTC)
    counts = EarlierCounts(process, since=begin - HOW_FAR, before=begin)

    def earlier(name: str) -> Sequence[int]:
        return () if name in followed else counts.of(name)

    return dataclasses.replace(history, earlier=earlier)


logger = logging.getLogger(__name__)

MIN_POINTS = 8
"""A day or a week with fewer hours is not judged."""
AT_ONCE = 20
"""Processes whose leaks are brought up to date in one transaction: they are locked for some 50 ms."""
FEWEST_POINTS = 4
"""Fewer raw snapshots are not judged, and under ``WATCH_POINTS`` only for leaks that the service is known for."""
LONG_WINDOWS = {"day": timedelta(days=1), "week": timedelta(days=7)}
LONG_EVERY = timedelta(minutes=30)
"""Roll-ups come once an hour: judging them each minute would find nothing new."""
LEASE, LONG_LEASE = "detect_leaks", "memwatch.long_windows"
KNOWN_FOR = timedelta(days=7)
"""How long a service is known for a leak: a recycled worker's successor is believed sooner."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DetectResult:
    """What a run did, in leaks but for the first three."""

    processes: int = 0
    """Alive processes with an agent."""
    judged: int = 0
    """Those whose series were loaded and judged."""
    failed: int = 0
    """Those that could not be judged or kept now; the log says why."""
    opened: int = 0
    reopened: int = 0
    seen: int = 0
    """Leaks that go on."""
    worsened: int = 0
    resolved: int = 0
    suppressed: int = 0
    snoozed: int = 0
    """Opened under a snooze that the process before had."""
    waiting: int = 0
    """Not opened yet: their process's heap is being looked at."""
    cleared: int = 0
    """Not opened: the heap shows that they are no leaks."""


def raw_window(settings: Settings) -> timedelta:
    """An hour of snapshots; less where they come fast (300 points are enough), more where they come slowly (60)."""
    interval = settings.snapshot_interval
    return timedelta(seconds=max(60 * interval, min(3600.0, max(600.0, 300 * interval))))


def is_awaited() -> bool:
    """Whether a look has ended since the last run: a leak may wait for what it shows."""
    last_run = Lease.objects.filter(name=LEASE).values("last_finished_at")
    return Recording.objects.filter(look=True, finished_at__gt=Subquery(last_run)).exists()


def detect(now: datetime | None = None, *, hub: Hub | None = None) -> DetectResult:
    """Judge every alive process and bring its leaks up to date. Repeating it opens and counts nothing twice.

    Before a leak opens, its process is asked for a look at its heap; a later run opens it, or does not.
    """
    now, settings = now or timezone.now(), get_settings()
    thresholds = Thresholds(
        min_growth_percent=settings.leak_min_growth_percent, min_growth_count=settings.leak_min_growth_count
    )
    window, rules, counts = raw_window(settings), ExpectedRules(), Counter[str]()
    counts["resolved"] += end_leaks(_ended_with_leaks(), now)
    counts.update(judge_services(now, settings, thresholds, rules, longest=window))
    processes = {
        process.pk: process
        for process in Process.objects.alive().filter(outside=False).select_related("service").order_by("pk")
    }
    update_growth(processes.values(), now, interval_s=settings.snapshot_interval, window=window)
    long_verdicts, long_due = _long_verdicts(processes, thresholds, now)
    wanted = _wanted(processes, now, settings, thresholds) | long_verdicts.keys()
    chosen = [processes[pk] for pk in sorted(wanted & processes.keys())]
    judgements = _judgements(
        _histories(chosen, now - window),
        long_verdicts,
        thresholds=thresholds,
        settings=settings,
        now=now,
        counts=counts,
    )
    looks_on = settings.look_before_leak and bool(settings.recordings_per_service_hour)
    looks = Looks(now, window=raw_window(settings)) if looks_on else Looks.none()
    while some := list(islice(judgements, AT_ONCE)):
        counts.update(_keep(some, rules, looks))
    looks.ask(hub)
    rules.save(now)
    work_culprits.refresh(now)
    if long_due:
        with writing():
            Lease.objects.update_or_create(name=LONG_LEASE, defaults={"expires_at": now, "last_finished_at": now})
    return DetectResult(processes=len(processes), **counts)


def _judgements(
    histories: Iterable[tuple[Process, History]],
    long_verdicts: Mapping[int, Mapping[str, Verdicts]],
    *,
    thresholds: Thresholds,
    settings: Settings,
    now: datetime,
    counts: Counter[str],
) -> Iterator[Judgement]:
    """What there is to say of each; ``counts`` gets those judged and those that could not be."""
    known, whole, followed, keeps = _known(now), covered_by_services(), _followed(), _kept_alive()
    expires = kept_by_expiring(now)
    for process, read in histories:
        counts["judged"] += 1
        service = process.service_id
        history = dataclasses.replace(read, keeps=keeps.get(service, {}), expires=expires.get(service, {}))
        verdicts = dict(long_verdicts.get(process.pk, {}))
        few = len(history) < WATCH_POINTS
        try:
            if len(history) >= FEWEST_POINTS:
                shown = history if few else with_look_back(process, history, followed=followed.get(process.pk, ()))
                verdicts["hour"] = by_key(judge(shown, thresholds=thresholds, window="given" if few else "hour"))
        except ValueError:
            logger.exception("series of %s could not be judged", process)
            counts["failed"] += 1
            continue
        shows = frozenset(verdict.object_type for _key, verdict in verdicts.get("hour", {}).items() if verdict.is_leak)
        age_s = (now - process.started_at).total_seconds()
        yield Judgement(
            service=process.service,
            process=process,
            now=now,
            verdicts=verdicts,
            reported=frozenset(history.counts),
            few_points=few,
            known=known.get(process.service_id, frozenset()),
            covered=frozenset(key for key, up_to_s in whole.get(process.service_id, ()) if age_s <= up_to_s),
            in_step=grow_in_step(history, followed.get(process.pk, ()), shows),
            hold=raw_window(settings),
            min_growth_count=settings.leak_min_growth_count,
        )


def _keep(judgements: Sequence[Judgement], rules: ExpectedRules, looks: Looks) -> Counter[str]:
    """Bring their rows up to date in one transaction; where that fails, in one for each."""
    try:
        return apply(judgements, rules, looks)
    except DatabaseError as error:
        if len(judgements) > 1:
            return sum((_keep([judgement], rules, looks) for judgement in judgements), Counter[str]())
        process = judgements[0].process
        logger.warning("leaks of %s were not kept, the next run tries again: %s", process, error)
        return Counter(failed=1)


def _ended_with_leaks() -> list[Process]:
    return list(Process.objects.ended().filter(leaks__in=Leak.objects.unresolved()).distinct())


def _wanted(processes: Mapping[int, Process], now: datetime, settings: Settings, thresholds: Thresholds) -> set[int]:
    """Those with growth, and those with leaks to follow."""
    with_leaks = Leak.objects.unresolved().filter(process__ended_at=None, process__isnull=False)
    followed = set(with_leaks.order_by().values_list("process", flat=True).distinct())
    grown = open_by_snapshots(now - raw_window(settings), now, settings.snapshot_interval, thresholds)
    return (grown | {pk for pk in followed if pk is not None}) & processes.keys()


def _known(now: datetime) -> dict[int, frozenset[Key]]:
    """The leaks that the processes of each service had recently."""
    known: dict[int, set[Key]] = {}
    rows = Leak.objects.filter(last_seen_at__gte=now - KNOWN_FOR, process__isnull=False).order_by()
    rows = rows.exclude(state=Leak.State.SUPPRESSED)
    for service, kind, object_type in rows.values_list("service", "kind", "object_type").distinct():
        known.setdefault(service, set()).add((kind, object_type))
    return {service: frozenset(keys) for service, keys in known.items()}


def _followed() -> dict[int, set[str]]:
    """The types of which each process has a leak of objects that is not over, and those that grow with them."""
    found: dict[int, set[str]] = {}
    rows = Leak.objects.unresolved().filter(kind=Leak.Kind.OBJECTS, process__isnull=False).order_by()
    for pk, object_type, grows_with in rows.values_list("process", "object_type", "evidence__grows_with"):
        found.setdefault(pk, set()).update((object_type, *(grows_with or ())))
    return found


def _kept_alive() -> dict[int, dict[str, dict[str, int]]]:
    """By service and leaking type, what its holder keeps alive, of the leaks whose processes' heaps were looked at."""
    found: dict[int, dict[str, dict[str, int]]] = {}
    rows = Leak.objects.unresolved().filter(kind=Leak.Kind.OBJECTS, evidence__look__keeps__isnull=False)
    columns = "service", "object_type", "evidence__look__type", "evidence__look__keeps"
    for service, object_type, looked_at, keeps in rows.values_list(*columns):
        found.setdefault(service, {}).update(dict.fromkeys((object_type, looked_at), keeps))
    return found


def _histories(processes: list[Process], since: datetime) -> Iterator[tuple[Process, History]]:
    """Each process's series, from its first baseline on: what came before was warm-up. Empty where it was silent."""
    begins = dict(
        Baseline.objects.filter(process__in=[process.pk for process in processes])
        .order_by()
        .values_list("process")
        .annotate(Min("timestamp"))
    )
    seen: set[int] = set()
    known = {pk: begin for pk, begin in begins.items() if pk is not None}
    for process, history in judged_histories(processes, since=since, begins=known):
        seen.add(process.pk)
        yield process, history
    for process in processes:
        if process.pk not in seen:
            yield process, History(times=())


def _long_verdicts(
    processes: Mapping[int, Process], thresholds: Thresholds, now: datetime
) -> tuple[dict[int, dict[str, Verdicts]], bool]:
    """Verdicts over a day and a week by process id, and whether they were due. Only where roll-ups show growth."""
    last = Lease.objects.filter(name=LONG_LEASE).values_list("last_finished_at", flat=True).first()
    if last is not None and last <= now < last + LONG_EVERY:
        return {}, False
    found: dict[int, dict[str, Verdicts]] = {}
    with_leaks = Leak.objects.unresolved().exclude(process=None).order_by()
    followed = {pk for pk in with_leaks.values_list("process", flat=True).distinct() if pk is not None}
    for window, length in LONG_WINDOWS.items():
        grown = open_by_rollups(now - length, now, thresholds)
        chosen = [process for pk, process in processes.items() if pk in grown or pk in followed]
        for process, history in rolled_histories(chosen, since=now - length):
            if len(history) < MIN_POINTS:
                continue
            try:
                verdicts = judge(history, thresholds=thresholds, window=window)
            except ValueError:
                logger.exception("the %s of %s could not be judged", window, process)
                continue
            found.setdefault(process.pk, {})[window] = by_key(verdicts)
    return found, True


__all__ = [
    "DetectResult",
    "detect",
    "raw_window",
]
