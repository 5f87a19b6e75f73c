"""Why a verdict is what it is: what every rule found against its bound, and the fitted trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from memwatch.detection.case import HOUR_S, Case, Decision
from memwatch.detection.rules.registry import RULES
from memwatch.detection.verdict import FINDING_OUTCOMES, Finding


def findings(case: Case, decision: Decision) -> tuple[Finding, ...]:
    """One finding for each rule, in their order, after ``decision`` was made on the case."""
    rows: list[Finding] = []
    settled = False
    for rule in RULES:
        if settled:
            rows.append(Finding(rule.name, "not reached", "an earlier rule settled it"))
            continue
        measured, settled = rule.explain(case), rule.name == decision.rule
        if settled:
            text = "; ".join(part for part in (decision.reason, measured) if part)
            rows.append(Finding(rule.name, FINDING_OUTCOMES[decision.outcome], text))
        elif measured is None:
            rows.append(Finding(rule.name, "not applicable", rule.not_applicable))
        else:
            rows.append(Finding(rule.name, "passed", measured))
    return tuple(rows)


def fitted_trend(case: Case) -> Mapping[str, Any] | None:
    """The floors and Theil-Sen's line through them, as :class:`memwatch.detection.verdict.Verdict` keeps it."""
    times, low = case.floors
    return line_of(times, low, case.slope.slope, case.slope.low, case.slope.high, axis="time", unit=case.series.unit)


def line_of(
    x: Sequence[float], y: Sequence[float], slope: float, low: float, high: float, *, axis: str, unit: str
) -> Mapping[str, Any] | None:
    """The trend through these points, slopes given a second (or a unit of work); ``None`` for fewer than three."""
    if len(y) < 3:
        return None
    scale = HOUR_S if axis != "work" else 1.0
    return {
        "axis": axis,
        "unit": unit,
        "start": [round(x[0], 3), round(median(y) + slope * (x[0] - median(x)), 3)],
        "end": round(x[-1], 3),
        "slope": round(slope * scale, 6),
        "low": round(low * scale, 6),
        "high": round(high * scale, 6),
        "floors": [[round(a, 3), round(b, 3)] for a, b in zip(x, y, strict=True)],
    }
