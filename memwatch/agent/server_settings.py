"""What the server of this process says of itself, noted where it is known, for the next description of the process."""

from __future__ import annotations

from memwatch.records.server_settings import Value, Values

_noted: dict[str, Value] = {}
"""A child inherits what its parent has noted."""


def note(values: Values) -> None:
    """Add to what is known; later notes replace earlier ones of the same name."""
    _noted.update(values)


def noted() -> dict[str, Value]:
    """All that is known."""
    return dict(_noted)
