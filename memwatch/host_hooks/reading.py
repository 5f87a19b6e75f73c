"""Reading attributes of what the host hands over."""

from __future__ import annotations

from typing import Any


def read(owner: object, name: str) -> Any:
    """An attribute; ``None`` where there is none, or a property of the host's raises."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - whatever the host's code raises
        return None
