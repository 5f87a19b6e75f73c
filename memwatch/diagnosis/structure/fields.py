"""Fields of a result that an agent sent, whatever it may have sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def row(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object; empty where it is none."""
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def number(of: Mapping[str, Any], name: str) -> float:
    """A figure; 0 where it is none."""
    value = of.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def is_bounded(holder: Mapping[str, Any]) -> bool:
    """Whether the holder grows up to its bound, and no further."""
    bound = row(holder, "bound")
    return bound.get("explains") is True and bound.get("own") is not False and bound.get("fits") is not False


def size(kib: float) -> str:
    """``3.2 MB``."""
    for unit, of in (("GB", 1024**2), ("MB", 1024)):
        if kib >= of:
            return f"{kib / of:,.1f} {unit}"
    return f"{kib:,.1f} KB"
