"""Judges a process: applies the rules to every series, then groups leaks with one cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from heapq import nlargest
from itertools import chain
from typing import Any

from memwatch.detection import grouping
from memwatch.detection.attribution import Judged
from memwatch.detection.caller_snapshots import made_comparable
from memwatch.detection.case import WINDOWS, Case, Decision, Thresholds, floors
from memwatch.detection.explanation import findings, fitted_trend
from memwatch.detection.history import History
from memwatch.detection.lives import pool_rows
from memwatch.detection.onset import all_new, from_onset
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.rules.growth import JUMPS_SHARE, LARGEST_STEPS, share_of_jumps
from memwatch.detection.rules.recycled_workers import MIN_LIVES
from memwatch.detection.rules.registry import FRAGMENTATION, decide
from memwatch.detection.sentence import amount, sentence
from memwatch.detection.series import (
    MALLOC,
    Series,
    between_jumps_kib,
    beyond_allocators_kib,
    committed_kib,
    container_series,
    malloc_kib,
    object_series,
    residual_blocks,
)
from memwatch.detection.severity import Urgency, milder, urgency
from memwatch.detection.statistics.estimators import mann_kendall
from memwatch.detection.verdict import MOST_UNSURE, Verdict
from memwatch.records import Leak, MemorySnapshot

LEAST_KIB, LEAST_SHARE = 4096, 0.1
"""Least growth of committed memory: four arenas and a tenth of it. Less is the allocators' usual reserve."""
USED_SHARE = 0.25
"""Largest share of the growth that may be in use: with more, use grows and not fragmentation."""


def fragmentation(history: History, window: str) -> Verdict | None:
    """``expected`` where committed memory rises and memory in use does not, else ``None``."""
    series = committed_kib(history)
    times, used = history.known("heap_used_mb")
    if series is None or len(used) < 8 or series.growth < max(LEAST_KIB, LEAST_SHARE * series.values[0]):
        return None
    gained = (used[-1] - used[0]) * 1024
    if gained > USED_SHARE * series.growth or mann_kendall(floors(series.times, series.values)[1]).tau < 0.4:
        return None
    free = max(0.0, 1 - used[-1] * 1024 / series.values[-1]) * 100
    first, last = round(series.values[0]), round(series.values[-1])
    return Verdict(
        outcome="expected",
        kind="fragmentation",
        object_type="fragmentation",
        rule=FRAGMENTATION.name,
        sentence=f"expected: fragmentation: the allocators hold {amount(last - first, series.unit)} more and hardly "
        f"any of it is in use; {free:.0f} % of their memory is free",
        initial_count=first,
        current_count=last,
        growth_count=last - first,
        growth_percent=(last - first) / first * 100 if first else 0.0,
        window=window,
        statistics={"unit": "KiB", "source": series.source, "free_percent": round(free, 1), "points": len(times)},
    )


DEFAULTS = Thresholds()

MAX_JUDGED = 100
"""Types judged at most: each takes tens of milliseconds, and all pairs are compared for a common cause."""

HIGH_CONFIDENCE_POINTS, HIGH_CONFIDENCE, FAIR_CONFIDENCE = 40, 0.99, 0.8
"""Points for buckets of three and more, and probabilities of a leaking shape for high and for medium confidence."""


def judge(history: History, *, thresholds: Thresholds = DEFAULTS, window: str = "given") -> list[Verdict]:
    """Verdicts on all series of one process, leaks first; types with one cause are grouped into one leak.

    ``window``: ``given`` for snapshots that a caller chose, ``calls`` for exact counts of a test; ``hour``, ``day`` or
    ``week`` for a standing watch, which waits for more points. Raises :class:`ValueError` for another window.
    """
    if window not in WINDOWS:
        raise ValueError(f"window is {window!r}: give one of {', '.join(WINDOWS)}")
    if len(history) < 3:
        return []
    if window == "given":
        history = made_comparable(history)
    every = chain(_fastest(object_series(history)), _memory_series(history))
    judged = [_judge(series, history, thresholds, window) for series in every]
    verdicts = grouping.one_cause_one_leak(judged)
    fragmented = fragmentation(history, window)
    if fragmented is not None:
        verdicts.append(fragmented)
    verdicts.sort(key=lambda verdict: (not verdict.is_leak, -verdict.growth_count))
    return verdicts


def _fastest(series: Iterable[Series]) -> list[Series]:
    """The ``MAX_JUDGED`` series that grew most; the fastest type of each cause is among them."""
    return nlargest(MAX_JUDGED, series, key=lambda one: one.growth)


def _memory_series(history: History) -> Iterable[Series]:
    yield from container_series(history)
    for series in (residual_blocks(history), malloc_kib(history), beyond_allocators_kib(history)):
        if series is not None:
            yield series


def _judge(series: Series, history: History, thresholds: Thresholds, window: str) -> Judged:
    case = Case(series, history, thresholds, window)
    decision = decide(case)
    if decision.outcome == "not enough data" and (late := from_onset(case)) is not None:
        settled = decide(late)
        if settled.outcome == "leak" and all_new(late):
            return Judged(late, _verdict(late, settled))
    if decision.outcome not in ("leak", "quiet") and (steady := _between_jumps(case)) is not None:
        settled = decide(steady)
        if settled.outcome == "leak":
            return Judged(case, _verdict(case, settled))
    return Judged(case, _verdict(case, decision))


def _between_jumps(case: Case) -> Case | None:
    """What is resident between the stairs of malloc's memory in use; ``None`` where these are no stairs."""
    if case.series.source != MALLOC or share_of_jumps(case) < JUMPS_SHARE:
        return None
    steady = between_jumps_kib(case.history, case.series, LARGEST_STEPS)
    return None if steady is None else Case(steady, case.history, case.thresholds, case.window)


def _verdict(case: Case, decision: Decision) -> Verdict:
    first, last = round(case.values[0]), round(case.values[-1]) + case.series.kept
    if decision.outcome == "quiet":
        return Verdict(
            outcome="quiet",
            kind=case.series.kind,
            object_type=case.series.name,
            rule=decision.rule,
            sentence=decision.reason,
            initial_count=first,
            current_count=last,
            growth_count=last - first,
            window=case.window,
        )
    percent = growth_percent(first, last)
    leak = decision.outcome == "leak"
    confidence = _confidence(case) if leak else "low"
    urgent = urgency(case.history, percent) if leak else Urgency("low")
    per_hour = (case.slope if case.sawtooth else case.raw_slope).slope * 3600 if leak else None
    statistics = _statistics(case, urgent if leak else None)
    return Verdict(
        outcome=decision.outcome,
        kind=case.series.kind,
        object_type=case.series.name,
        rule=decision.rule,
        sentence=sentence(case, decision, per_hour=per_hour or 0.0, urgency=urgent),
        confidence=confidence,
        severity=milder(urgent.severity, MOST_UNSURE) if confidence == "low" else urgent.severity,
        urgency=urgent if leak else None,
        started_at=datetime.fromtimestamp(_start(case) if leak else case.times[0], UTC),
        initial_count=first,
        current_count=last,
        growth_count=last - first,
        growth_percent=percent,
        growth_per_hour=per_hour,
        time_to_exhaustion_s=urgent.time_to_exhaustion_s,
        window=case.window,
        statistics=statistics,
        container=case.series.container,
        candidates=case.history.extension_modules if case.series.kind == "native" else (),
        findings=findings(case, decision),
        trend=fitted_trend(case),
    )


def growth_percent(first: float, last: float) -> float:
    """``(last - first) / first * 100``; 100 for growth from 0."""
    if first > 0:
        return (last - first) / first * 100
    return 100.0 if last > first else 0.0


def _start(case: Case) -> float:
    shapes = case.shapes if len(case.values) > 5 else None
    if shapes is not None and shapes.leaking.name == "late start" and shapes.leaking.bend is not None:
        return case.times[0] + shapes.leaking.bend * case.span_s
    return case.times[0]


def _confidence(case: Case) -> str:
    if len(case.values) < WATCH_POINTS or case.shapes is None or case.shapes.probability < FAIR_CONFIDENCE:
        return "low"
    if len(case.values) >= HIGH_CONFIDENCE_POINTS and case.shapes.probability >= HIGH_CONFIDENCE:
        return "high"
    return "medium"


def _statistics(case: Case, urgent: Urgency | None) -> dict[str, Any]:
    statistics: dict[str, Any] = {
        "unit": case.series.unit,
        "source": case.series.source,
        "points": len(case.values),
        "span_s": round(case.span_s, 3),
        "gate": case.gate,
        **{name: round(value, 6) if isinstance(value, float) else value for name, value in case.statistics.items()},
    }
    if urgent is not None:
        statistics |= {
            "limit_source": urgent.limit_source,
            "floor_growth_percent_per_hour": urgent.floor_growth_percent_per_hour,
            "floor_of": urgent.measured,
            "limit_share": urgent.limit_share,
        }
    return statistics


def detect_leaks(
    snapshots: Iterable[MemorySnapshot | Mapping[str, Any]],
    *,
    thresholds: Thresholds = DEFAULTS,
    extension_modules: Iterable[str] = (),
    now: datetime | None = None,
) -> list[Leak]:
    """The leaks in snapshots of one process or slot, given in any order; ``[]`` for fewer than three.

    Snapshots of several lives (with restarts between them) are judged by the last life; where that shows no leak, all
    lives together are judged. ``extension_modules``: those the process has loaded, named beside native growth. Raises
    :class:`ValueError` for anything but a snapshot.
    """
    lives = History.lives_from_snapshots(snapshots, extension_modules=extension_modules)
    if not lives:
        return []
    verdicts = judge(lives[-1], thresholds=thresholds)
    if len(lives) >= MIN_LIVES and not any(verdict.is_leak for verdict in verdicts):
        verdicts = pool_rows.judge_lives(lives, thresholds=thresholds)
    return [verdict.to_leak(now) for verdict in verdicts if verdict.is_leak]
