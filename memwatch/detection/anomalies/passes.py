"""One pass over all processes: what is remembered of each afterwards, and what is unusual."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from memwatch.detection.anomalies.consensus import LONGEST_GAP, SIBLINGS, Memory, Rule, began, holding, look
from memwatch.detection.anomalies.siblings import Member, Unlike, compare, ratios


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A process or a service that is unusual, on several figures and for some time."""

    id: int
    since: float
    """Seconds since the epoch."""
    figures: Mapping[str, Unlike]
    """Those that hold, the most unlike first."""
    score: float


@dataclasses.dataclass(frozen=True, slots=True)
class Passed:
    """The result of a pass."""

    memories: Mapping[int, Memory]
    """Of those that are not usual now, or were not a while ago."""
    findings: Mapping[int, Finding]
    """Anomalies that began or go on: an anomaly without a finding is over once its memory is no longer ``told``."""


def siblings_pass(members: Sequence[Member], memories: Mapping[int, Memory], now: float) -> Passed:
    """Compare every process with its siblings."""
    return step(compare(members), memories, now, SIBLINGS)


def step(seen: Mapping[int, Mapping[str, Unlike]], memories: Mapping[int, Memory], now: float, rule: Rule) -> Passed:
    """What is known after this look. A subject that was not seen keeps what is remembered of it, for a while."""
    kept: dict[int, Memory] = {}
    findings: dict[int, Finding] = {}
    for pk, unlike in seen.items():
        before = memories.get(pk)
        if before is None and not any(each.ratio > rule.over / 2 for each in unlike.values()):
            continue
        memory = look(before, now, ratios(unlike), rule)
        if memory.is_usual:
            continue
        kept[pk] = memory
        held = sorted((name for name in holding(memory, rule) if name in unlike), key=lambda name: -memory.means[name])
        if held:
            findings[pk] = Finding(pk, began(memory), {name: unlike[name] for name in held}, memory.score)
    longest = LONGEST_GAP * rule.half_life_s
    kept |= {pk: memory for pk, memory in memories.items() if pk not in seen and now - memory.at <= longest}
    return Passed(kept, findings)
