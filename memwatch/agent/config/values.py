"""What the value of a setting may be: each function takes it as given, and returns it or says what would be right.

All raise :class:`ValueError` with the remedy as the text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise ValueError("give True or False (on or off in the environment)")


def number(value: Any, *, low: float, high: float, example: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"give a number, e.g. {example}") from None
    if not low <= found <= high:
        raise ValueError(f"give a number from {low:g} to {high:g}, e.g. {example}")
    return found


def between(low: float, high: float, example: str) -> Callable[[Any], float]:
    return functools.partial(number, low=low, high=high, example=example)


def whole(low: int, high: int, example: str) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        found = number(value, low=low, high=high, example=example)
        if found != int(found):
            raise ValueError(f"give a whole number, e.g. {example}")
        return int(found)

    return parse


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("give a text")
    return value


def keys(value: Any) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (None,)
    if not all(isinstance(key, str) for key in found):
        raise ValueError("give a text, or a list of texts")
    return tuple(key for key in found if key)


def name(value: Any) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or len(value) > 100 or not value.isprintable() or "/" in value:
        raise ValueError('give a short name without "/", e.g. "web"')
    return value


def optional_limit(value: Any) -> float | None:
    return None if value in (None, "") else number(value, low=1, high=1e9, example="2048")


TRACES = OFF, LINKS, ATTRIBUTES = ("off", "links", "attributes")
"""Whether jobs are linked with the program's traces, and whether spans get the figures of their jobs."""


def traces(value: Any) -> str:
    word = {False: OFF, True: LINKS, "": OFF, "on": LINKS}.get(value, value) if isinstance(value, bool | str) else ""
    if word not in TRACES:
        raise ValueError(f"give one of {', '.join(TRACES)}")
    return str(word)


def transport(value: Any) -> str:
    if isinstance(value, str) and value.split(":", 1)[0] in ("local", "redis", "rediss", "unix"):
        return value
    raise ValueError('give "local:", "local:///a/folder" or "redis://host:6379/0"')
