"""Putting a function of ours around one of the program's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

WRAPPED = "__memwatch__"


def wrap_method(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    """Replace ``owner.name`` by what ``wrapper`` makes of it, once. Nothing happens where there is none."""
    original = getattr(owner, name, None)
    if original is not None and not hasattr(original, WRAPPED):
        wrapped = functools.wraps(original)(wrapper(original))
        setattr(wrapped, WRAPPED, True)
        setattr(owner, name, wrapped)
