"""The processes of a container: which have an agent, what the others are called, what they take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from memwatch.records import MB
from memwatch.records.surroundings import MAX_LARGEST, MAX_PROCESS_NAME, MAX_WATCHED, Neighbour
from memwatch.sampling.identity import arguments_of
from memwatch.sampling.parent_process import program_of_parent
from memwatch.sampling.procmem import ProcessMemory, read_bytes
from memwatch.sampling.type_names import clean

BUDGET_S = 0.02
"""CPU that one look may take."""
PSS_S_PER_MB = 30e-6
"""What reading the PSS of a process takes, for each resident MB."""
PSS_LASTS, SAME_SIZE = 10, 0.05
"""PSS is read again after so many looks, or when resident memory has changed by more than this share."""
LOOKS_BETWEEN = 8
"""A process without an agent may get one: it is asked again after one look, then two, four, and so many at most."""


_UNREAD = (None, -1, 0.0)


class Seen(NamedTuple):
    """A process as ``/proc`` shows it."""

    pid: int
    started: int
    """Ticks since the machine started."""
    name: str
    parent: int
    rss_mb: float

    @property
    def age_rank(self) -> tuple[int, int]:
        """The least is the eldest."""
        return self.started, self.pid


class Scan(NamedTuple):
    """What one look found: attributes of :class:`memwatch.records.surroundings.Surroundings`."""

    complete: bool
    watched: int
    watched_mb: float | None
    watched_pids: tuple[int, ...]
    unwatched: int
    unwatched_mb: float | None
    largest: tuple[Neighbour, ...]
    hidden: int


class Budget:
    """CPU time of this thread since it was made."""

    def __init__(self, seconds: float = BUDGET_S, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._until = clock() + seconds

    @property
    def left_s(self) -> float:
        """Seconds; below 0 when it is used up."""
        return self._until - self._clock()


def see(pid: int, proc: str = "/proc") -> Seen | None:
    """The process; ``None`` when it has ended."""
    before, bracket, after = (read_bytes(f"{proc}/{pid}/stat") or b"").rpartition(b")")
    fields = after.split()
    try:
        if not bracket or fields[0] in (b"Z", b"X"):
            return None
        name = clean(before.partition(b"(")[2].decode("utf-8", "replace"))[:MAX_PROCESS_NAME]
        rss_mb = max(0, int(fields[21])) * os.sysconf("SC_PAGE_SIZE") / MB
        return Seen(pid, int(fields[19]), name or "?", int(fields[1]), rss_mb)
    except (IndexError, ValueError):
        return None


class Processes:
    """Looks at the processes of a container again and again, and remembers what is dear to find out."""

    def __init__(self, has_agent: Callable[[int], bool], *, proc: str = "/proc") -> None:
        self._has_agent = has_agent
        self._proc = proc
        self._looks = 0
        self._agents: dict[tuple[int, int], tuple[bool, int, int]] = {}
        """Whether it has an agent, at which look to ask again, and after how many more then; by start and pid."""
        self._pss: dict[tuple[int, int], tuple[float | None, int, float]] = {}
        """PSS, the look at which it was read, and what was resident then."""

    def elder(self, pids: Sequence[int], own: Seen, budget: Budget) -> Seen | None:
        """One that has an agent and is older than ``own``; ``None`` where there is none, or the budget is used up."""
        self._looks += 1
        for seen in self._each(pids, budget):
            if seen.age_rank < own.age_rank and self._watched(seen):
                return seen
        return None

    def lives(self, process: Seen) -> bool:
        """Whether it is still there."""
        now = see(process.pid, self._proc)
        return now is not None and now.started == process.started

    def look(self, pids: Sequence[int], budget: Budget) -> Scan:
        """All of them, as far as the budget goes. Comes after :meth:`elder`."""
        hidden = sum(pid == 0 for pid in pids)
        seen = list(self._each(pids, budget))
        complete = budget.left_s > 0
        watched, others = self._sorted(seen, budget)
        self._forget({each.age_rank for each in seen})
        self._read_pss(sorted(seen, key=lambda each: -each.rss_mb), budget)
        others.sort(key=lambda each: -self._mb(each))
        return Scan(
            complete=complete,
            watched=len(watched),
            watched_mb=sum(map(self._mb, watched)) if watched else None,
            watched_pids=tuple([each.pid for each in watched[:MAX_WATCHED]]),
            unwatched=len(others),
            unwatched_mb=sum(map(self._mb, others)) if complete else None,
            largest=tuple(
                [
                    Neighbour(each.pid, each.name, round(each.rss_mb, 1), self._known_pss(each))
                    for each in others[:MAX_LARGEST]
                ]
            ),
            hidden=hidden,
        )

    def _each(self, pids: Sequence[int], budget: Budget) -> Iterator[Seen]:
        for pid in pids:
            if budget.left_s <= 0:
                return
            seen = see(pid, self._proc) if pid else None
            if seen is not None:
                yield seen

    def _watched(self, seen: Seen) -> bool:
        known, ask_at, gap = self._agents.get(seen.age_rank, (False, 0, 1))
        if not known and self._looks >= ask_at:
            known = self._has_agent(seen.pid)
            self._agents[seen.age_rank] = (known, self._looks + gap, min(2 * gap, LOOKS_BETWEEN))
        return known

    def _sorted(self, seen: Sequence[Seen], budget: Budget) -> tuple[list[Seen], list[Seen]]:
        """Those that are watched, also from outside, and the others. Not asked any more when the budget is used up."""
        watched = {each.pid for each in seen if budget.left_s > 0 and self._watched(each)}
        parents = {each.parent for each in seen if each.pid in watched} - watched
        watched |= {each.pid for each in seen if each.pid in parents and self._is_master(each)}
        return [each for each in seen if each.pid in watched], [each for each in seen if each.pid not in watched]

    def _is_master(self, seen: Seen) -> bool:
        return program_of_parent(arguments_of(seen.pid)) is not None

    def _read_pss(self, largest_first: Sequence[Seen], budget: Budget) -> None:
        """Those that were read longest ago come first. One that would take too long is never read."""
        stale = [each for each in largest_first if self._is_stale(each)]
        for each in sorted(stale, key=lambda each: self._pss.get(each.age_rank, _UNREAD)[1]):
            takes_s = each.rss_mb * PSS_S_PER_MB
            if takes_s < min(budget.left_s, BUDGET_S):
                pss = ProcessMemory(f"{self._proc}/{each.pid}").shared().pss_mb
                self._pss[each.age_rank] = (pss, self._looks, each.rss_mb)

    def _is_stale(self, seen: Seen) -> bool:
        _pss, look, rss_mb = self._pss.get(seen.age_rank, _UNREAD)
        return look < 0 or self._looks - look >= PSS_LASTS or abs(seen.rss_mb - rss_mb) > SAME_SIZE * rss_mb

    def _known_pss(self, seen: Seen) -> float | None:
        pss = self._pss.get(seen.age_rank, _UNREAD)[0]
        return None if pss is None else round(pss, 1)

    def _mb(self, seen: Seen) -> float:
        """PSS, else resident memory without files."""
        pss = self._known_pss(seen)
        if pss is not None:
            return pss
        pages = (read_bytes(f"{self._proc}/{seen.pid}/statm") or b"").split()[2:3]
        shared = int(pages[0]) * os.sysconf("SC_PAGE_SIZE") / MB if pages and pages[0].isdigit() else 0.0
        return max(seen.rss_mb - shared, 0.0)

    def _forget(self, living: set[tuple[int, int]]) -> None:
        for known in (self._agents, self._pss):
            for key in known.keys() - living:
                del known[key]
