"""Whether this process is one of memwatch's own: of those no values are shown, whatever the settings say.

They hold what commands are signed with and who may ask for what.
"""

from __future__ import annotations

_declared = False


def declare() -> None:
    """From now on, and in what it forks, it is."""
    global _declared  # noqa: PLW0603 - one per process
    _declared = True


def is_own() -> bool:
    """Whether it was said."""
    return _declared
