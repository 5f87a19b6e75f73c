"""One line of the doctor's."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and how it is."""

    ok: bool | None
    """``None``: worth knowing, nothing to mend."""
    text: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""

    @property
    def mark(self) -> str:
        """``✓``, ``✗`` or ``·``."""
        return "·" if self.ok is None else "✓" if self.ok else "✗"
