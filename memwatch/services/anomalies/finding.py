"""The passes of anomaly detection: processes against their siblings, services against their own week.

Between two passes the database keeps what is remembered. Running a pass twice, or being killed in one, finds nothing
twice: a look at a time that was looked at changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from memwatch.batches import batched
from memwatch.conf import get_settings
from memwatch.detection.anomalies import sentence, weekly
from memwatch.detection.anomalies.consensus import WEEKLY, Memory
from memwatch.detection.anomalies.lessons import LASTS, Lesson, is_known
from memwatch.detection.anomalies.passes import Finding, Passed, siblings_pass, step
from memwatch.detection.anomalies.siblings import Member, busier, usual_sibling
from memwatch.models import Anomaly, AnomalyMemory, Process, ServiceHour, SnapshotRollup
from memwatch.queries.judging import anomaly_input
from memwatch.services import event_cursors, rollups
from memwatch.services.locking import writing

EVERY = timedelta(minutes=10)
"""Between two passes over all processes."""
MOST_HOURS = 48
"""Hours of services that one run catches up on, beginning with the oldest."""
SERVICES = 100
"""Services whose past is in memory at a time."""
HOURS_UNTIL = "hours of services"
"""The event cursor of the last hour that was looked at."""

_Kind, _State = Anomaly.Kind, Anomaly.State


def find_among_siblings(now: datetime | None = None) -> int:
    """One pass over all processes; how many anomalies began."""
    now = now or timezone.now()
    window = max(EVERY, timedelta(seconds=2 * get_settings().snapshot_interval))
    members, processes = anomaly_input.members(now - window, now)
    rows = AnomalyMemory.objects.filter(process__isnull=False, process__ended_at=None).order_by()
    memories = _memories(rows.values_list("process", "memory"))
    passed = siblings_pass(members, memories, now.timestamp())
    by_id = {member.id: member for member in members}
    with writing():
        AnomalyMemory.objects.bulk_create(
            (
                AnomalyMemory(process=process, service_id=process.service_id, memory=passed.memories[pk].to_json())
                for pk, process in processes.items()
                if pk in passed.memories
            ),
            update_conflicts=True,
            unique_fields=["process"],
            update_fields=["memory"],
            batch_size=500,
        )
        forgotten = memories.keys() - passed.memories.keys()
        AnomalyMemory.objects.filter(Q(process__in=forgotten) | Q(process__ended_at__isnull=False)).delete()
        _end(Anomaly.objects.filter(process__ended_at__isnull=False), now)
        going_on = {pk for pk, memory in passed.memories.items() if memory.told}
        _end(Anomaly.objects.filter(kind=_Kind.SIBLINGS).exclude(process__in=going_on), now)
        return _keep_of_processes(passed, by_id, processes, members, now)


def _keep_of_processes(
    passed: Passed,
    by_id: Mapping[int, Member],
    processes: Mapping[int, Process],
    members: Sequence[Member],
    now: datetime,
) -> int:
    lessons = _lessons(now)
    rows = Anomaly.objects.unfinished().filter(kind=_Kind.SIBLINGS, process__in=passed.findings)
    open_rows = {row.process_id: row for row in rows}
    begun = 0
    for pk, finding in passed.findings.items():
        process, member = processes[pk], by_id[pk]
        says = sentence.sentence(finding.figures, "its siblings")
        known = is_known(process.service_id, _Kind.SIBLINGS, _ratios(finding), lessons)
        if _goes_on(open_rows.get(pk), finding, says, now, known=known):
            continue
        changes = anomaly_input.changes_at(process.service_id, _moment(finding.since), process)
        if load := sentence.load(busier(member, members), "a usual sibling"):
            changes.append({"kind": "load", "at": now.isoformat(), "says": load})
        _begin(
            finding, says, changes, now, service_id=process.service_id, process=process, kind=_Kind.SIBLINGS,
            release=process.release, sibling_id=usual_sibling(member, members, passed.memories),
        )  # fmt: skip
        begun += 1
    return begun


def find_in_hours(now: datetime | None = None) -> int:
    """Look at the hours of services that are rolled up and were not looked at; how many anomalies began."""
    now = now or timezone.now()
    due = _due_hours(now)
    begun = 0
    for start in due:
        seen = anomaly_input.hour_of_services(start)
        for services in batched(sorted(seen), SERVICES):
            begun += _find_in_hour(start, {service: seen[service] for service in services})
        event_cursors.reach(HOURS_UNTIL, start)
    if len(due) < MOST_HOURS:
        _forget_unseen(now)
    return begun


def _due_hours(now: datetime) -> list[datetime]:
    """Hours with roll-ups of all processes after the last that was looked at, the oldest first."""
    complete = event_cursors.reached(rollups.HOURS_UNTIL, now)
    if complete is None:
        return []
    rows = SnapshotRollup.objects.filter(period=SnapshotRollup.Period.HOUR, start__lt=complete)
    last = event_cursors.reached(HOURS_UNTIL, now)
    if last is not None:
        rows = rows.filter(start__gt=last)
    return list(rows.order_by("start").values_list("start", flat=True).distinct()[:MOST_HOURS])


def _forget_unseen(now: datetime) -> None:
    """Services without settled workers for long: nothing is remembered of them, and their anomalies are over."""
    rows = AnomalyMemory.objects.filter(process=None).order_by()
    kept = step({}, _memories(rows.values_list("service", "memory")), now.timestamp(), WEEKLY).memories
    with writing():
        rows.exclude(service__in=kept).delete()
        _end(Anomaly.objects.filter(kind=_Kind.WEEK).exclude(service__in=kept), now)


def _find_in_hour(start: datetime, seen: Mapping[int, anomaly_input.SeenHour]) -> int:
    """Compare the hour of each of these services with its week; how many anomalies began."""
    history = anomaly_input.hours_before(seen, start)
    rows = AnomalyMemory.objects.filter(process=None, service__in=seen).order_by()
    memories = _memories(rows.values_list("service", "memory"))
    number, end = anomaly_input.number_of(start), start + anomaly_input.HOUR
    unlike, hours = {}, []
    for service, found in seen.items():
        hour = weekly.with_differences(number, found.values, found.age_s, history[service])
        memory = memories.get(service)
        since = int(min(memory.since.values()) // 3600) if memory and memory.told and memory.since else None
        judged = weekly.judge(hour, history[service], unusual_since=since)
        if judged is not None:
            unlike[service] = judged
        hours.append(
            ServiceHour(
                service_id=service, start=start, age_s=found.age_s, fresh=hour.fresh, jobs=found.jobs,
                values=_rounded(hour.values), differences=_rounded(hour.off),
            )
        )  # fmt: skip
    passed = step(unlike, memories, end.timestamp(), WEEKLY)
    with writing():
        ServiceHour.objects.bulk_create(hours, ignore_conflicts=True)
        for service, memory in passed.memories.items():
            AnomalyMemory.objects.update_or_create(
                service_id=service, process=None, defaults={"memory": memory.to_json()}
            )
        AnomalyMemory.objects.filter(process=None, service__in=memories.keys() - passed.memories.keys()).delete()
        over = [service for service in seen if not (service in passed.memories and passed.memories[service].told)]
        _end(Anomaly.objects.filter(kind=_Kind.WEEK, service__in=over), end)
        return _keep_of_services(passed, seen, start)


def _keep_of_services(passed: Passed, seen: Mapping[int, anomaly_input.SeenHour], start: datetime) -> int:
    end = start + anomaly_input.HOUR
    lessons = _lessons(end)
    rows = Anomaly.objects.unfinished().filter(kind=_Kind.WEEK, service__in=passed.findings)
    open_rows = {row.service_id: row for row in rows}
    begun = 0
    for service, finding in passed.findings.items():
        says = sentence.sentence(finding.figures, "in this hour of the weeks before")
        known = is_known(service, _Kind.WEEK, _ratios(finding), lessons)
        if _goes_on(open_rows.get(service), finding, says, end, known=known):
            continue
        changes = anomaly_input.changes_at(service, _moment(finding.since))
        usual, jobs = anomaly_input.usual_jobs(service, start), seen[service].jobs
        if usual and jobs and (load := sentence.load(jobs / usual, "in the weeks before")):
            changes.append({"kind": "load", "at": start.isoformat(), "says": load})
        _begin(finding, says, changes, end, service_id=service, kind=_Kind.WEEK)
        begun += 1
    return begun


def _begin(finding: Finding, says: str, changes: list[dict[str, str]], now: datetime, **where: Any) -> None:
    Anomaly.objects.create(
        score=round(finding.score, 1), figures=_figures(finding), says=says, changes=changes,
        since=_moment(finding.since), detected_at=now, last_seen_at=now, **where,
    )  # fmt: skip


def _goes_on(row: Anomaly | None, finding: Finding, says: str, now: datetime, *, known: bool) -> bool:
    """Whether nothing new begins: it is in the row, or was dismissed at nearly this size.

    What was dismissed keeps the figures that it was dismissed with: they are what it teaches. It ends when it becomes
    much more, and a new one begins.
    """
    if row is None:
        return known
    if row.state == _State.DISMISSED and not known:
        row.ended_at = now
        row.save(update_fields=["ended_at"])
        return False
    row.last_seen_at = now
    if row.state == _State.OPEN:
        row.score, row.figures, row.says = round(finding.score, 1), _figures(finding), says
    row.save(update_fields=["last_seen_at", "score", "figures", "says"])
    return True


def _end(rows: Any, now: datetime) -> None:
    unfinished = rows.filter(ended_at__isnull=True)
    unfinished.filter(state=_State.OPEN).update(state=_State.ENDED, ended_at=now)
    unfinished.update(ended_at=now)


def _memories(rows: Iterable[tuple[int | None, Any]]) -> dict[int, Memory]:
    return {pk: Memory.from_json(stored) for pk, stored in rows if pk is not None}


def _lessons(now: datetime) -> list[Lesson]:
    rows = Anomaly.objects.filter(state=_State.DISMISSED, dismissed_at__gte=now - LASTS).order_by()
    return [
        Lesson(service, kind, {name: float(each["ratio"]) for name, each in figures.items()})
        for service, kind, figures in rows.values_list("service", "kind", "figures")
    ]


def _figures(finding: Finding) -> dict[str, dict[str, float]]:
    return {
        name: {"value": round(each.value, 2), "usual": round(each.usual, 2), "ratio": round(each.ratio, 2)}
        for name, each in finding.figures.items()
    }


def _ratios(finding: Finding) -> dict[str, float]:
    return {name: each.ratio for name, each in finding.figures.items()}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
