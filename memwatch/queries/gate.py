"""What a gate looks at: leaks, peaks and deaths since a moment, and the peaks of the release before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Count, DateTimeField, ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from memwatch.detection.releases.comparison import enough
from memwatch.detection.releases.result import Comparison
from memwatch.detection.releases.shift import histogram_p, shift
from memwatch.models import Baseline, Leak, LeakEvent, Process, Recording, Release, Service, Snapshot, WorkRollup
from memwatch.models.fleet import ProcessQuerySet
from memwatch.queries import work
from memwatch.queries.releases.compare import compare, named, release_before
from memwatch.records import KIB_PER_MB, histogram

MOST_PROCESSES = 50
"""Processes of the release before that are looked at, the newest."""
BEFORE = timedelta(days=7)
"""Peaks of jobs are compared with the last so many days of the release before."""
MIN_CALLS = 10
"""Fewer measured calls than this do not say what the peaks of a job are."""
_UNDECIDED = (LeakEvent.Kind.DETECTED, LeakEvent.Kind.REOPENED)
_DECIDED = (*_UNDECIDED, LeakEvent.Kind.ACKNOWLEDGED, LeakEvent.Kind.SNOOZED, LeakEvent.Kind.SUPPRESSED)
"""The last of these events says whether somebody had dealt with a leak."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class JobPeak:
    """The peaks of one view, task or command, now and in the release before."""

    kind: str
    name: str
    mb: float
    """95 % of the calls need no more."""
    before_mb: float
    p: float | None = None
    """How often chance alone gives peaks as different as those of the two releases."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRun:
    """One service since the moment that was asked for."""

    service: str
    release: str
    """Empty where the processes do not name one."""
    processes: int
    """That reported."""
    snapshots: int
    """Of the process that reported most."""
    peak_mb: float | None
    """Highest resident memory; of several processes the one in the middle."""
    before: str = ""
    """The release before; empty where none is known."""
    before_processes: int = 0
    before_mb: float | None = None
    """The same of its processes, at no greater age."""
    peak_p: float | None = None
    """How often chance alone divides the peaks so; ``None`` where there are too few processes to say."""
    jobs: tuple[JobPeak, ...] = ()
    counted: int | None = None
    """Snapshots that counted objects after the warm-up, of the process with most: leaks are judged from these."""


def service_runs(since: datetime, now: datetime, service: str | None = None) -> list[ServiceRun]:
    """Each service of which a process has reported since then, by name."""
    reported = _agents().filter(snapshots__timestamp__gte=since)
    if service is not None:
        reported = reported.filter(service__name=service)
    services = Service.objects.filter(pk__in=reported.values("service")).order_by("name")
    return [_run(each, since, now) for each in services]


def comparisons(runs: Iterable[ServiceRun], now: datetime) -> list[Comparison]:
    """Of each service's release with the one before it, where there is one."""
    found = []
    for run in runs:
        before, after = named(run.service, run.before), named(run.service, run.release)
        if before is not None and after is not None:
            found.append(compare(before, after, now))
    return found


def _agents() -> ProcessQuerySet:
    return Process.objects.filter(outside=False)


def _run(service: Service, since: datetime, now: datetime) -> ServiceRun:
    newest = Release.objects.filter(service=service, processes__snapshots__timestamp__gte=since).distinct()
    release = newest.order_by("-first_seen_at", "-pk").first()
    rows = Snapshot.objects.filter(process__service=service, process__outside=False, timestamp__gte=since)
    if release is not None:
        rows = rows.filter(process__release=release)
    of_each = list(
        rows.order_by().values("process", "process__started_at").annotate(top=Max("rss_kib"), many=Count("pk"))
    )
    peaks = [row["top"] for row in of_each if row["top"] is not None]
    born = Baseline.objects.filter(process=OuterRef("process")).order_by("timestamp").values("timestamp")[:1]
    warm = rows.filter(timestamp__gte=Coalesce(Subquery(born), Value(since, output_field=DateTimeField())))
    counted = warm.order_by().values("process").annotate(many=Count("total_objects")).values_list("many", flat=True)
    run = ServiceRun(
        counted=max(counted, default=0),
        service=service.name,
        release="" if release is None else release.name,
        processes=len(of_each),
        snapshots=max((row["many"] for row in of_each), default=0),
        peak_mb=median(peaks) / KIB_PER_MB if peaks else None,
    )
    before = None if release is None else release_before(release)
    if before is None or release is None:
        return run
    oldest = max((now - row["process__started_at"] for row in of_each), default=timedelta(0))
    earlier = _peaks_of(before, oldest)
    return dataclasses.replace(
        run,
        before=before.name,
        before_processes=len(earlier),
        before_mb=median(earlier) / KIB_PER_MB if earlier else None,
        peak_p=shift(earlier, peaks).p if enough(len(earlier), len(peaks)) else None,
        jobs=tuple(_jobs(service, release, before, since, now)),
    )


def _peaks_of(release: Release, age: timedelta) -> list[int]:
    """The highest resident memory in KiB of each process of a release, up to an age."""
    some = list(_agents().filter(release=release).order_by("-pk").values_list("pk", flat=True)[:MOST_PROCESSES])
    until = ExpressionWrapper(F("process__started_at") + Value(age), output_field=DateTimeField())
    rows = Snapshot.objects.filter(Q(timestamp__lte=until), process__in=some, rss_kib__isnull=False)
    return [row["top"] for row in rows.order_by().values("process").annotate(top=Max("rss_kib"))]


def _jobs(service: Service, release: Release, before: Release, since: datetime, now: datetime) -> list[JobPeak]:
    """By the hours of the run, and by those before the release: an hour with both is left out."""
    begun = work.start_of_hour(release.first_seen_at)
    rows = work.asked_for(service.pk)
    then = _measured(rows, max(before.first_seen_at, begun - BEFORE), begun, now)
    new = _measured(rows, since, now, now)
    return [
        JobPeak(
            kind=key[0],
            name=key[1],
            mb=new[key][0],
            before_mb=then[key][0],
            p=histogram_p(then[key][1], new[key][1]),
        )
        for key in sorted(new.keys() & then.keys())
    ]


def _measured(
    rows: QuerySet[WorkRollup], since: datetime, until: datetime, now: datetime
) -> dict[tuple[str, str], tuple[float, histogram.Counts]]:
    """By kind and name: what 95 % of the calls stay below, and how many had which peak."""
    if since >= until:
        return {}
    chosen = work.within(rows, since, until, now)
    enough = [row for row in work.summed(chosen) if row.sums["peak_calls"] >= MIN_CALLS]
    found = work.measured(chosen, enough)
    return {
        (row.kind, row.name): (row.peak_mb_p95, row.counts.get("peak_counts", {}))
        for row in found
        if row.peak_mb_p95 is not None
    }


def leaks_seen(since: datetime, service: str | None = None) -> list[Leak]:
    """Leaks that were judged such since then, the oldest first: in any state but resolved, or ended with a process.

    A process that is recycled takes its leaks along, which does not mend them. One is enough of each type, and none of
    those that somebody had dealt with.
    """
    rows = Leak.objects.filter(last_seen_at__gte=since).select_related("service", "process__service").order_by("pk")
    if service is not None:
        rows = rows.filter(service__name=service)
    last = LeakEvent.objects.filter(leak=OuterRef("pk"), kind__in=_DECIDED).order_by("-at", "-pk").values("kind")[:1]
    ended = rows.filter(state=Leak.State.RESOLVED, resolved_at__gte=F("process__ended_at")).alias(last=Subquery(last))
    found = list(rows.unresolved())
    seen = {(leak.service_id, leak.kind, leak.object_type) for leak in found}
    for leak in ended.filter(Q(last=None) | Q(last__in=_UNDECIDED)):
        key = (leak.service_id, leak.kind, leak.object_type)
        if key not in seen:
            seen.add(key)
            found.append(leak)
    return found


def looks_under_way(since: datetime, service: str | None = None) -> bool:
    """Whether the heap of a process is looked at now, before a leak is opened."""
    rows = Recording.objects.filter(look=True, state__in=Recording.PENDING, requested_at__gte=since)
    return (rows if service is None else rows.filter(process__service__name=service)).exists()


def deaths_since(since: datetime, service: str | None = None) -> list[Process]:
    """Processes that were killed for memory or crashed since then."""
    reasons = (Process.End.OOM_PROCESS, Process.End.OOM_CONTAINER, Process.End.SIGKILL, Process.End.CRASH)
    rows = _agents().filter(ended_at__gte=since, end_reason__in=reasons).select_related("service")
    if service is not None:
        rows = rows.filter(service__name=service)
    return list(rows.order_by("pk"))


def alive_now(since: datetime, service: str | None = None) -> Sequence[Process]:
    """Processes that have reported since then and have not ended."""
    rows = _agents().alive().filter(last_seen_at__gte=since).select_related("service")
    if service is not None:
        rows = rows.filter(service__name=service)
    return list(rows.order_by("pk"))
