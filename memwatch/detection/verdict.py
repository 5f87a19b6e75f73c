"""The judgement of one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from memwatch.detection.severity import Urgency, leak_severity, milder
from memwatch.records import BigContainer, Leak

OUTCOMES = ("leak", "expected", "quiet", "not enough data")


MOST_UNSURE = "medium"
"""The severity of a verdict of low confidence, at most."""

MOST_NAMED = 50
"""Names that evidence lists of what grows with it, and of extension modules."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule had to say."""

    rule: str
    """By the name of its function."""
    outcome: str
    """``passed`` (it speaks for a leak), ``failed`` (it settled that this is none), ``undecided`` (it settled that
    more points are needed), ``not applicable``, or ``not reached`` (an earlier rule had settled it)."""
    sentence: str = ""
    """The figure and its bound; where it settled the case, the reason first."""

    def to_dict(self) -> dict[str, str]:
        return {"rule": self.rule, "outcome": self.outcome, "sentence": self.sentence}


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
    """The rule that decided: the name of its function in ``rules.registry.RULES``; ``all`` for a leak."""
    sentence: str = ""
    """For the operator."""
    confidence: str = "low"
    severity: str = "low"
    """By the reference's levels; :meth:`watched_severity` is that of a leak's row."""
    urgency: Urgency | None = None
    """What the severity was taken from; ``None`` for lives, and for what is no leak."""
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
    findings: tuple[Finding, ...] = ()
    """Of every rule, in their order; empty for what was quiet."""
    trend: Mapping[str, Any] | None = None
    """The floors and the line through them, as :meth:`evidence` tells; ``None`` for too few."""

    @property
    def is_leak(self) -> bool:
        return self.outcome == "leak"

    def watched_severity(self, before: str = "low") -> str:
        """The severity of the leak that this keeps open and that was ``before``: see ``docs/verdicts.md``."""
        if self.urgency is None:
            return self.severity
        severity = leak_severity(self.urgency, before=before)
        return milder(severity, MOST_UNSURE) if self.confidence == "low" else severity

    def evidence(self) -> dict[str, Any]:
        """Everything that led to the verdict, as :func:`json.dumps` takes it, of a few kilobytes.

        ``rule``, ``outcome``, ``window``, ``sentence``: as the attributes. ``rules``: a list of ``{"rule", "outcome",
        "sentence"}``, one for each rule in its order (see :class:`Finding`), and at the end the one that decided where
        that is none of them (``grouping``, ``pooled``, ``fragmentation``).

        ``trend``: ``None``, or ``{"axis", "unit", "start": [x, y], "end": x, "slope", "low", "high", "floors": [[x, y],
        …]}``. x is seconds since the epoch where ``axis`` is ``time``, seconds since the process started where it is
        ``age``, requests and tasks handled where it is ``work``; y counts in ``unit``. The slope and its bounds of
        95 % are an hour (a unit of work for ``work``); all three lines go out from ``start``.

        ``statistics``: every figure by name. ``container``, ``extension_modules`` (the loaded ones that may hold
        native memory) are absent where there are none.
        """
        found: dict[str, Any] = {
            "rule": self.rule,
            "outcome": self.outcome,
            "window": self.window,
            "sentence": self.sentence,
            "grows_with": list(self.grows_with[:MOST_NAMED]),
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "growth_per_hour": self.growth_per_hour,
            "time_to_exhaustion_s": self.time_to_exhaustion_s,
            "statistics": dict(self.statistics),
            "rules": [finding.to_dict() for finding in self._all_findings()],
            "trend": None if self.trend is None else dict(self.trend),
        }
        if self.container is not None:
            found["container"] = self.container.to_dict() | {"description": describe(self.container)}
        if self.candidates:
            found["extension_modules"] = list(self.candidates[:MOST_NAMED])
        return found

    def _all_findings(self) -> tuple[Finding, ...]:
        if self.rule == "all" or any(finding.rule == self.rule for finding in self.findings):
            return self.findings
        outcome = {"leak": "passed", "not enough data": "undecided"}.get(self.outcome, "failed")
        return (*self.findings, Finding(self.rule, outcome, self.sentence))

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
