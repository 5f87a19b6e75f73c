"""An attribution in sentences: which view, task or command makes a leak grow, or why none is named."""

from __future__ import annotations

import math
from collections.abc import Mapping

from memwatch.detection.work.attribution import FEW, FILLING, NONE, TIME, TOGETHER, Attribution, Culprit
from memwatch.records.work import TASK, VIEW

REMARKS = {
    TIME: "No view, task or command explains the growth. It grows with time: look for a timer, a thread or an import.",
    NONE: "No view, task or command explains the growth, and time does not explain it either.",
    FEW: "There are too few snapshots yet to tell which view, task or command makes it grow.",
    TOGETHER: "The load is too even to tell which view, task or command makes it grow.",
    FILLING: "Each call adds less than the calls before it, as to a cache or a pool that fills: no name is the cause.",
}
AROUND: Mapping[tuple[str, ...], tuple[str, str]] = {
    (VIEW,): ("request, whatever its view", "middleware, the handler of a signal, a decorator"),
    (TASK,): ("task, whatever its name", "the handler of a signal, a base class of the tasks, a decorator"),
}
AROUND_ANY = ("job, whatever its name", "middleware, the handler of a signal, a decorator")
"""What every job is called, and what may run around it."""
REST = "More of the growth comes with time: look for a timer, a thread or an import."


def sentences(attribution: Attribution, names: Mapping[int, str], unit: str) -> tuple[str, ...]:
    """One for each culprit, then one for the remark. ``unit``: what the leak counts, e.g. ``objects``."""
    found = tuple(sentence(culprit, names, unit) for culprit in attribution.culprits)
    if attribution.alike:
        return (*found, _alike(attribution, names))
    if not found:
        return (REMARKS.get(attribution.remark, REMARKS[NONE]),)
    return (*found, REST) if attribution.remark == TIME else found


def sentence(culprit: Culprit, names: Mapping[int, str], unit: str) -> str:
    """E.g. ``shop.tasks.sync_prices: 2.0 objects a call (1.9 to 2.1), explains 97 % of the growth.``"""
    figures = f"{_per_call(culprit, unit)}, explains {min(culprit.share, 1):.0%} of the growth".replace("%", " %")
    if culprit.every:
        job, around = AROUND.get(culprit.every, AROUND_ANY)
        but = f", except {_listed(culprit.but, names)}" if culprit.but else ""
        return f"Every {job}{but}: {figures}. Look at what runs around each: {around}."
    works = _listed(culprit.works, names)
    if len(culprit.works) == 1:
        return f"{works}: {figures}."
    return f"These run at the same pace, so memwatch cannot tell them apart: {works}. One or all of them: {figures}."


def _alike(attribution: Attribution, names: Mapping[int, str]) -> str:
    works = _listed(attribution.alike, names)
    return f"It grows as evenly as time passes. A timer or a thread may be the cause, or what runs as evenly: {works}."


def _listed(works: tuple[int, ...], names: Mapping[int, str]) -> str:
    return ", ".join(names.get(work, f"work {work}") for work in works)


def _per_call(culprit: Culprit, unit: str) -> str:
    places = _places(culprit)
    middle, low, high = (f"{value:,.{places}f}" for value in (culprit.per_call, culprit.low, culprit.high))
    return f"{middle} {unit} a call ({low} to {high})"


def _places(culprit: Culprit) -> int:
    """Decimals that show two significant digits; three where the interval is narrow."""
    value = abs(culprit.per_call)
    if not value or not math.isfinite(value):
        return 1
    digits = 2 if culprit.high - culprit.low >= 0.05 * value else 3
    return max(0, min(6, digits - 1 - math.floor(math.log10(value))))
