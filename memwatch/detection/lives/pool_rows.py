"""Recycled workers: lives that are too short for a verdict are judged together, by the age of the process or its work.

A worker that is replaced after a few minutes shows its leak in no single life, but in all of them at the same age.
Each life gives Mann-Kendall's S and variance, which add up over independent lives (Hirsch and Slack 1982). All points
of all lives on one axis, each life moved to a common level, form a curve that the shapes are fitted to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

from memwatch.detection.attribution import BLOCKS_PER_OBJECT, KIB_PER_OBJECT
from memwatch.detection.case import Thresholds
from memwatch.detection.containers import gains
from memwatch.detection.explanation import line_of
from memwatch.detection.grouping import folded, rank
from memwatch.detection.history import History
from memwatch.detection.lives.pool import Life, Pool
from memwatch.detection.rules.gates import GATES
from memwatch.detection.rules.recycled_workers import MIN_LIVES, POOL_RULES, LeastGrowth, PoolRule
from memwatch.detection.rules.registry import POOLED
from memwatch.detection.series import Series, container_series, malloc_kib, object_series, residual_blocks
from memwatch.detection.severity import milder, urgency_of_lives
from memwatch.detection.statistics.estimators import thin
from memwatch.detection.verdict import Finding, Verdict, describe
from memwatch.records import BigContainer

BLOCKS, KIB, ENTRIES = 1000.0, 256.0, 300.0
"""Least growth of a life, in units without a threshold in the contract."""

DEFAULTS = Thresholds()

HIGH_LIVES, HIGH_PROBABILITY = 12, 0.99
DRAWN = 24
"""Points of the curve in the evidence."""

_Key = tuple[str, str, str, str]
"""Kind, name, unit, and the name of the container where there is one."""


def judge_lives(
    lives: Sequence[History],
    *,
    thresholds: Thresholds = DEFAULTS,
    all_verdicts: bool = False,
) -> list[Verdict]:
    """The leaks of the service that these lives belong to; ``[]`` for fewer than ``MIN_LIVES`` of them.

    ``thresholds``: a life's median growth after its warm-up must reach half of each. With ``all_verdicts`` the
    verdicts on harmless growth follow the leaks.
    """
    pooled: dict[_Key, list[Life]] = {}
    for history in lives:
        for series, name in _series(history):
            life = Life.of(series.times, series.values, series.work or _work(history, series))
            pooled.setdefault((series.kind, series.name, series.unit, name), []).append(life)
    least = {
        "objects": LeastGrowth(thresholds.min_growth_count / 2, thresholds.min_growth_percent / 2),
        "blocks": LeastGrowth(BLOCKS, 0.0),
        "KiB": LeastGrowth(KIB, 0.0),
        "entries": LeastGrowth(ENTRIES, 0.0),
    }
    judged = [_judge(key, Pool(group), least[key[2]], lives) for key, group in pooled.items()]
    verdicts = [verdict for verdict in judged if verdict is not None]
    leaks = _one_leak([verdict for verdict in verdicts if verdict.is_leak])
    if not all_verdicts:
        return leaks
    leading = {leak.key for leak in leaks}
    others = [verdict for verdict in verdicts if verdict.key not in leading]
    return leaks + [folded(verdict, leaks[0]) if verdict.is_leak else verdict for verdict in others]


def _series(history: History) -> Iterable[tuple[Series, str]]:
    """The series that can be compared between lives; a container only by its name."""
    for series in object_series(history):
        yield series, ""
    for series in container_series(history):
        if series.container is not None and series.container.name:
            yield series, series.container.name
    for memory in (residual_blocks(history), malloc_kib(history)):
        if memory is not None:
            yield memory, ""


def _work(history: History, series: Series) -> list[float] | None:
    """The work done at the series' points."""
    done = history.work()
    if done is None:
        return None
    at = dict(zip(history.times, done, strict=True))
    return [at[time] for time in series.times] if all(time in at for time in series.times) else None


def _judge(key: _Key, pool: Pool, least: LeastGrowth, lives: Sequence[History]) -> Verdict | None:
    """``None`` for what was quiet or is in too few lives."""
    if len(pool.lives) < MIN_LIVES:
        return None
    findings: list[Finding] = []
    settled: PoolRule | None = None
    for rule in POOL_RULES:
        answer = rule.answer(pool, least)
        findings.append(Finding(rule.asks.name, "passed" if answer.supports_leak else "failed", answer.figures))
        if not answer.supports_leak:
            settled = rule
            break
    if settled is not None and settled.asks is GATES:
        return None
    verdict = _verdict(key, pool, findings, lives)
    if settled is not None:
        reason = f"expected: {settled.reason}"
        return replace(verdict, outcome="expected", rule=settled.asks.name, sentence=reason, confidence="low")
    severity = urgency_of_lives(lives, pool.percent if key[2] == "objects" else 0.0)
    return replace(verdict, severity=milder(severity, "medium") if verdict.confidence == "low" else severity)


def _verdict(key: _Key, pool: Pool, findings: Sequence[Finding], lives: Sequence[History]) -> Verdict:
    """The verdict of a leak, without its severity."""
    kind, name, unit, _ = key
    modules = sorted({module for history in lives for module in history.extension_modules})
    container = _container(key, lives) if kind == "untracked" else None
    held = f"; most likely in {describe(container)}" if container is not None else ""
    return Verdict(
        outcome="leak",
        kind=kind,
        object_type=name,
        rule=POOLED.name,
        sentence=_sentence(key, pool) + held,
        confidence=_confidence(pool),
        started_at=datetime.fromtimestamp(min(life.started for life in pool.lives), UTC),
        initial_count=round(pool.first),
        current_count=round(pool.first + pool.gain),
        growth_count=round(pool.gain),
        growth_percent=pool.percent,
        growth_per_hour=pool.per_hour,
        window="lives",
        statistics=_statistics(pool, unit),
        candidates=tuple(modules) if kind == "native" else (),
        findings=tuple(findings),
        trend=_trend_of(pool, unit),
        container=container,
    )


def _sentence(key: _Key, pool: Pool) -> str:
    kind, name, unit, _ = key
    what = {"untracked": "memory in untracked objects", "native": "native memory"}.get(kind, name)
    by = "work" if pool.axis == "work" else "age"
    return (
        f"{what} grows by {pool.per_hour:,.0f} {unit} an hour in every process of the service, by its {by}: "
        f"by {pool.gain:,.0f} in each of {len(pool.lives)} lives, after the warm-up"
    )


def _confidence(pool: Pool) -> str:
    probability = pool.shapes.probability if pool.shapes is not None else 0.0
    if len(pool.lives) >= HIGH_LIVES and probability >= HIGH_PROBABILITY:
        return "high"
    return "medium" if len(pool.lives) >= 2 * MIN_LIVES else "low"


def _statistics(pool: Pool, unit: str) -> dict[str, Any]:
    shapes = pool.shapes
    return {
        "unit": unit,
        "axis": pool.axis,
        "lives": len(pool.lives),
        "points": sum(len(life.values) for life in pool.lives),
        "life_s": round(max(life.ages[-1] for life in pool.lives), 3),
        "z": round(pool.z, 3),
        "s": sum(trend.s for trend in pool.trends),
        "variance": round(sum(trend.variance for trend in pool.trends), 1),
        "rising_lives": round(pool.rising, 3),
        "leak_probability": None if shapes is None else round(shapes.probability, 6),
        "late_share": round(pool.late_share, 3),
    }


def _trend_of(pool: Pool, unit: str) -> Any:
    slope = pool.slope
    x, y = thin(*pool.curve, DRAWN)
    return line_of(x, y, slope.slope, slope.low, slope.high, axis=pool.axis, unit=unit)


def _container(key: _Key, lives: Sequence[History]) -> BigContainer | None:
    """The named container of this series; else, for other memory, the one that grew most in all lives together."""
    seen: dict[str, BigContainer] = {}
    grown: Counter[str] = Counter()
    for history in lives:
        for gained, container in gains(history):
            if container.name and key[3] in ("", container.name):
                seen[container.name] = container
                grown[container.name] += gained
    return seen[grown.most_common(1)[0][0]] if grown else None


def _one_leak(leaks: Sequence[Verdict]) -> list[Verdict]:
    """One leak a cause: plain containers and as much memory as the objects may hold are parts of a leaking class."""
    objects = sorted((v for v in leaks if v.kind == "objects"), key=lambda v: (-rank(v.object_type), -v.growth_count))
    top = rank(objects[0].object_type) if objects else 0
    leaders = [v for v in objects if rank(v.object_type) == top] if top > 1 else objects[:1]
    parts = tuple(v.object_type for v in objects if v not in leaders)
    grown = sum(v.growth_count for v in leaders)
    most = {"blocks": grown * BLOCKS_PER_OBJECT, "KiB": grown * KIB_PER_OBJECT, "entries": inf if leaders else 0.0}
    memory = [v for v in leaks if v.kind != "objects" and v.growth_count > most[v.statistics["unit"]]]
    memory.sort(key=lambda v: ("entries", "blocks", "KiB").index(v.statistics["unit"]))
    return [replace(v, grows_with=parts) for v in leaders] + memory[:1]
