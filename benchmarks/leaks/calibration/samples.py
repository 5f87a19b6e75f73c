"""Verdicts whose answer is known: what was called a leak in generated series, streams, fleets and programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from benchmarks.leaks import lives, shapes, verdict_time
from benchmarks.leaks.days import HOUR
from benchmarks.leaks.processes import VIEWS
from benchmarks.leaks.runs import Run
from memwatch.detection import History, Verdict, detect_leaks, judge, judge_lives
from memwatch.detection.confidence.probability import features, judged_as

GIVEN_POINTS, WATCH_LENGTHS = (5, 7, 8, *shapes.POINTS), (16, 20, 30, 60, 120)
FIRST_LIVES = (3, 4, 6, 8, 12)
"""Fleets are judged from so many lives too: few lives say less."""
PROGRAM_LENGTHS, WATCHED_PROGRAM_LENGTHS = (5, 8, 12, 20, 40), (20, 40)


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict ``leak``, and whether it is one."""

    source: str
    kind: str
    """The row of the calibration."""
    features: Mapping[str, float]
    is_leak: bool
    confidence: str
    weight: float = 1.0


@dataclass(slots=True)
class Source:
    """What one benchmark has told; ``cases`` counts all that were judged, the leaking ones under ``True``."""

    name: str
    told: list[Told]
    cases: dict[bool, int]

    @classmethod
    def empty(cls, name: str) -> Source:
        return cls(name, [], {True: 0, False: 0})

    def judged(self, verdicts: Iterable[Verdict], *, leaking: bool) -> None:
        """Count a case, and keep what was called a leak in it."""
        self.cases[leaking] += 1
        for verdict in verdicts:
            if verdict.is_leak:
                self._keep(verdict.statistics, verdict.window, verdict.confidence, leaking=leaking)

    def _keep(self, statistics: Mapping[str, Any], window: str, confidence: str, *, leaking: bool) -> None:
        kind = judged_as(statistics, window)
        self.told.append(Told(self.name, kind, features(statistics, kind), leaking, confidence))

    def judged_given(self, rows: list[dict[str, Any]], *, leaking: bool) -> None:
        """The same of snapshots that a caller hands over."""
        self.cases[leaking] += 1
        for leak in detect_leaks(rows):
            self._keep(leak.evidence["statistics"], leak.evidence["window"], leak.confidence, leaking=leaking)

    def weighed(self) -> Iterator[Told]:
        """As if half of the cases leaked; each kind of verdict of this source weighs 1 in all."""
        each = {is_leak: 0.5 / count if count else 0.0 for is_leak, count in self.cases.items()}
        total: dict[str, float] = {}
        for one in self.told:
            total[one.kind] = total.get(one.kind, 0.0) + each[one.is_leak]
        for one in self.told:
            yield replace(one, weight=each[one.is_leak] / total[one.kind])


def of_shapes(half: str, seeds: int) -> Source:
    """Generated series, as a caller's snapshots and as an hour of the watch."""
    found = Source.empty("shapes")
    for noise in shapes.NOISE:
        for window, lengths in (("given", GIVEN_POINTS), ("hour", WATCH_LENGTHS)):
            for points in lengths:
                for shape, history in shapes.cases(half, points, noise, seeds):
                    found.judged(judge(history, window=window), leaking=shape.leaking)
    return found


def of_streams(half: str, seeds: int) -> Source:
    """What the watch opens, looking every minute: the verdict at each opening."""
    found = Source.empty("streams")
    for some in verdict_time.lives(half, seeds):
        for life in some:
            seen = verdict_time.watched(life, until_found=life.begin is not None)
            found.judged(_openings(seen), leaking=life.begin is not None)
    return found


def _openings(seen: Iterable[tuple[int, Verdict]]) -> Iterator[Verdict]:
    last = -HOUR - 1
    for minute, verdict in seen:
        if minute - last > HOUR:
            yield verdict
        last = minute


def of_lives(half: str, seeds: int) -> Source:
    """Fleets of recycled workers, from their first lives on."""
    found = Source.empty("fleets")
    for leaking, kinds in ((True, lives.LEAKING), (False, lives.HARMLESS)):
        for number, shape in enumerate(kinds.values()):
            for seed in range(seeds):
                fleet = lives.fleet(Random(lives.HALVES[half] + 1_000 * number + seed), shape)
                for count in (*FIRST_LIVES, len(fleet)):
                    found.judged(judge_lives(fleet[:count]), leaking=leaking)
    return found


def of_programs(half: str, runs: Iterable[Run]) -> Source:
    """Real programs, as a caller's snapshots and as an hour of the watch."""
    found = Source.empty("programs")
    for run in runs:
        if run.case.half != half:
            continue
        for view in filter(lambda each: each.from_setup, VIEWS):
            for length in PROGRAM_LENGTHS:
                found.judged_given(view.of(run, length), leaking=run.leaking)
            for length in WATCHED_PROGRAM_LENGTHS if view.minutes else ():
                history = History.from_snapshots(view.of(run, length))
                found.judged(judge(history, window="hour"), leaking=run.leaking)
    return found
