"""What a decision about recycling looks at, and what it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

OFF, REHEARSE, ACT = "off", "rehearse", "act"
LIMIT, LEAK, EITHER, BOTH = "limit", "leak", "either", "both"
"""What has to be met: the soft limit, an open leak, one of the two, or both."""

OFF_BY_SETTING, MODE_OFF, STOPPED, PENDING, DEPLOYING = (
    "off_by_setting",
    "mode_off",
    "stopped",
    "pending",
    "deploying",
)
NOTHING_DUE, NOTHING_TO_GAIN, TOO_YOUNG, LAST_WORKER, TOO_SOON = (
    "nothing_due", "nothing_to_gain", "too_young", "last_worker", "too_soon",
)  # fmt: skip
GUARDS = (
    OFF_BY_SETTING, MODE_OFF, STOPPED, PENDING, DEPLOYING, NOTHING_DUE, NOTHING_TO_GAIN, TOO_YOUNG, LAST_WORKER,
    TOO_SOON,
)  # fmt: skip
"""Why nothing is recycled."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The policy of one service."""

    mode: str = OFF
    when: str = LIMIT
    limit_mb: float | None = None
    """Soft limit of private memory."""
    limit_percent: float | None = None
    """The same in percent of what the process may grow to."""
    checks: int = 3
    """So many in a row, before a worker is due."""
    interval_s: float = 900.0
    """Between two workers of the service."""
    stopped: str = ""
    """Why it has stopped itself; empty while it has not."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """One process of the service that does its work."""

    id: int
    name: str
    program: str = ""
    """What it runs: a beat does not stand in for a web worker."""
    age_s: float
    private_mb: float | None = None
    """Memory that it shares with no other process, which is what its end gives back; ``None``: not measured."""
    first_private_mb: float | None = None
    """The same when it was young: what its successor will start with."""
    limit_mb: float | None = None
    """What it may grow to."""
    leaks: bool = False
    """Whether a leak of it, or of its whole service, is open."""
    healthy: bool = True
    """Whether it is heard of, and does nothing but its work: it is neither being recorded nor about to end."""
    recyclable: bool = True
    """Whether there is a way to end it: it is no parent of others, and it has an agent."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """An earlier recycle of the service, or, while it rehearses, one that it would have made."""

    at: datetime
    worker: int
    done: bool = True
    """Whether the worker ended so."""
    before_mb: float | None = None
    gained_mb: float | None = None
    """Private memory of the worker less that of its successor; ``None``: not measured yet."""
    grew_back: bool = False
    """Whether the successor was due again before it was as old as the interval."""
    replaced: bool = True
    """Whether a process has taken its place."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """All that counts for one service at one time."""

    now: datetime
    rules: Rules
    workers: Sequence[Worker] = ()
    over: Mapping[int, int] = dataclasses.field(default_factory=dict)
    """For how many checks in a row each worker has been over, before this one."""
    history: Sequence[Past] = ()
    """The newest first."""
    pending: bool = False
    """Whether a recycle of the service is under way, or the successor of the last one is not there yet."""
    deployed_s: float | None = None
    """Seconds since the newest release began; ``None``: it has always been this one."""
    allowed: bool = True
    """The switch for all services."""
    jitter: float = 0.0
    """From 0 to 1: spreads services that began together."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do now, and why."""

    worker: int | None = None
    """The one to recycle; ``None``: none."""
    why: str
    """In a sentence."""
    because: str = ""
    """``limit``, ``leak`` or ``both``, where one is recycled."""
    guard: str = ""
    """One of :data:`GUARDS`, where none is."""
    over: Mapping[int, int] = dataclasses.field(default_factory=dict)
    """As in the situation, with this check."""
    grew_back: Sequence[int] = ()
    """Workers that were due before they were as old as the interval."""
