"""Consensus: what is remembered of a process or a service from pass to pass, and when that is enough to be said.

A figure holds when it has been unusual on average for a while. Several figures of different aspects have to hold, or
one that is far from usual, and longer. What is remembered is a few numbers as JSON; of what is usual, nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

from memwatch.detection.anomalies.figures import WATCHED

MOST = 4.0
"""A ratio counts up to this, so that one wild figure does not outlast an hour."""
LONGEST_GAP = 12.0
"""Half-lives without a look after which nothing is remembered."""
FORGOTTEN = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """When enough is known."""

    half_life_s: float
    """Of what is remembered."""
    hold: float = 1.0
    """Mean ratio from which a figure holds."""
    aspects: int = 2
    """That have to hold."""
    for_s: float = 3_600.0
    """For so long."""
    alone: float = 3.5
    """Mean ratio from which one figure is enough by itself."""
    alone_for_s: float = 3 * 3_600.0
    over: float = 0.6
    """An anomaly ends when no figure has more."""


SIBLINGS = Rule(half_life_s=2_700.0, for_s=5_400.0, alone_for_s=4 * 3_600.0)
WEEKLY = Rule(half_life_s=5_400.0, for_s=2 * 3_600.0, alone_for_s=4 * 3_600.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one subject."""

    at: float
    """Seconds since the epoch of the last look."""
    means: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Mean ratio by figure, recent looks counting most."""
    since: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Since when each figure that is above usual has been so."""
    told: bool = False
    """Whether it has been said, and is not over."""

    def to_json(self) -> dict[str, Any]:
        means = {name: round(value, 3) for name, value in self.means.items()}
        return {"at": self.at, "means": means, "since": dict(self.since), "told": self.told}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Memory:
        """What was kept; names of figures that are no longer watched are dropped."""
        means = {str(name): float(value) for name, value in stored.get("means", {}).items() if name in WATCHED}
        since = {str(name): float(value) for name, value in stored.get("since", {}).items() if name in means}
        return cls(float(stored["at"]), means, since, bool(stored.get("told")))

    @property
    def is_usual(self) -> bool:
        """Whether nothing is left to remember."""
        return not self.means and not self.told

    @property
    def score(self) -> float:
        """0 where all is usual, 100 at four times what is still usual."""
        return 100 * min(1.0, max(self.means.values(), default=0.0) / MOST)


def look(memory: Memory | None, now: float, ratios: Mapping[str, float], rule: Rule) -> Memory:
    """What is remembered after one more look. A look at a time that is past changes nothing.

    After long without data (9 hours of a process, 18 of a service) nothing is remembered, nor where the clock was set
    back.
    """
    gap = 0.0 if memory is None else now - memory.at
    if memory is None or gap > LONGEST_GAP * rule.half_life_s or gap < -rule.half_life_s:
        memory = Memory(at=now - rule.half_life_s / 4)
    if now <= memory.at:
        return memory
    kept = 0.5 ** ((now - memory.at) / rule.half_life_s)
    means, since = {}, {}
    for name in {**memory.means, **ratios}:
        mean = kept * memory.means.get(name, 0.0) + (1 - kept) * min(MOST, max(0.0, ratios.get(name, 0.0)))
        if mean >= FORGOTTEN:
            means[name] = mean
            if mean >= rule.over * rule.hold:
                since[name] = memory.since.get(name, now)
    memory = Memory(now, means, since, memory.told)
    if holding(memory, rule):
        return dataclasses.replace(memory, told=True)
    return memory if since else dataclasses.replace(memory, told=False)


def holding(memory: Memory, rule: Rule) -> Collection[str]:
    """The figures on which it rests that something is unusual; none while that is not sure."""
    long = [name for name, since in memory.since.items() if memory.at - since >= rule.for_s]
    hold = [name for name in long if memory.means[name] >= rule.hold]
    if len({WATCHED[name].aspect for name in hold}) >= rule.aspects:
        return hold
    return [
        name for name in hold if memory.means[name] >= rule.alone and memory.at - memory.since[name] >= rule.alone_for_s
    ]


def began(memory: Memory) -> float:
    """Since when it has been unusual: the first figure's beginning."""
    return min(memory.since.values(), default=math.nan)
