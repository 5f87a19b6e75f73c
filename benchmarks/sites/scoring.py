"""From what was said to what it is worth: pure functions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.sites.truth import APP, Planted

GROWTH_WITHIN, NAMED_WITHIN = 12, 20
"""Intervals from the leak's beginning."""
HELD_LIMIT_MS = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A row of the API: when it was first seen, when it first had the right name, and how it was last."""

    source: str
    """``leaks``, ``alerts``, ``processes``."""
    at: float
    row: Mapping[str, Any]
    names: Mapping[str, float]
    """Kind and type, by when it was first called so."""
    named_at: float | None


def is_named(planted: Planted, row: Mapping[str, Any]) -> bool:
    """Whether a leak's row names this leak."""
    if row["service"] != planted.service:
        return False
    holder = any(re.search(planted.holder, text) for text in texts([row["verdict"], row["evidence"]]))
    return bool(re.fullmatch(planted.types, row["object_type"])) or holder


def first_growth(told: Iterable[Told], service: str, since: float) -> float | None:
    """When it was first said, in whatever way, that something of the service grows."""
    times = [
        each.at for each in told
        if each.row["service"] == service and each.at >= since
        and (each.source != "alerts" or each.row["type"] != "gc_spike")
    ]  # fmt: skip
    return min(times, default=None)


def false_verdicts(told: Iterable[Told], service: str | None, since: float) -> list[Mapping[str, Any]]:
    """Leaks of services that have none, or before there was one. ``service`` is ``None`` where none is planted."""
    return [
        each.row for each in told
        if each.source == "leaks" and (service is None or each.row["service"] != service or each.at < since)
    ]  # fmt: skip


def besides(told: Iterable[Told], planted: Planted, since: float) -> list[Mapping[str, Any]]:
    """Leaks of the leaking service under other names: one cause is to be one leak."""
    return [
        each.row for each in told
        if each.source == "leaks" and each.row["service"] == planted.service and each.at >= since
        and each.named_at is None
    ]  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a recording said of the cause."""

    holder: bool
    wrong_holder: bool
    """Another one, without doubt."""
    line: bool


def judge(planted: Planted, conclusion: Mapping[str, Any]) -> Answer:
    """Against the truth."""
    stated = [str(conclusion.get(name) or "") for name in ("held_by", "attribute")]
    right = any(re.search(planted.holder, text) for text in stated)
    doubted = conclusion.get("sure") is False
    said = " ".join(texts(conclusion))
    lines = {f"{APP}/{found}" for found in re.findall(rf"{APP}/(\w+\.py:\d+)", said)}
    return Answer(
        holder=right, wrong_holder=any(stated) and not right and not doubted, line=bool(lines & planted.lines)
    )


def texts(value: Any) -> Iterable[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
