"""Which job each new object of one type was made in: asked for by a recording, while it runs.

Objects made in a job and still there at its end are among those that the collector has not looked at often: it lists
them by itself. Those that lived through two collections within the job are missed.
"""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from memwatch.agent.work.clock import Clock
from memwatch.agent.work.credit import Credit
from memwatch.agent.work.job import Job
from memwatch.records.work import UNNAMED
from memwatch.sampling.type_names import type_name

YOUNG = (0, 1)
"""Generations."""
MOST_OBJECTS = 50_000
"""With more young objects than that a job is not looked into."""
MOST_NAMES = 50

Made = tuple[str, str, int, int]
"""Kind, name, how many objects, in how many calls."""


class MadeIn:
    """Counts by job. A host's thread looks at the end of its job, the agent's thread reads at the end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._types: dict[int, tuple[type, bool]] = {}
        """By id, for a class may come with a hash of its own; held, so that the id stays its."""
        self._objects: Counter[tuple[str, str]] = Counter()
        self._calls: Counter[tuple[str, str]] = Counter()

    def ids(self) -> frozenset[int] | None:
        """The young objects of the type; ``None`` where there are too many young objects."""
        found: set[int] = set()
        for generation in YOUNG:
            young: list[Any] = gc.get_objects(generation)
            if len(young) > MOST_OBJECTS:
                return None
            found.update([id(each) for each in young if self._is_wanted(type(each))])
        return frozenset(found)

    def _is_wanted(self, of: type) -> bool:
        known = self._types.get(id(of))
        if known is None:
            if len(self._types) > MOST_OBJECTS:
                self._types.clear()
            known = self._types[id(of)] = (of, type_name(of) == self._name)
        return known[1]

    def ended(self, kind: str, name: str, before: frozenset[int]) -> None:
        """A job ends that began with these."""
        after = self.ids()
        if after is not None and (len(self._calls) < MOST_NAMES or (kind, name) in self._calls):
            self._objects[kind, name] += len(after - before)
            self._calls[kind, name] += 1

    def found(self) -> list[Made]:
        """What was made, most first."""
        return [
            (kind, name, count, self._calls[kind, name]) for (kind, name), count in self._objects.most_common() if count
        ]


class Search:
    """Looks for the objects of a type that jobs make, for at most a given share of the jobs' time."""

    def __init__(self, type_name: str) -> None:
        self._made_in = MadeIn(type_name)
        self._credit = Credit()

    def found(self) -> list[Made]:
        """What was made, most first."""
        return self._made_in.found()

    def job_begins(self, job: Job, drawn: float) -> None:
        """One may be looked into."""
        if self._credit.pays(drawn):
            job.read().young = self._made_in.ids()

    def job_ends(self, job: Job) -> None:
        """Look what it has made, where it is looked into."""
        read = job.readings
        if read is not None and read.young is not None:
            began = Clock.now()
            self._made_in.ended(job.kind, job.name or UNNAMED, read.young)
            self._credit.spend(2 * (Clock.now() - began))

    def earn(self, seconds: float) -> None:
        """Time that it may take from now on."""
        self._credit.earn(seconds)
