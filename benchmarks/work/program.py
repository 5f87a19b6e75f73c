"""What a program of the benchmark says of itself: its server, its names, and the truth about its leaks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.work.leak_types import ASKED, NO_TYPE, TYPES

WEB = ("sync", "gthread", "asgi")
POOLS = ("prefork", "threads", "gevent")
SERVERS = (*WEB, *POOLS)
HALVES = ("tuning", "scoring", "scoring-2", "scoring-3", "scoring-4")
INTERVALS = 240
"""Of a run: a container is judged from 1,000 entries on, which some leaks have in no process after half as many."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """One planted leak."""

    how: str
    """A key of ``TYPES``."""
    names: tuple[str, ...]
    """Whose calls leave something behind: the culprits."""
    every: int = 1
    """It leaks at every so many calls."""
    objects: tuple[int, int] = (1, 1)
    """How many at a time: between these, at random."""
    times: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """So many times as many at a call of these names."""
    spell_s: float = 0.0
    """It leaks for so many seconds, then for as many it does not, and so on."""
    taken_by: str = ""
    """A name whose calls take one object of a queue back each, and never all."""

    @property
    def types(self) -> str:
        """A regular expression."""
        return TYPES[self.how]

    @property
    def asked(self) -> str:
        """See ``ASKED``."""
        return ASKED[self.how]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One load on the generated site."""

    name: str
    half: str
    """``tuning``: rules are looked at with it; ``scoring``: they are not; ``scoring-2`` and later: neither, and
    whoever wrote them had not read the rules."""
    server: str
    names: Mapping[str, float]
    """Of views or tasks, by how often they are called."""
    leaks: tuple[Leak, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    """Names that are always called one after the other: the weight of the first counts for all of them."""
    ticking: str = ""
    """``thread`` or ``timer`` keeps an object ten times a second, ``scheduler`` forty of them every four seconds,
    ``irregular`` up to nine of them by chance; ``import`` eighty a second, and after a hundred seconds no more.
    ``sampler`` keeps twelve a second in a thread, ``loop`` ten in an event loop of its own, ``clock`` forty texts by a
    timer; ``cron`` is a scheduler of three jobs, which keep some each second, many each fifth, and most every twenty
    seconds. ``patrol`` is three threads that keep 15, 40 and 70 each third, seventh and eleventh second; a
    ``wanderer`` keeps 2 to 60 a second, and more or fewer from one half second to the next. ``beats`` are five each 400
    milliseconds, the ``profiler`` keeps four frames each 250, and a timer keeps seventy ``leases`` each six seconds."""
    every_job: str = ""
    """What keeps something at every job, so that all names leak alike and no single one is the cause: ``handler`` of
    the signal before it, ``postrun`` of the one after it, a ``middleware``, the ``base`` class of all tasks, a handler
    of log ``records``, a ``recorder`` that writes jobs down in a thread some seconds later, or a wrapper of queries
    that keeps ``statements``; ``breadcrumbs`` of each thread that are never cleared."""
    harmless: tuple[str, ...] = ()
    """Of the site's ``HARMLESS``, ``BOUNDED``, ``EXPIRING`` and ``TEMPORARY``: they grow for a while, or come and
    go."""
    per_second: float = 30.0
    """Visits: a group that is called together is one."""
    waves: bool = False
    """Visits come and go with a period of twenty seconds, so that all names rise and fall at once."""
    steady: bool = False
    """Visits come one after the other at the same pace and in the same turn: no name's calls vary."""
    bursts: bool = False
    """Some seconds of many visits, then some of few, by chance."""
    ramp: bool = False
    """Visits become more and more, from a few at the begin to many times as many at the end of a run."""
    moves: int = 0
    """After so many visits of a visitor, each name is called as often as the one before it was until then."""
    seasons: int = 0
    """For so many visits of a visitor only the first, third, fifth, … group is chosen, then only the others."""
    pauses: bool = False
    """Of each 45 seconds, hardly anything is visited in the last 15."""
    in_a_row: int = 1
    """So many visits to what is chosen, before the next is chosen."""
    slow: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Seconds that calls of these names take longer than others."""
    streaming: tuple[str, ...] = ()
    """Views that answer in pieces: they do their job, and leak, while the pieces are sent."""
    nested: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Tasks that call another task within themselves, and wait for it."""
    processes: int = 2
    """Workers of a server, children of a pool."""

    @property
    def kind(self) -> str:
        """As memwatch calls its jobs."""
        return "view" if self.server in WEB else "task"

    @property
    def visits(self) -> list[tuple[tuple[str, ...], float]]:
        """What is called at once, and how often."""
        grouped = {name: group for group in self.together for name in group}
        firsts = {group[0] for group in self.together}
        return [
            (grouped.get(name, (name,)), weight)
            for name, weight in self.names.items()
            if name not in grouped or name in firsts
        ]

    @property
    def of_no_name(self) -> str:
        """A regular expression for the types of what no single name leaves behind."""
        by_the_process = TYPES.get(self.ticking, TYPES["ticks"]) if self.ticking else NO_TYPE
        return f"{by_the_process}|{TYPES[self.every_job] if self.every_job else NO_TYPE}"

    def inseparable(self, name: str) -> frozenset[str]:
        """The names that no count of calls can tell from this one."""
        return frozenset(next((group for group in self.together if name in group), (name,)))

    def for_the_site(self) -> str:
        """What the site reads, as JSON."""
        wanted: dict[str, Any] = {
            "server": self.server, "names": list(self.names), "ticking": self.ticking, "harmless": self.harmless,
            "every_job": self.every_job, "slow": dict(self.slow),
            "streaming": self.streaming, "nested": dict(self.nested),
            "leaks": [dataclasses.asdict(leak) for leak in self.leaks],
        }  # fmt: skip
        return json.dumps(wanted)


def zipf(names: Sequence[str], exponent: float = 1.0) -> dict[str, float]:
    """The first is called most."""
    return {name: 1 / rank**exponent for rank, name in enumerate(names, 1)}


def evenly(names: Sequence[str]) -> dict[str, float]:
    """All are called as often."""
    return dict.fromkeys(names, 1.0)


def leaning(names: Sequence[str], shares: Mapping[str, float]) -> dict[str, float]:
    """These shares of all calls for some of them, and the rest for the others, evenly."""
    rest = (1 - sum(shares.values())) / (len(names) - len(shares))
    return {name: shares.get(name, rest) for name in names}
