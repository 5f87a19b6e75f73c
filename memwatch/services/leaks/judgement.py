"""The verdicts of one run of detection on one process, or on one service whose workers are recycled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from memwatch.detection import Verdict
from memwatch.models import Process, Service

Key = tuple[str, str]
"""Kind and object type: with the process (or the service), the identity of a leak."""

Owner = tuple[int, int | None]
"""Service and process by id, ``None`` for the whole service."""

Verdicts = Mapping[Key, Verdict]

WINDOWS = ("hour", "day", "week", "lives")
"""From narrow to wide. Lives are those of a service's recycled workers; no process is judged by them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What one run of detection has to say of one process or service."""

    service: Service
    process: Process | None = None
    """``None``: of the whole service."""
    now: datetime
    verdicts: Mapping[str, Verdicts]
    """By window, for the windows that were judged in this run."""
    reported: frozenset[str] = frozenset()
    """Types with a count in the series. Of others, nothing is known."""
    few_points: bool = False
    """Too few for a first verdict; enough for a leak that the service is known for."""
    known: frozenset[Key] = frozenset()
    """Leaks that the service's processes had before."""
    covered: frozenset[Key] = frozenset()
    """Leaks of the whole service that this process is an example of: it gets no row of its own for them."""
    in_step: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    """By type of a leak that is not over, the leaking types whose counts move as its own do."""
    hold: timedelta = timedelta(hours=1)
    """How long a leak found in the raw snapshots (or in lives) must not grow before it is resolved."""
    min_growth_count: int = 100

    @property
    def owner(self) -> Owner:
        """Whose leaks these are."""
        return self.service.pk, None if self.process is None else self.process.pk

    def leaking(self) -> set[Key]:
        """What leaks in one window at least."""
        return {key for found in self.verdicts.values() for key, verdict in found.items() if verdict.is_leak}

    def worst(self, key: Key, up_to: str = WINDOWS[-1]) -> Verdict | None:
        """The leak verdict of the narrowest window that has one, ``up_to`` that window."""
        for window in WINDOWS[: WINDOWS.index(up_to) + 1]:
            verdict = self.verdicts.get(window, {}).get(key)
            if verdict is not None and verdict.is_leak:
                return verdict
        return None

    def holder_of(self, key: Key) -> str | None:
        """The leak that this series was folded into, by its type."""
        for found in self.verdicts.values():
            for (_kind, name), verdict in found.items():
                if verdict.is_leak and key[1] in verdict.grows_with and name != key[1]:
                    return name
        return None


def by_key(verdicts: Iterable[Verdict]) -> Verdicts:
    """The first verdict with each key: leaks come first, so the worst container of untracked objects counts."""
    first: dict[Key, Verdict] = {}
    for verdict in verdicts:
        first.setdefault(verdict.key, verdict)
    return first


def window_of(verdict: Verdict) -> str:
    """The window that follows the leak from now on: few points are judged as given, and are part of the hour."""
    return verdict.window if verdict.window in WINDOWS else WINDOWS[0]
