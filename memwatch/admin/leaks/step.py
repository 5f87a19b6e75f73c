"""A link of the chain of evidence, as the leak's page shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString

from memwatch.admin.panels import Line, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One link of the chain."""

    key: str
    title: str
    answer: str | SafeString = ""
    """Empty: not measured yet."""
    lines: Sequence[Line] = ()
    missing: str = ""
    """What is not known, and what would measure it."""
    by_snapshot: bool = False
    """A snapshot measures it."""
    by_recording: Sequence[str] = ()
    """The kinds of recording that measure it."""
    recordings: Sequence[Mapping[str, Any]] = ()
    releases: Sequence[Mapping[str, Any]] = ()
    table: Table | None = None

    @property
    def known(self) -> bool:
        return bool(self.answer)
