"""JSON from outside: numbers that are finite, nesting and number of values bounded before and while it is read."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 40
"""Lists and objects within one another; ours have at most eight."""
MAX_VALUES = 200_000
"""Values in all: Python's objects take up to fifty times as much memory as their text."""


def loads(payload: bytes | str, *, max_values: int = MAX_VALUES, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text in UTF-8. Raises :class:`ValueError`, which says what is wrong, and nothing else.

    ``NaN``, ``Infinity`` and numbers beyond a double (``1e999``) are no JSON here.
    """
    try:
        text = payload if isinstance(payload, str) else payload.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8: {error.reason}") from None
    # Every value but the first stands behind a comma, a colon or a bracket; those within texts are counted too.
    if sum(map(text.count, ",[{")) > max_values:
        raise ValueError(f"more than {max_values:,} values")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper_than(value, max_depth):
        raise ValueError(f"nested more than {max_depth} deep")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number that can be stored")
    return number


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
