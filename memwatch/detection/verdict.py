"""The judgement of one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from memwatch.figures import BigContainer, Leak

OUTCOMES = ("leak", "expected", "quiet", "not enough data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of a series, by which rule and on which figures."""

    outcome: str
    """``leak``, ``expected`` (harmless, the sentence says why), ``quiet`` (no gate opened) or ``not enough data``."""
    kind: str
    """``objects``, ``untracked``, ``native`` or ``fragmentation``."""
    object_type: str
    """The type name, or the kind."""
    rule: str
    """The rule that decided, by the name of its function in ``memwatch.detection.rules``; ``all`` for a leak."""
    sentence: str = ""
    """For the operator."""
    confidence: str = "low"
    severity: str = "low"
    started_at: datetime | None = None
    """Since when it grows, as far as the window shows."""
    initial_count: int = 0
    """Objects, blocks, entries or KiB (``statistics["unit"]``) at the start of the window."""
    current_count: int = 0
    growth_count: int = 0
    growth_percent: float = 0.0
    growth_per_hour: float | None = None
    time_to_exhaustion_s: float | None = None
    window: str = "given"
    """``hour``, ``day``, ``week``, ``given`` or ``lives`` (pooled over recycled workers)."""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    """Every figure that a rule computed, JSON-ready."""
    grows_with: tuple[str, ...] = ()
    """Types that grow in step and have the same cause."""
    container: BigContainer | None = None
    """What holds it, where the census saw it."""
    candidates: tuple[str, ...] = ()
    """Extension modules that may hold native memory."""

    @property
    def is_leak(self) -> bool:
        return self.outcome == "leak"

    def evidence(self) -> dict[str, Any]:
        """Everything that led to the verdict, as :func:`json.dumps` takes it."""
        found: dict[str, Any] = {
            "rule": self.rule,
            "outcome": self.outcome,
            "window": self.window,
            "grows_with": list(self.grows_with),
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "growth_per_hour": self.growth_per_hour,
            "time_to_exhaustion_s": self.time_to_exhaustion_s,
            "statistics": dict(self.statistics),
        }
        if self.container is not None:
            found["container"] = self.container.to_dict() | {"description": describe(self.container)}
        if self.candidates:
            found["extension_modules"] = list(self.candidates)
        return found

    def to_leak(self, now: datetime | None = None) -> Leak:
        """The leak to keep; :class:`ValueError` for a verdict that is none."""
        if not self.is_leak:
            raise ValueError(f"{self.object_type} was judged {self.outcome!r}: only a leak becomes a Leak")
        return Leak(
            object_type=self.object_type,
            initial_count=self.initial_count,
            current_count=self.current_count,
            growth_count=self.growth_count,
            growth_percent=self.growth_percent,
            detection_time=now if now is not None else datetime.now(UTC),
            severity=self.severity,
            kind=self.kind,
            confidence=self.confidence,
            verdict=self.sentence,
            evidence=self.evidence(),
        )


def describe(container: BigContainer) -> str:
    """E.g. ``shop.leaks.FRAGMENTS, a list of 12,000 str``."""
    entries = f"a {container.type} of {container.length:,} {container.holds or 'entries'}"
    return f"{container.name}, {entries}" if container.name else entries
