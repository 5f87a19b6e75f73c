"""What was found: values that are shown, written to a baseline and sent from worker to controller. JSON-ready."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from memwatch.diagnosis.allocations.sites import is_library


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """What grows with the calls of a test, as the counts show it."""

    kind: str
    """``objects``, ``untracked`` (objects that the garbage collector does not see) or ``native``."""
    type: str
    """The type's name; the kind where it is no objects."""
    unit: str
    """``objects``, ``blocks`` or ``KiB``."""
    grown: int
    """By so many of the unit."""
    calls: int
    """In so many calls."""
    noise: float = 0.0
    """How far the counts were from the straight line, from the lowest to the highest: what came and went beside it."""
    memory: str = "malloc"
    """Of ``KiB``: those of the C library, or those ``mapped`` beside it."""
    grows_with: tuple[str, ...] = ()
    """Types that grow in step with it and have the same cause."""

    @property
    def per_call(self) -> float:
        """Of the unit."""
        return self.grown / self.calls


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The container that is proven to keep what leaks: it holds the new objects, and has grown by them."""

    name: str
    """The path to it from a name: ``shop.leaks.TRAIL (list, 1,240 entries)``."""
    attribute: str = ""
    """The nearest place in code: ``AuditTrail.trail``."""
    code: str = ""
    """``file:line`` where it is added to."""
    code_line: str = ""
    own_code: bool = True
    """Whether that is the program's own, not a library's."""
    adds: bool = True
    """Whether that line adds to the container; else it only names it, or what leads to it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Where something was allocated that stayed."""

    code: str
    """``file:line``."""
    code_line: str = ""
    called_from: str = ""
    """``file:line`` of the program's own caller, where a library's line allocates."""
    caller_line: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """Growth with what is known of its cause."""

    growth: Growth
    holder: Holder | None = None
    """``None`` unless it is proven."""
    line: Line | None = None
    notes: tuple[str, ...] = ()
    collects: bool = True
    """Whether the collector runs; where a test has switched it off, garbage is part of the growth."""

    @property
    def where(self) -> str:
        """``file:line`` to look at first: the program's own, where one is known; empty where nothing is."""
        line = (self.line.called_from or self.line.code) if self.line is not None else ""
        if self.holder is None or not self.holder.code:
            return line
        if self.holder.own_code and (self.holder.adds or not line or is_library(line)):
            return self.holder.code
        return line or self.holder.code

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what a baseline keeps and a report carries."""
        return {
            "kind": self.growth.kind,
            "type": self.growth.type,
            "grows_with": list(self.growth.grows_with),
            "unit": self.growth.unit,
            "per_call": round(self.growth.per_call, 4),
            "where": self.where,
            "holder": self.holder.attribute or self.holder.name if self.holder is not None else "",
        }


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of a measurement."""

    calls: int
    """That were made, warm-up included."""
    leaks: tuple[Leak, ...] = ()
    acquitted: tuple[tuple[str, str], ...] = ()
    """``(type, why)`` of what grows and is none: a cache on its way to its bound, say."""
    undecided: str = ""
    """Why nothing could be said; empty where something could."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What calls of a function keep, for each call."""

    calls: int
    """So many were measured, after a warm-up and full collections."""
    objects: Mapping[str, float]
    """Objects by type that came and stayed; only types that grew, most first."""
    blocks: float
    """Small blocks of memory (512 bytes and less), from ``sys.getallocatedblocks()``."""
    bytes: float
    """Bytes that Python's allocators gave and did not get back, from tracemalloc."""
