"""Which views, tasks and commands explain a leak, as its evidence has it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from memwatch.records.work import KINDS


@dataclasses.dataclass(frozen=True, slots=True)
class Culprit:
    """What explains a part of the growth."""

    works: tuple[tuple[str, str], ...]
    """Kind and name; several always run together, so that memwatch cannot say which of them it is."""
    per_call: float | None
    low: float | None
    high: float | None
    share: float | None
    """Of the growth, 0 to 1."""
    source: str
    """``direct`` or ``regression``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """Who did it, or why none is named."""

    culprits: tuple[Culprit, ...]
    """The largest share first."""
    remark: str
    sentence: str


def explanation_of(evidence: Any) -> Explanation | None:
    """``None`` where it was not looked for yet. What has another shape is left out."""
    found = evidence.get("work") if isinstance(evidence, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    culprits = tuple(
        culprit
        for each in _listed(found.get("culprits"))
        if isinstance(each, Mapping) and (culprit := _culprit(each)).works
    )
    return Explanation(culprits, _text(found.get("remark")), _text(found.get("sentence")))


@dataclasses.dataclass(frozen=True, slots=True)
class MadeIn:
    """Objects of the leaking type that were made in the calls of one name while a recording ran."""

    kind: str
    name: str
    count: int
    calls: int
    """So many were looked into."""


def made_in(result: Any) -> tuple[MadeIn, ...]:
    """What the result of a recording says of that, most first; empty where it says nothing."""
    found = result.get("made_in") if isinstance(result, Mapping) else None
    return tuple(
        MadeIn(kind, name, int(_number(each.get("count")) or 0), int(_number(each.get("calls")) or 0))
        for each in _listed(found)
        if isinstance(each, Mapping)
        and (kind := each.get("kind")) in KINDS
        and isinstance(name := each.get("name"), str)
    )


def _culprit(given: Mapping[str, Any]) -> Culprit:
    per_call, low, high, share = (_number(given.get(name)) for name in ("per_call", "low", "high", "share"))
    works = tuple(
        (work["kind"], work["name"])
        for work in _listed(given.get("works"))
        if isinstance(work, Mapping) and work.get("kind") in KINDS and isinstance(work.get("name"), str)
    )
    return Culprit(works, per_call, low, high, share, _text(given.get("source")))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
