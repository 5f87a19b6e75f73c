"""Retention: what is old goes, in short batches, after it was rolled up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, Max, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from memwatch.conf import Settings, get_settings
from memwatch.detection.anomalies import lessons, weekly
from memwatch.models import (
    Alert,
    Anomaly,
    Baseline,
    Command,
    Installation,
    Leak,
    Process,
    Recording,
    Recycle,
    RejectedReport,
    ServiceHour,
    Snapshot,
    SnapshotRollup,
    WorkName,
    WorkRollup,
)
from memwatch.queries.deployment.disk_usage import Room
from memwatch.records.work import OTHER
from memwatch.services.ingest.work_totals import choose_names
from memwatch.services.locking import writing
from memwatch.services.recordings import storage
from memwatch.services.rollups import Progress, nothing, roll_up, start_of_day, start_of_hour

BATCH = 2_000
"""Rows deleted in one transaction: short enough that ingest hardly waits on SQLite."""
CLOCK_AHEAD = timedelta(days=1)
"""A snapshot dated further ahead than this has a wrong clock: it goes by the time it was received."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PruneResult:
    """How many rows were written (roll-ups) and deleted (the rest), or would be."""

    hourly_written: int = 0
    daily_written: int = 0
    snapshots: int = 0
    hourly_rollups: int = 0
    daily_rollups: int = 0
    hourly_work: int = 0
    daily_work: int = 0
    work_names: int = 0
    leaks: int = 0
    alerts: int = 0
    anomalies: int = 0
    service_hours: int = 0
    processes: int = 0
    installations: int = 0
    baselines: int = 0
    commands: int = 0
    rejected_reports: int = 0
    recordings: int = 0
    recycles: int = 0
    freed_bytes: int | None = dataclasses.field(default=None, compare=False)
    """Room for new rows, about; ``None`` where the database does not say."""

    @property
    def deleted(self) -> int:
        """Rows of all kinds."""
        not_deleted = ("hourly_written", "daily_written", "freed_bytes")
        return sum(n for name, n in dataclasses.asdict(self).items() if name not in not_deleted)


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """One kind of row that is pruned: its field in the result, its words, which rows, and how a batch goes."""

    field: str
    words: str
    rows: QuerySet[Any]
    delete: Callable[[list[int]], int]
    batch: int | None = None
    """Rows in one transaction; ``BATCH`` when not given."""


def prune(now: datetime | None = None, progress: Progress | None = None, *, dry_run: bool = False) -> PruneResult:
    """Roll up what is complete, then delete what is older than the settings ``RETENTION_*`` say.

    ``progress`` is called with (what, done, of how many). A ``dry_run`` only counts. Being killed half-way loses
    nothing; the next run goes on.
    """
    now, tell = now or timezone.now(), progress or nothing
    counted: dict[str, int] = {}
    if not dry_run:
        counted["hourly_written"], counted["daily_written"] = roll_up(now, tell)
    room = Room()
    gone: dict[type[Model], int] = {}
    for step in _steps(get_settings(), now):
        counted[step.field] = step.rows.count() if dry_run else _delete(step, tell)
        gone[step.rows.model] = gone.get(step.rows.model, 0) + counted[step.field]
    if not dry_run:
        choose_names(now)
    return PruneResult(**counted, freed_bytes=None if dry_run else room.freed(gone))


def _steps(settings: Settings, now: datetime) -> list[_Step]:
    findings = now - timedelta(days=settings.retention_findings_days)
    hourly = start_of_day(now - timedelta(days=settings.retention_hourly_days))
    daily = start_of_day(now - timedelta(days=settings.retention_daily_days))
    raw = start_of_hour(now - timedelta(hours=settings.retention_snapshots_hours))
    latest = Process.objects.alive().exclude(last_snapshot=None).values("last_snapshot")
    old = Q(timestamp__lt=raw) | Q(timestamp__gt=now + CLOCK_AHEAD, received_at__lt=raw)
    period = SnapshotRollup.Period
    taught = Anomaly.objects.filter(state=Anomaly.State.DISMISSED, dismissed_at__gte=now - lessons.LASTS).order_by()
    return [
        _Step("snapshots", "snapshots", Snapshot.objects.filter(old).exclude(pk__in=latest), _delete_snapshots),
        _Step(
            "hourly_rollups", "hourly roll-ups",
            SnapshotRollup.objects.filter(period=period.HOUR, start__lt=hourly), _deleter(SnapshotRollup),
        ),
        _Step(
            "daily_rollups", "daily roll-ups",
            SnapshotRollup.objects.filter(period=period.DAY, start__lt=daily), _deleter(SnapshotRollup),
        ),
        _Step(
            "hourly_work", "hours of work",
            WorkRollup.objects.filter(period=period.HOUR, start__lt=hourly), _deleter(WorkRollup),
        ),
        _Step(
            "daily_work", "days of work",
            WorkRollup.objects.filter(period=period.DAY, start__lt=daily), _deleter(WorkRollup),
        ),
        _Step("work_names", "names of work", _unused_names(), _delete_names),
        _Step(
            "alerts", "cleared alerts", Alert.objects.filter(cleared_at__lt=findings), _deleter(Alert), 500,
        ),
        _Step(
            "anomalies", "anomalies that have ended",
            Anomaly.objects.filter(ended_at__lt=findings).exclude(pk__in=taught), _deleter(Anomaly), 500,
        ),
        _Step(
            "service_hours", "hours of services",
            ServiceHour.objects.filter(start__lt=now - timedelta(hours=weekly.KEPT)), _deleter(ServiceHour),
        ),
        _Step(
            "leaks", "resolved leaks",
            Leak.objects.filter(state=Leak.State.RESOLVED, resolved_at__lt=findings), _deleter(Leak), 200,
        ),
        _Step(
            "baselines", "replaced baselines",
            Baseline.objects.filter(active=False, created_at__lt=findings), _deleter(Baseline), 500,
        ),
        _Step("commands", "commands", Command.objects.filter(expires_at__lt=findings), _deleter(Command), 500),
        _Step(
            "rejected_reports", "rejected reports",
            RejectedReport.objects.filter(received_at__lt=findings), _deleter(RejectedReport), 500,
        ),
        _Step(
            "recordings", "recordings",
            Recording.objects.filter(requested_at__lt=now - timedelta(days=settings.retention_recordings_days)),
            _delete_recordings, 100,
        ),
        _Step(
            "recycles", "recycles",
            Recycle.objects.filter(at__lt=findings).exclude(state__in=Recycle.PENDING), _deleter(Recycle), 500,
        ),
        _Step(
            "processes", "ended processes",
            Process.objects.filter(ended_at__lt=findings).exclude(Exists(taught.filter(process=OuterRef("pk")))),
            _delete_processes, 20,
        ),
        _Step("installations", "lists of distributions", _unused_installations(), _delete_installations, 100),
    ]  # fmt: skip


def _delete(step: _Step, tell: Progress) -> int:
    """Delete the step's rows, a batch a transaction.

    By rising id up to the highest that is old now: no batch goes again through what those before have deleted, and
    none looks at the rows that stay.
    """
    highest = step.rows.aggregate(highest=Max("pk"))["highest"]
    if highest is None:
        return 0
    total = 0 if tell is nothing else step.rows.count()
    done, last = 0, 0
    tell(step.words, done, total)
    rows = step.rows.filter(pk__lte=highest).order_by("pk").values_list("pk", flat=True)
    while ids := list(rows.filter(pk__gt=last)[: step.batch or BATCH]):
        with writing():
            done += step.delete(ids)
        last = ids[-1]
        tell(step.words, done, max(done, total))
    return done


def _deleter(model: type[Any]) -> Callable[[list[int]], int]:
    def delete(ids: list[int]) -> int:
        _, by_model = model._base_manager.filter(pk__in=ids).delete()
        return int(by_model.get(model._meta.label, 0))

    return delete


def _delete_snapshots(ids: list[int]) -> int:
    """Take back the pointers first: they have no constraint that would."""
    Process.objects.filter(last_snapshot__in=ids, ended_at__isnull=False).update(last_snapshot=None)
    Command.objects.filter(snapshot__in=ids).update(snapshot=None)
    deleted, _ = Snapshot.objects.filter(pk__in=ids).delete()
    return deleted


def _unused_names() -> QuerySet[WorkName]:
    """All names have a total of their own or are in that of the others, which stays."""
    return WorkName.objects.exclude(name=OTHER).exclude(Exists(WorkRollup.objects.filter(work=OuterRef("pk"))))


def _delete_names(ids: list[int]) -> int:
    """Locked first, so that none goes that an ingest is about to use; one that comes later draws the name again."""
    locked = list(WorkName.objects.select_for_update().filter(pk__in=ids).values_list("pk", flat=True))
    _, by_model = _unused_names().filter(pk__in=locked).delete()
    return by_model.get(WorkName._meta.label, 0)


def _unused_installations() -> QuerySet[Installation]:
    return Installation.objects.exclude(Exists(Process.objects.filter(installation=OuterRef("pk"))))


def _delete_installations(ids: list[int]) -> int:
    """Locked first, as names of work are."""
    locked = list(Installation.objects.select_for_update().filter(pk__in=ids).values_list("pk", flat=True))
    _, by_model = _unused_installations().filter(pk__in=locked).delete()
    return by_model.get(Installation._meta.label, 0)


def _delete_recordings(ids: list[int]) -> int:
    """The files of their outcomes go with them."""
    rows = Recording.objects.filter(pk__in=ids)
    storage.remove_files(rows)
    _, by_model = rows.delete()
    return by_model.get(Recording._meta.label, 0)


def _delete_processes(ids: list[int]) -> int:
    """A process with all that hangs on it; the many rows go by one statement each, without being loaded."""
    Process.objects.filter(pk__in=ids).update(last_snapshot=None)
    _delete_recordings(list(Recording.objects.filter(process__in=ids).values_list("pk", flat=True)))
    Command.objects.filter(process__in=ids).delete()
    Snapshot.objects.filter(process__in=ids).delete()
    SnapshotRollup.objects.filter(process__in=ids).delete()
    _, by_model = Process.objects.filter(pk__in=ids).delete()
    return by_model.get(Process._meta.label, 0)


__all__ = ["PruneResult", "prune", "roll_up"]
