"""Recycled workers: lives too short to judge one by one are judged together, by the age of the process or its work.

A leak in a worker that is replaced after a few minutes shows in no single life, but in all of them at the same age.
Each life gives Mann-Kendall's S and variance; these add up over independent lives (Hirsch and Slack 1982). All points
of all lives on one axis, each life moved to a common level, give a curve that the shapes are fitted to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

from memwatch.detection.attribution import BLOCKS_PER_OBJECT, KIB_PER_OBJECT
from memwatch.detection.case import Thresholds
from memwatch.detection.containers import gains
from memwatch.detection.explanation import line_of
from memwatch.detection.grouping import rank
from memwatch.detection.history import History
from memwatch.detection.pool import Life, Pool
from memwatch.detection.series import Series, container_series, malloc_kib, object_series, residual_blocks
from memwatch.detection.severity import milder, urgency_of_lives
from memwatch.detection.statistics.estimators import thin
from memwatch.detection.verdict import Finding, Verdict, describe
from memwatch.records import BigContainer

MIN_LIVES = 3
"""Two lives may rise by chance."""

Z_LIMIT = 3.09
"""One in a thousand."""

RISING_LIVES = 0.75
"""Noise that wanders makes some lives rise by much and as many fall."""

BLOCKS, KIB, ENTRIES = 1000.0, 256.0, 300.0
"""Least growth of a life, where the contract has no word for it."""

HARMLESS, LATE_SHARE = 0.1, 0.3
"""Under this probability of a leaking shape it is a harmless one. Above, the end of the curve still has to rise: few
ages, as short lives have them, do not tell a line from a plateau that begins with the last."""

FLOOR_SHARE = 0.4
"""A line keeps two thirds of its gain at the lowest points of its first and last stretches; a saw-tooth nothing."""

FOLLOWS_LOAD = 0.5
"""From this share on, what rises in a life is what rises from life to life as well: the load, not the process."""

DEFAULTS = Thresholds()

HIGH_LIVES, HIGH_PROBABILITY = 12, 0.99
DRAWN = 24
"""Points of the curve that are kept as evidence."""

_Key = tuple[str, str, str, str]
"""Kind, name, unit, and the name of the container where there is one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a life's growth must reach."""

    count: float
    percent: float


_Rule = Callable[[Pool, _Asked], tuple[str, bool | None, str]]
"""Gives its name, whether it speaks for a leak (``None``: it waits for more lives), and its figures with the bound."""


def judge_lives(
    lives: Sequence[History],
    *,
    thresholds: Thresholds = DEFAULTS,
    all_verdicts: bool = False,
) -> list[Verdict]:
    """Leaks of the service that these lives belong to; ``[]`` where there are fewer than ``MIN_LIVES`` to judge.

    ``thresholds``: half of each is asked of a life's median growth after its warm-up. With ``all_verdicts`` also
    those on what grew and is no leak, after the leaks.
    """
    pooled: dict[_Key, list[Life]] = {}
    for history in lives:
        for series, name in _series(history):
            life = Life.of(series.times, series.values, series.work or _work(history, series))
            pooled.setdefault((series.kind, series.name, series.unit, name), []).append(life)
    asked = {
        "objects": _Asked(thresholds.min_growth_count / 2, thresholds.min_growth_percent / 2),
        "blocks": _Asked(BLOCKS, 0.0),
        "KiB": _Asked(KIB, 0.0),
        "entries": _Asked(ENTRIES, 0.0),
    }
    judged = [_judge(key, Pool(group), asked[key[2]], lives) for key, group in pooled.items()]
    found = [verdict for verdict in judged if verdict is not None]
    leaks = _one_leak([verdict for verdict in found if verdict.is_leak])
    if not all_verdicts:
        return leaks
    told = {(leak.kind, leak.object_type) for leak in leaks}
    others = [verdict for verdict in found if (verdict.kind, verdict.object_type) not in told]
    return leaks + [_folded(verdict, leaks) if verdict.is_leak else verdict for verdict in others]


def _series(history: History) -> Iterable[tuple[Series, str]]:
    """The series that are the same thing in every life: a container is it by its name only."""
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


def _gates(pool: Pool, asked: _Asked) -> tuple[str, bool | None, str]:
    text = f"grown by {pool.gain:,.0f} ({pool.percent:.0f} %) in a life after its warm-up"
    bound = f"at least {asked.count:,.0f}" + (f" and more than {asked.percent:g} %" if asked.percent else "")
    return "gates", pool.gain >= asked.count and pool.percent > asked.percent, f"{text} ({bound})"


def _few_lives(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    number = len(pool.lives)
    return "few_lives", True if number >= MIN_LIVES else None, f"{number} lives (at least {MIN_LIVES})"


def _trend(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    text = f"Mann-Kendall over all lives z = {pool.z:.2f} (above {Z_LIMIT})"
    return "trend", pool.z > Z_LIMIT, text


def _floor(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    share = pool.floor_share
    text = f"the lowest points rise by {share * 100:.0f} % of a life's growth (at least {FLOOR_SHARE * 100:.0f} %)"
    return "floor", share >= FLOOR_SHARE, text


def _in_most(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    text = f"{pool.rising * 100:.0f} % of the lives rise (at least {RISING_LIVES * 100:.0f} %)"
    return "in_most_lives", pool.rising >= RISING_LIVES, text


def _shape(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    shapes = pool.shapes
    if shapes is None:
        return "shape", True, "too few points to tell shapes apart"
    text = (
        f"along {'the work done' if pool.axis == 'work' else 'its age'} a {shapes.leaking.name} rather than a "
        f"{shapes.harmless.name}: a leaking shape with probability {shapes.probability:.3f} (at least {HARMLESS})"
    )
    return "shape", shapes.probability >= HARMLESS, text


def _still_growing(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    share = pool.late_share
    text = f"the end rises {share * 100:.0f} % as fast as the whole (at least {LATE_SHARE * 100:.0f} %)"
    return "still_growing", share >= LATE_SHARE, text


def _load(pool: Pool, _asked: _Asked) -> tuple[str, bool | None, str]:
    text = f"from life to life the level rises {pool.drift_share * 100:.0f} % as fast as in a life (under 50 %)"
    return "load", pool.drift_share < FOLLOWS_LOAD, text


RULES: tuple[_Rule, ...] = (_gates, _few_lives, _trend, _in_most, _floor, _shape, _still_growing, _load)

_REASONS = {
    "trend": "expected: the lives do not rise steadily",
    "in_most_lives": "expected: it rises in some lives and not in others",
    "floor": "expected: a saw-tooth, its lowest points do not rise",
    "shape": "expected: it levels off in each life",
    "still_growing": "expected: a warm-up of each life, which then stops growing",
    "load": "expected: it follows the load, from life to life as in each of them",
}


def _judge(key: _Key, pool: Pool, asked: _Asked, lives: Sequence[History]) -> Verdict | None:
    """``None`` for what was quiet or is in too few lives."""
    if len(pool.lives) < MIN_LIVES:
        return None
    kind, name, unit, _ = key
    findings: list[Finding] = []
    settled = ""
    for rule in RULES:
        rule_name, passed, text = rule(pool, asked)
        if rule_name == "gates" and not passed:
            return None
        findings.append(Finding(rule_name, "passed" if passed else "failed", text))
        if not passed:
            settled = rule_name
            break
    modules = sorted({module for history in lives for module in history.extension_modules})
    verdict = Verdict(
        outcome="expected" if settled else "leak",
        kind=kind,
        object_type=name,
        rule=settled or "pooled",
        sentence=_REASONS[settled] if settled else _sentence(key, pool),
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
        container=_container(key, lives) if kind == "untracked" else None,
    )
    if settled:
        return replace(verdict, confidence="low")
    severity = urgency_of_lives(lives, pool.percent if unit == "objects" else 0.0)
    if verdict.confidence == "low":
        severity = milder(severity, "medium")
    held = f"; most likely in {describe(verdict.container)}" if verdict.container is not None else ""
    return replace(verdict, severity=severity, sentence=verdict.sentence + held)


def _sentence(key: _Key, pool: Pool) -> str:
    kind, name, unit, _ = key
    what = {"untracked": "memory in untracked objects", "native": "native memory"}.get(kind, name)
    along = "with the work that it does" if pool.axis == "work" else "while it lives"
    return (
        f"{what} grows by {pool.per_hour:,.0f} {unit} an hour in every process of the service {along}: "
        f"by {pool.gain:,.0f} in each of {len(pool.lives)} lives, after their warm-up"
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
    """The one whose length this is; else the one that grows in most of the lives, known by its name."""
    seen: dict[str, BigContainer] = {}
    grown: Counter[str] = Counter()
    for history in lives:
        for gained, container in gains(history):
            if container.name and key[3] in ("", container.name):
                seen[container.name] = container
                grown[container.name] += gained
    return seen[grown.most_common(1)[0][0]] if grown else None


def _folded(verdict: Verdict, leaks: Sequence[Verdict]) -> Verdict:
    sentence = f"expected: grows with {leaks[0].object_type}, and is counted there"
    return replace(verdict, outcome="expected", rule="grouping", sentence=sentence, severity="low", confidence="low")


def _one_leak(found: Sequence[Verdict]) -> list[Verdict]:
    """Plain containers beside a leaking class are its parts, and so is as much memory as its objects may hold."""
    objects = sorted((v for v in found if v.kind == "objects"), key=lambda v: (-rank(v.object_type), -v.growth_count))
    top = rank(objects[0].object_type) if objects else 0
    leaders = [v for v in objects if rank(v.object_type) == top] if top > 1 else objects[:1]
    parts = tuple(v.object_type for v in objects if v not in leaders)
    grown = sum(v.growth_count for v in leaders)
    most = {"blocks": grown * BLOCKS_PER_OBJECT, "KiB": grown * KIB_PER_OBJECT, "entries": inf if leaders else 0.0}
    memory = [v for v in found if v.kind != "objects" and v.growth_count > most[v.statistics["unit"]]]
    memory.sort(key=lambda v: ("entries", "blocks", "KiB").index(v.statistics["unit"]))
    return [replace(v, grows_with=parts) for v in leaders] + memory[:1]
