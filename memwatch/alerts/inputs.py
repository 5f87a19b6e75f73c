"""What the rules look at, and what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from memwatch.thresholds import HOLD, Hold

LEVELS = ("_warning", "_critical")
LIMIT_WORDS = {
    "setting": "HEAP_LIMIT_MB",
    "cgroup": "container limit",
    "rlimit": "the process's own limit",
    "host": "the host's memory",
}
"""Limits by where they come from, in words."""


def episode_of(alert_type: str, subject: str) -> str:
    """What counts as one episode: a warning that becomes critical continues it at a higher severity."""
    for level in LEVELS:
        alert_type = alert_type.removesuffix(level)
    return f"{alert_type} {subject}"


def leak_subject(service_id: int, kind: str, object_type: str) -> str:
    """What the alert of a leak is about: the same type in all processes of a service is one cause."""
    return f"leak:{service_id}:{kind}:{object_type}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ProcessView:
    """One alive process as the rules see it. What is not known is ``None``."""

    id: int
    service_id: int
    service: str
    host: str
    slot: str
    """E.g. ``web-1``."""
    age_s: float
    """Seconds since the process started."""
    heap_used_mb: float | None = None
    heap_size_mb: float | None = None
    heap_limit_source: str | None = None
    cgroup_used_mb: float | None = None
    cgroup_limit_mb: float | None = None
    rss_mb: float | None = None
    container_says: str = ""
    """What most of its container's memory is, in a sentence; empty where that is not known."""
    drift_percent: float | None = None
    """Heap used now against the baseline."""
    floors_mb: tuple[float | None, ...] = ()
    """The lowest memory of successive stretches of ``stretch_s`` seconds, oldest first, the last one ending now."""
    stretch_s: float = 900.0
    gc_rate: float | None = None
    """Collections of generations 1 and 2 a second over the last minutes."""
    gc_average: float | None = None
    """Collections a second over the hours before."""

    @property
    def name(self) -> str:
        return f"{self.slot} on {self.host}"

    @property
    def heap_percent(self) -> float | None:
        """Heap used in percent of what it may grow to."""
        if self.heap_used_mb is None or not self.heap_size_mb:
            return None
        return self.heap_used_mb / self.heap_size_mb * 100


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LeakView:
    """One active leak."""

    id: int
    kind: str
    service_id: int
    service: str
    process_id: int | None
    host: str | None
    slot: str | None
    object_type: str
    severity: str
    sentence: str
    growth_count: int
    growth_percent: float
    work: str = ""
    """Which views, tasks or commands make it grow, in a sentence; empty while none is named."""
    time_to_exhaustion_s: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A process in which a call took much memory. It may have ended since."""

    id: int
    name: str
    """E.g. ``web-1 on a``."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class JobView:
    """What the calls of one view, task or command of a service took at their peaks within the last hour."""

    service_id: int
    service: str
    kind: str
    name: str
    rise_mb: float
    """The most that resident memory rose during a call."""
    rise_in: Place | None = None
    rise_trace: str = ""
    """Id of the trace of that call, where jobs are linked with traces."""
    usual_mb: float | None = None
    """What such a rise hardly ever exceeds; ``None`` where too few calls were measured."""
    peak_mb: float = 0.0
    """The highest resident memory of a process during a call."""
    peak_in: Place | None = None
    limit_mb: float | None = None
    """What that process may grow to."""
    limit_source: str | None = None
    container_mb: float | None = None
    """That peak and what the others in its container use."""
    container_limit_mb: float | None = None

    @property
    def subject(self) -> str:
        return f"work:{self.service_id}:{self.kind}:{self.name}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DeathsView:
    """The processes of a service that were killed or crashed within the last hour, the last one lately."""

    service_id: int
    service: str
    in_hour: int
    reasons: Mapping[str, int]
    """How many, by reason."""
    last: Place
    """The one that ended last."""
    reason: str
    """Why that one ended."""
    sentence: str
    """The same in words."""

    @property
    def subject(self) -> str:
        return f"deaths:{self.service_id}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RecyclingView:
    """A policy that has stopped recycling the workers of its service."""

    service_id: int
    service: str
    reason: str
    """One of ``memwatch.detection.recycling.REASONS``."""
    why: str

    @property
    def subject(self) -> str:
        return f"recycling:{self.service_id}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseView:
    """A release that runs, and that was compared with the one before it."""

    id: int
    service_id: int
    service: str
    name: str
    before: str
    """The name of the release before."""
    figures: Mapping[str, Mapping[str, Any]]
    """The verdict on each figure, as it is stored."""
    says: str
    """What it changed, in a sentence without its subject."""

    @property
    def subject(self) -> str:
        return f"release:{self.id}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """All that is judged in one run."""

    processes: tuple[ProcessView, ...] = ()
    leaks: tuple[LeakView, ...] = ()
    jobs: tuple[JobView, ...] = ()
    deaths: tuple[DeathsView, ...] = ()
    recycling: tuple[RecyclingView, ...] = ()
    releases: tuple[ReleaseView, ...] = ()
    """Those whose news are of the last day."""
    raised: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    """Severity of each alert that is raised now, by (type, subject)."""

    def hold(self, subject: str) -> Hold:
        """What the thresholds for this subject are multiplied with."""
        return lambda alert_type: HOLD if (alert_type, subject) in self.raised else 1.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A threshold that is crossed now."""

    type: str
    """One of ``Alert.Type``."""
    subject: str
    """What it is about: with the type, the identity of the alert."""
    severity: str
    message: str
    value: float
    threshold: float | None
    service_id: int
    process_id: int | None = None
    leak_id: int | None = None
    """The worst of ``leak_ids``."""
    leak_ids: tuple[int, ...] = ()
    """Every leak of this cause."""
    processes: int | None = None
    """How many processes a leak is in; ``None`` for a leak of the whole service, and where it is none."""

    @property
    def key(self) -> tuple[str, str]:
        return self.type, self.subject

    @property
    def episode(self) -> str:
        return episode_of(self.type, self.subject)
