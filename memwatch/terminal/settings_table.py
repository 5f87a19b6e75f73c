"""Settings that fit, for the report: the services whose settings should change."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime

from memwatch.queries.recommendations import advice_by_name
from memwatch.recommendations import Advice
from memwatch.recommendations import plan as plans
from memwatch.recommendations.sentence import sentence

MOST_SERVICES = 50


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SettingsLine:
    """One service."""

    service: str
    state: str
    sentence: str
    settings: dict[str, tuple[int | None, int | None]]
    """Now and recommended, by name; 0 is no limit."""
    findings: tuple[str, ...]


def lines(now: datetime, service: str | None = None) -> list[SettingsLine]:
    """Services that should be recycled, or do not fit below their limit; by name."""
    return list(map(_line, _worth_a_word(advice_by_name(now, service, MOST_SERVICES))))


def _worth_a_word(found: Iterable[Advice]) -> Iterable[Advice]:
    return (
        advice
        for advice in found
        if advice.state in (plans.RECYCLE, plans.IMPOSSIBLE) or any(each.is_problem for each in advice.findings)
    )


def _line(advice: Advice) -> SettingsLine:
    return SettingsLine(
        service=advice.service.name,
        state=advice.state,
        sentence=sentence(advice),
        settings={row.name: (row.current, row.recommended) for row in advice.settings},
        findings=tuple(each.text for each in advice.findings if each.is_problem),
    )


def said(line: SettingsLine) -> str:
    """The sentence, the problems, and the numbers."""
    numbers = [
        f"{name} {recommended or 'none'}" + (f" (now {current})" if current is not None else "")
        for name, (current, recommended) in line.settings.items()
        if recommended is not None
    ]
    return " ".join([line.sentence, *line.findings, *([f"Settings: {', '.join(numbers)}."] if numbers else [])])
