"""The verdict on one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from memwatch.detection.confidence import probability
from memwatch.detection.severity import Urgency, leak_severity, milder
from memwatch.records import BigContainer, Leak

OUTCOMES = ("leak", "expected", "quiet", "not enough data")
FINDING_OUTCOMES = {"leak": "passed", "expected": "failed", "quiet": "failed", "not enough data": "undecided"}
"""The outcome of the finding of the rule that settled a case, by the outcome of the verdict."""

MOST_UNSURE = "medium"
"""The severity of a verdict of low confidence, at most."""

MOST_NAMED = 50
"""Types that grow with it, and extension modules, that evidence lists."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one rule."""

    rule: str
    """Its name."""
    outcome: str
    """``passed`` (it supports a leak), ``failed`` (it settled that this is no leak), ``undecided`` (it settled that
    more points are needed), ``not applicable``, or ``not reached`` (an earlier rule settled it)."""
    sentence: str = ""
    """The figures and their bounds; where the rule settled the case, the reason first."""

    def to_dict(self) -> dict[str, str]:
        return {"rule": self.rule, "outcome": self.outcome, "sentence": self.sentence}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The outcome for a series, the rule that settled it, and the figures."""

    outcome: str
    """``leak``, ``expected`` (harmless; the sentence says why), ``quiet`` (no gate opened) or ``not enough data``."""
    kind: str
    """``objects``, ``untracked``, ``native`` or ``fragmentation``."""
    object_type: str
    """The type name, or the kind."""
    rule: str
    """The name of the rule that settled it (``rules.registry.QUESTIONS``); ``all`` for a leak that no rule settled."""
    sentence: str = ""
    """For the operator."""
    confidence: str = "low"
    severity: str = "low"
    """By the reference's levels; :meth:`watched_severity` is that of a leak's row."""
    urgency: Urgency | None = None
    """What the severity was taken from; ``None`` for lives, and for what is no leak."""
    started_at: datetime | None = None
    """Start of the growth, as far as the window shows it."""
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
    """Types that grow in step with it and have the same cause."""
    container: BigContainer | None = None
    """The container that holds it, if a census saw one."""
    candidates: tuple[str, ...] = ()
    """Extension modules that may hold native memory."""
    findings: tuple[Finding, ...] = ()
    """One for each rule, in their order; empty for what was quiet."""
    trend: Mapping[str, Any] | None = None
    """The floors and the line through them, in the format of :meth:`evidence`; ``None`` for too few points."""

    @property
    def key(self) -> tuple[str, str]:
        """Kind and object type: within a process or service, the identity of the leak."""
        return self.kind, self.object_type

    @property
    def is_leak(self) -> bool:
        return self.outcome == "leak"

    @property
    def probability(self) -> float | None:
        """That it is a leak, by the calibration; ``None`` for what is not called one."""
        return probability.of(self.statistics, self.window) if self.is_leak else None

    def watched_severity(self, before: str = "low") -> str:
        """The severity of the leak that this keeps open and that was ``before``: see ``docs/verdicts.md``."""
        if self.urgency is None:
            return self.severity
        severity = leak_severity(self.urgency, before=before)
        return milder(severity, MOST_UNSURE) if self.confidence == "low" else severity

    def evidence(self) -> dict[str, Any]:
        """Everything that led to the verdict, a few kilobytes that :func:`json.dumps` accepts.

        ``rule``, ``outcome``, ``window``, ``sentence``: as the attributes. ``rules``: a list of ``{"rule", "outcome",
        "sentence"}``, one for each rule in its order (see :class:`Finding`). Where none of these settled the verdict,
        the last entry is what did (``grouping``, ``pooled``, ``newest_lives``, ``fragmentation``).

        ``trend``: ``None``, or ``{"axis", "unit", "start": [x, y], "end": x, "slope", "low", "high", "floors": [[x, y],
        …]}``. x is seconds since the epoch where ``axis`` is ``time``, seconds since the process started where it is
        ``age``, requests and tasks handled where it is ``work``; y is in ``unit``. The slope and its 95 % interval
        (``low``, ``high``) are an hour (a unit of work for ``work``); all three lines begin at ``start``.

        ``statistics``: every figure by name. ``container`` and ``extension_modules`` (the loaded ones that may hold
        native memory) are absent where there are none.
        """
        evidence: dict[str, Any] = {
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
            evidence["container"] = self.container.to_dict() | {"description": describe(self.container)}
        if self.candidates:
            evidence["extension_modules"] = list(self.candidates[:MOST_NAMED])
        return evidence

    def _all_findings(self) -> tuple[Finding, ...]:
        if self.rule == "all" or any(finding.rule == self.rule for finding in self.findings):
            return self.findings
        return (*self.findings, Finding(self.rule, FINDING_OUTCOMES[self.outcome], self.sentence))

    def to_leak(self, now: datetime | None = None) -> Leak:
        """The leak to store; raises :class:`ValueError` for any other verdict."""
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
            probability=self.probability,
            verdict=self.sentence,
            evidence=self.evidence(),
        )


def describe(container: BigContainer) -> str:
    """E.g. ``shop.leaks.FRAGMENTS, a list of 12,000 str``."""
    entries = f"a {container.type} of {container.length:,} {container.holds or 'entries'}"
    return f"{container.name}, {entries}" if container.name else entries
