"""How good the verdicts of a site were: what its people made of the leaks that were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

CONFIRMED, DISMISSED, OVER, OPEN = "confirmed", "dismissed", "over", "open"
"""A person acknowledged, resolved or reopened it; a person suppressed it as expected growth; it ended, or is still
open, without a person's decision."""
OUTCOMES = (CONFIRMED, DISMISSED, OVER, OPEN)

LAST = 20
"""Leaks that the sentence is about."""
LEVELS = (0.95, 0.85, 0.7, 0.0)
"""Least probability of each level that verdicts are counted by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A leak that was found: one type in one service, in however many processes."""

    service: str
    what: str
    leak: int
    """Its newest row."""
    detected_at: datetime
    outcome: str
    probability: float | None = None
    """Of the verdict at last; ``None`` for rows without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """What became of the verdicts of one level of probability."""

    least: float | None
    """``None`` for verdicts without a probability."""
    below: float = 1.0
    """The next level begins here."""
    found: int
    confirmed: int
    dismissed: int

    @property
    def share(self) -> float | None:
        """Confirmed ones of those decided; ``None`` before anybody decided."""
        decided = self.confirmed + self.dismissed
        return self.confirmed / decided if decided else None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackRecord:
    """The sum of all, the newest first."""

    findings: Sequence[Finding]
    found: int
    """Leaks that the counts are of: the last ``LAST`` at most."""
    confirmed: int
    dismissed: int
    over: int
    open: int
    levels: Sequence[Level]
    """Of all findings, the highest level first."""

    @property
    def sentence(self) -> str:
        """``Of the last 20 leaks found here, 17 were confirmed and 1 dismissed; 2 are not decided.``"""
        if not self.found:
            return "No leak was found here yet."
        if self.found == 1:
            text = "The only leak found here"
            said = {CONFIRMED: "was confirmed", DISMISSED: "was dismissed"}
            return f"{text} {said.get(self.findings[0].outcome, 'is not decided')}."
        confirmed = f"{self.confirmed} {'was' if self.confirmed == 1 else 'were'} confirmed"
        text = f"Of the last {self.found} leaks found here, {confirmed} and {self.dismissed} dismissed"
        undecided = self.over + self.open
        return f"{text}; {undecided} {'is' if undecided == 1 else 'are'} not decided." if undecided else f"{text}."


def summed(findings: Sequence[Finding]) -> TrackRecord:
    """The record of these, given the newest first."""
    counts = Counter(finding.outcome for finding in findings[:LAST])
    levels = [
        _level(
            [finding for finding in findings if (at := finding.probability) is not None and least <= at < below],
            least,
            below,
        )
        for least, below in zip(LEVELS, (1.01, *LEVELS), strict=False)
    ]
    unknown = [finding for finding in findings if finding.probability is None]
    return TrackRecord(
        findings=findings,
        found=min(LAST, len(findings)),
        confirmed=counts[CONFIRMED],
        dismissed=counts[DISMISSED],
        over=counts[OVER],
        open=counts[OPEN],
        levels=[*levels, *([_level(unknown, None, 1.0)] if unknown else [])],
    )


def _level(findings: Sequence[Finding], least: float | None, below: float) -> Level:
    counts = Counter(finding.outcome for finding in findings)
    return Level(
        least=least,
        below=min(1.0, below),
        found=len(findings),
        confirmed=counts[CONFIRMED],
        dismissed=counts[DISMISSED],
    )
