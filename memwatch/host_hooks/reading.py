"""Reading attributes of what the host hands over.

What is read may be anything. It is compared, converted and tested only once its type is known to be built-in: ``==``,
``or``, ``str()`` and ``isinstance()`` would run the host's methods.
"""

from __future__ import annotations

from typing import Any


def read(owner: object, name: str) -> Any:
    """An attribute; ``None`` where there is none, or a property of the host's raises."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - whatever the host's code raises
        return None


def is_exactly(value: object, *types: type) -> bool:
    """Whether it is of one of these types and of no subclass. ``in`` would compare with a metaclass's ``__eq__``."""
    return any(type(value) is each for each in types)
