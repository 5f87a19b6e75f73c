"""Runs the detectors over a fleet as the worker would, and holds what they say against the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.anomalies.world import BEGIN, DAY, HOUR_PASSES, PASS_S, Injected, Seen
from memwatch.detection.anomalies import weekly
from memwatch.detection.anomalies.consensus import WEEKLY, Memory
from memwatch.detection.anomalies.figures import Values
from memwatch.detection.anomalies.passes import siblings_pass, step
from memwatch.detection.anomalies.siblings import Member

LATE = DAY // 6
"""What is said so long after it ended still belongs to it."""


@dataclasses.dataclass
class Said:
    """Something that was called unusual."""

    slot: int | None
    begin: int
    end: int
    figures: tuple[str, ...] = ()

    def belongs_to(self, truth: Injected) -> bool:
        """Whether it is about that."""
        same = self.slot == truth.slot
        return same and self.begin < truth.begin + truth.length + LATE and self.end >= truth.begin


@dataclasses.dataclass
class Score:
    """What was right and what was not."""

    found: list[Injected] = dataclasses.field(default_factory=list)
    missed: list[Injected] = dataclasses.field(default_factory=list)
    right: int = 0
    false: list[Said] = dataclasses.field(default_factory=list)

    def add(self, truths: Sequence[Injected], said: Sequence[Said]) -> None:
        for truth in truths:
            (self.found if any(each.belongs_to(truth) for each in said) else self.missed).append(truth)
        for each in said:
            if any(each.belongs_to(truth) for truth in truths):
                self.right += 1
            else:
                self.false.append(each)

    @property
    def recall(self) -> float:
        return len(self.found) / max(1, len(self.found) + len(self.missed))

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + len(self.false))


class Ledger:
    """What is said, from its first pass to its last."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._open: dict[int, Said] = {}

    def take(self, now: int, findings: Iterable[tuple[int, int | None, tuple[str, ...]]], told: set[int]) -> None:
        """``told``: the subjects whose anomaly is not over."""
        for subject, slot, figures in findings:
            if subject not in self._open:
                self._open[subject] = Said(slot, now, now, figures)
                self.said.append(self._open[subject])
            self._open[subject].end = now
        self._open = {subject: each for subject, each in self._open.items() if subject in told}


class Detectors:
    """Both, over the passes of one fleet."""

    def __init__(self) -> None:
        self.ledger, self.weekly_ledger = Ledger(), Ledger()
        self._memories: dict[int, Memory] = {}
        self._hours: dict[int, weekly.Hour] = {}
        self._weekly: dict[int, Memory] = {}
        self._passes: dict[int, list[Seen]] = {}

    def take(self, now: int, seen: Sequence[Seen]) -> None:
        """A pass, and with each hour's last one the hour."""
        members = [Member(each.id, each.release, each.age_s, each.values, each.jobs) for each in seen]
        passed = siblings_pass(members, self._memories, BEGIN + now * PASS_S)
        self._memories = dict(passed.memories)
        slots = {each.id: each.slot for each in seen}
        told = {pk for pk, memory in self._memories.items() if memory.told}
        findings = ((pk, slots[pk], tuple(found.figures)) for pk, found in passed.findings.items())
        self.ledger.take(now, findings, told)
        for each in seen:
            self._passes.setdefault(each.id, []).append(each)
        if now % HOUR_PASSES == HOUR_PASSES - 1:
            self._take_hour(now)

    @property
    def said(self) -> list[Said]:
        """All of both."""
        return [*self.ledger.said, *self.weekly_ledger.said]

    def _take_hour(self, now: int) -> None:
        number = int((BEGIN + now * PASS_S) // 3600)
        settled = [own for own in self._passes.values() if own[0].age_s >= weekly.SETTLED_S]
        self._passes = {}
        if not settled:
            return
        age_s = median(own[0].age_s for own in settled)
        values = weekly.of_workers(_mean(own) for own in settled)
        hour = weekly.with_differences(number, values, age_s, self._hours)
        memory = self._weekly.get(0)
        since = min(memory.since.values()) // 3600 if memory and memory.told and memory.since else None
        unlike = weekly.judge(hour, self._hours, unusual_since=None if since is None else int(since))
        self._hours[number] = hour
        if unlike is None:
            return
        passed = step({0: unlike}, self._weekly, (number + 1) * 3600.0, WEEKLY)
        self._weekly = dict(passed.memories)
        findings = ((0, None, tuple(found.figures)) for found in passed.findings.values())
        self.weekly_ledger.take(now, findings, {pk for pk, memory in self._weekly.items() if memory.told})


def _mean(own: Sequence[Seen]) -> Values:
    names = {name for each in own for name in each.values}
    found = {}
    for name in names:
        values = [each.values[name] for each in own if name in each.values]
        found[name] = sum(values) / len(values)
    return found
