"""Recycled workers: lives too short to judge one by one are judged together, by the age of the process.

A leak in a worker that is replaced after a few minutes shows in no single life, but in all of them at the same age.
Each life gives Mann-Kendall's S and variance; these add up over independent lives (Hirsch and Slack 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import copysign, sqrt
from statistics import median

from memwatch.detection.case import Thresholds
from memwatch.detection.estimators import mann_kendall, theil_sen
from memwatch.detection.grouping import rank
from memwatch.detection.history import History
from memwatch.detection.series import malloc_kib, object_series, residual_blocks
from memwatch.detection.verdict import Verdict

MIN_LIVES = 3
"""Two lives may rise by chance."""

WARM_UP_SHARE = 0.25
"""The start of each life that is left out: imports and caches fill then in every one of them."""

MIN_POINTS = 4
"""In a life after its warm-up: fewer have no order to speak of."""

Z_LIMIT = 3.09
"""One in a thousand."""

GROWTH_PERCENT = 25.0
"""Median growth of a life, warm-up excluded: half of what the contract asks of a whole one."""

GROWTH_COUNT = 50
BLOCKS, KIB = 1000, 256


def judge_lives(lives: Sequence[History], *, thresholds: Thresholds = Thresholds()) -> list[Verdict]:  # noqa: B008
    """Leaks of the service that these lives belong to; ``[]`` where there are fewer than ``MIN_LIVES`` to judge.

    ``thresholds``: half of each is asked of a life's median growth after its warm-up.
    """
    pooled: dict[_Key, list[_Life]] = {}
    for history in lives:
        series = [*object_series(history)]
        series.extend(found for found in (residual_blocks(history), malloc_kib(history)) if found is not None)
        for one in series:
            life = _late(one.times, one.values)
            if life is not None:
                pooled.setdefault((one.kind, one.name, one.unit), []).append(life)
    least = {
        "objects": thresholds.min_growth_count / 2,
        "blocks": float(BLOCKS),
        "KiB": float(KIB),
    }
    found = []
    for key, group in pooled.items():
        unit = key[2]
        percent = thresholds.min_growth_percent / 2 if unit == "objects" else 0.0
        verdict = _judge(key, group, least[unit], percent)
        if verdict is not None:
            found.append(verdict)
    return _one_leak(found)


_Key = tuple[str, str, str]
_Life = tuple[Sequence[float], Sequence[float]]


def _late(times: Sequence[float], values: Sequence[float]) -> _Life | None:
    if len(times) < MIN_POINTS:
        return None
    cut = times[0] + WARM_UP_SHARE * (times[-1] - times[0])
    start = next(i for i, time in enumerate(times) if time >= cut)
    return (times[start:], values[start:]) if len(times) - start >= MIN_POINTS else None


def _judge(key: _Key, lives: Sequence[_Life], least: float, percent: float) -> Verdict | None:
    if len(lives) < MIN_LIVES:
        return None
    kind, name, unit = key
    trends = [mann_kendall(values) for _, values in lives]
    s, variance = sum(trend.s for trend in trends), sum(trend.variance for trend in trends)
    z = (s - copysign(1, s)) / sqrt(variance) if variance > 0 and s else 0.0
    gains = [values[-1] - values[0] for _, values in lives]
    first, gain = median(values[0] for _, values in lives), median(gains)
    grown = gain / first * 100 if first > 0 else (100.0 if gain > 0 else 0.0)
    halves = [_second_half_share(values) for _, values in lives]
    if z <= Z_LIMIT or gain < least or grown <= percent or median(halves) < 0.25:
        return None
    per_hour = median(theil_sen(times, values).slope for times, values in lives) * 3600
    return Verdict(
        outcome="leak",
        kind=kind,
        object_type=name,
        rule="pooled",
        sentence=f"{name} grows by {per_hour:,.0f} {unit} an hour in every process of the service while it lives: "
        f"by {gain:,.0f} in each of {len(lives)} lives, after their warm-up",
        confidence="medium" if len(lives) >= 2 * MIN_LIVES else "low",
        severity="low" if grown < 4 * percent else "medium",
        started_at=datetime.fromtimestamp(min(times[0] for times, _ in lives), UTC),
        initial_count=round(first),
        current_count=round(first + gain),
        growth_count=round(gain),
        growth_percent=grown,
        growth_per_hour=per_hour,
        window="lives",
        statistics={"unit": unit, "z": round(z, 3), "s": s, "variance": round(variance, 1), "lives": len(lives)},
    )


def _second_half_share(values: Sequence[float]) -> float:
    """The share of a life's gain that its second half brings: 0.5 for a line, 0 for a plateau."""
    gain = values[-1] - values[0]
    return (values[-1] - values[len(values) // 2]) / gain if gain > 0 else 0.0


def _one_leak(found: Sequence[Verdict]) -> list[Verdict]:
    """Plain containers and memory beside a leaking class are its parts."""
    objects = sorted((v for v in found if v.kind == "objects"), key=lambda v: (-rank(v.object_type), -v.growth_count))
    if not objects:
        return list(found)[:1]
    top = rank(objects[0].object_type)
    leaders = [v for v in objects if rank(v.object_type) == top] if top > 1 else objects[:1]
    parts = tuple(v.object_type for v in objects if v not in leaders)
    return [replace(v, grows_with=parts) for v in leaders]
