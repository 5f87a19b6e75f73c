"""The options of each kind of recording: checked and capped here for every caller."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from memwatch.diagnosis.context import Refused

MAX_DURATION_S = 300
MAX_FRAMES = 25
UNTRACKED = "untracked"
"""In place of a type: the container that has grown most."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ReferrersOptions:
    """Options of a recording of referrers."""

    type: str
    """``module.QualName`` as snapshots say it, or ``untracked``."""
    container: str = ""
    """With ``untracked``: the module-level name of the container; without it, the one that has grown most."""
    samples: int = 20
    """Instances to show the values of, with ``values``; five times as many are examined."""
    values: bool = False
    """Show values of built-in types: they may be personal data."""
    depth: int | None = None
    """Steps to climb at most; ``None`` for as many as are looked at anyway."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AllocationsOptions:
    """Options of a recording of allocation sites."""

    type: str | None = None
    """The type whose allocations are to be marked."""
    duration_s: float = 30.0
    frames: int = 1
    callers: bool = True
    """Where a library's line allocates, look for some seconds, with deep stacks, who of the program's own calls it."""
    max_traced_mb: float = 64.0
    """It ends when so much is traced."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FlamegraphOptions:
    """Options of a flame graph."""

    duration_s: float = 30.0
    mode: str = "leaks"
    """``leaks``: what was not freed by the end, by every Python object; ``peak``: what was alive at the peak."""
    native_traces: bool = False
    max_file_mb: float = 16.0
    """It ends when the capture is so large."""


def referrers(given: Mapping[str, Any]) -> ReferrersOptions:
    """Raises :class:`Refused` that names the option and what would be right."""
    name = _text(given, "type", "")
    if not name:
        raise Refused('type is missing: give the name of the type to look for, e.g. "shop.leaks.PriceQuote"')
    return ReferrersOptions(
        type=name,
        container=_text(given, "container", ""),
        samples=int(_number(given, "samples", 20, 1, 100)),
        values=_flag(given, "values"),
        depth=None if given.get("depth") is None else int(_number(given, "depth", 6, 1, 12)),
    )


def allocations(given: Mapping[str, Any]) -> AllocationsOptions:
    """As :func:`referrers`."""
    return AllocationsOptions(
        type=_text(given, "type", "") or None,
        duration_s=_number(given, "duration_s", 30, 0.1, MAX_DURATION_S),
        frames=int(_number(given, "frames", 1, 1, MAX_FRAMES)),
        callers=given.get("frames") is None,
        max_traced_mb=_number(given, "max_traced_mb", 64, 0.001, 1024),
    )


def flamegraph(given: Mapping[str, Any]) -> FlamegraphOptions:
    """As :func:`referrers`."""
    mode = _text(given, "mode", "leaks")
    if mode not in ("leaks", "peak"):
        raise Refused(f"mode is {mode[:40]!r}: give leaks or peak")
    return FlamegraphOptions(
        duration_s=_number(given, "duration_s", 30, 0.1, MAX_DURATION_S),
        mode=mode,
        native_traces=_flag(given, "native_traces"),
        max_file_mb=_number(given, "max_file_mb", 16, 0.001, 64),
    )


def _number(given: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Too much is cut to the most that is allowed; what is no number, or too little, is refused."""
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= low:
        raise Refused(f"{name} is {str(value)[:40]!r}: give a number from {low:g} to {high:g}, e.g. {default:g}")
    return min(value, high)


def _text(given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > 300:
        raise Refused(f"{name} is {str(value)[:40]!r}: give a text of at most 300 characters")
    return value


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Refused(f"{name} is {str(value)[:40]!r}: give true or false")
    return value
