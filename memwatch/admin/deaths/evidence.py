"""What is stored of the end of a process, as values. What is missing is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from memwatch.records import traces


class Job(NamedTuple):
    """A job that was running at the end, or one that had ended before."""

    kind: str
    name: str
    seconds: float | None = None
    """How long it had run."""
    limit_s: float | None = None
    span: str = ""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        get = stored.get
        return cls(stored["kind"], stored["name"], get("seconds"), get("limit_s"), traces.checked(get("span")))


class Evidence:
    """``Process.end_evidence``, which :mod:`memwatch.services.deaths` writes."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        get = stored.get
        self.known = bool(stored)
        self.sentence: str = get("sentence") or ""
        self.certain = bool(get("certain"))
        self.recorded = bool(get("recorded"))
        """Whether its flight record was found. Without one it is not known whether a job was running."""
        self.signal: str = get("signal") or ""
        self.status: int | None = get("status")
        self.status_from: str = get("status_from") or ""
        self.noticed_by: str = get("noticed_by") or ""
        job = get("job")
        self.job = Job.of(job) if job else None
        self.jobs: Sequence[Job] = [Job.of(each) for each in get("jobs") or ()] or ([self.job] if self.job else [])
        self.recent: Sequence[tuple[Job, float | None]] = [
            (Job(kind, name, seconds), before) for kind, name, seconds, before in get("recent") or ()
        ]
        """With the seconds between its end and that of the process, the last first."""
        self.rss_mb: float | None = get("rss_mb")
        self.peak_mb: float | None = get("peak_mb")
        self.limit_mb: float | None = get("limit_mb")
        self.limit_source: str = get("limit_source") or ""
        self.container_mb: float | None = get("container_mb")
        self.container_limit_mb: float | None = get("container_limit_mb")
        self.rss_seconds: Sequence[tuple[float, float]] = sorted(
            ((before, mb) for before, mb in get("rss_seconds") or ()), reverse=True
        )
        """Seconds before the end, and MB of resident memory; the oldest first."""
        self.growers: Sequence[tuple[str, int]] = get("growers") or ()
        self.summary: Sequence[tuple[str, int, float | None]] = get("summary") or ()
        self.summary_before_s: float | None = get("summary_seconds_before_end")
        self.oom: Mapping[str, int | None] = get("oom") or {}
        self.kernel_line: str = get("kernel_line") or ""

    @property
    def limit_percent(self) -> float | None:
        """Resident memory at the end, of its limit."""
        return self.rss_mb / self.limit_mb * 100 if self.rss_mb is not None and self.limit_mb else None
