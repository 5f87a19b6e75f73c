"""Ends of processes that were not meant: the rows, and what was running when others of their service ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet

from memwatch.detection.deaths import KILLED, UNKNOWN, advice
from memwatch.models import Process
from memwatch.records import traces

WEEK = timedelta(days=7)
_COMPARED = (*KILLED, UNKNOWN)
"""Ends that a job may have caused. With a host, what it runs ends whatever it is."""

_Job = tuple[int, str, str]
"""Service, kind and name."""

__all__ = ["Death", "advice", "counted_since", "deaths_of", "earlier", "earlier_of", "ended", "unwanted"]


class Death(NamedTuple):
    """One end, as a list of them shows it."""

    process: Process
    earlier: str

    @property
    def service(self) -> str:
        return self.process.service.name

    @property
    def at(self) -> datetime | None:
        return self.process.ended_at

    @property
    def reason(self) -> str:
        return self.process.end_reason

    @property
    def evidence(self) -> dict[str, Any]:
        """Empty where nothing is known."""
        found: dict[str, Any] = self.process.end_evidence
        return found

    @property
    def signal(self) -> str | None:
        return self.evidence.get("signal")

    @property
    def job(self) -> str | None:
        """The name of the job that was running."""
        return (self.evidence.get("job") or {}).get("name")

    @property
    def job_seconds(self) -> float | None:
        """For how long."""
        return (self.evidence.get("job") or {}).get("seconds")

    @property
    def job_trace_id(self) -> str:
        """Of the trace that it ran in; empty where jobs are not linked with traces."""
        return traces.trace_id(self._job_span)

    @property
    def job_span_id(self) -> str:
        return traces.span_id(self._job_span)

    @property
    def _job_span(self) -> str:
        return traces.checked((self.evidence.get("job") or {}).get("span"))

    @property
    def rss_mb(self) -> float | None:
        return self.evidence.get("rss_mb")

    @property
    def limit_mb(self) -> float | None:
        return self.evidence.get("limit_mb")


def ended() -> QuerySet[Process]:
    """All that have ended, with their services, the last end first."""
    return Process.objects.ended().select_related("service").order_by("-ended_at", "-pk")


def unwanted(rows: QuerySet[Process]) -> QuerySet[Process]:
    """Those whose end was not meant."""
    return rows.filter(end_reason__in=Process.DEATHS, ended_at__isnull=False)


def deaths_of(rows: Iterable[Process], now: datetime) -> list[Death]:
    """With what was running when others ended. One query."""
    found = list(rows)
    known = earlier_of(found, now)
    return [Death(process=row, earlier=known.get(row.pk, "")) for row in found]


def counted_since(moment: datetime) -> dict[int, int]:
    """Unwanted ends since then, by service. One query."""
    rows = unwanted(Process.objects.filter(ended_at__gte=moment)).order_by()
    return dict(rows.values_list("service").annotate(Count("pk")))


def earlier_of(processes: Iterable[Process], now: datetime) -> dict[int, str]:
    """In how many ends of its service the job of each was running, as a sentence, by the process's id.

    Absent where no job was running, or its end is the only one. One query; none where no job is known.
    """
    jobs = {row.pk: job for row in processes if (job := _job(row)) is not None}
    if not jobs:
        return {}
    counts = _counts({service for service, _kind, _name in jobs.values()}, now)
    totals: dict[int, int] = {}
    for (service, _kind, _name), count in counts.items():
        totals[service] = totals.get(service, 0) + count
    return {
        pk: f"`{job[2]}` was running in {counts[job]} of {totals[job[0]]} deaths of the last week"
        for pk, job in jobs.items()
        if job in counts and totals[job[0]] > 1
    }


def earlier(process: Process, now: datetime) -> str:
    """The same of one; empty where there is nothing to say."""
    return earlier_of([process], now).get(process.pk, "")


def _job(process: Process) -> _Job | None:
    job = process.end_evidence.get("job")
    return (process.service_id, job["kind"], job["name"]) if job else None


def _counts(services: set[int], now: datetime) -> dict[_Job, int]:
    rows = Process.objects.filter(
        service__in=services, end_reason__in=_COMPARED, ended_at__gt=now - WEEK, ended_at__lte=now
    ).order_by()
    named = rows.values_list("service", "end_evidence__job__kind", "end_evidence__job__name")
    return {(service, kind or "", name or ""): count for service, kind, name, count in named.annotate(Count("pk"))}
