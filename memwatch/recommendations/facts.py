"""What is known of a service: the lives of its workers, the peaks of its jobs, its limit, its settings. Sizes in MB."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from memwatch.records.server_settings import Values

CONTAINER, PROCESS, HOST = "container", "process", "host"
"""Whose the limit is: of all processes of a container, of each process, of the machine."""


class Point(NamedTuple):
    """A worker at one moment of its life."""

    age_s: float
    jobs: float
    rss_mb: float
    private_mb: float | None = None
    """USS; ``None`` where it was not read."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One worker from its start to its end, or to now."""

    started_s: float
    """Seconds since 1970."""
    lifetime_s: float
    points: tuple[Point, ...]
    """By age."""
    host: str = ""
    release: str = ""
    end_reason: str = ""
    """Empty while it is alive."""

    @property
    def jobs(self) -> float:
        """Requests or tasks that it has handled."""
        return self.points[-1].jobs if self.points else 0.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Peaks:
    """By how much resident memory rises during a job."""

    calls: int
    """Those that were measured."""
    typical_mb: float
    """95 % of the calls stay below."""
    highest_mb: float
    highest_job: str = ""
    """Which view or task it was."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A service as it was in the last week."""

    name: str
    server: str = ""
    """``gunicorn``, ``celery``, ``uvicorn``, ``uwsgi``, ``granian``, …; empty where it is none of those."""
    lives: tuple[Life, ...] = ()
    """The newest, eldest first."""
    workers: int = 0
    """Alive now below one limit: in one container, or on one host."""
    limit_mb: float | None = None
    limit_of: str = CONTAINER
    parent_mb: float = 0.0
    """Resident memory of the process that starts the workers; 0 where it is not watched."""
    others_mb: float = 0.0
    """Memory of other programs below the same limit."""
    sharers: int = 1
    """Services below the same limit, this one included: what is left is divided among them."""
    peaks: Peaks | None = None
    current: Values = dataclasses.field(default_factory=dict)
    """What the server says of its settings: :data:`memwatch.records.server_settings.DECLARED`."""
    recycled_per_day: float | None = None
    """Workers that were replaced, as counted."""
    ends: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """How many lives ended for which reason."""
