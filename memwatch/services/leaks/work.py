"""What a run does to the leaks of one process or service, gathered before it is written."""

from __future__ import annotations

import dataclasses
from collections import Counter

from memwatch.models import ExpectedGrowth, Leak, LeakEvent
from memwatch.services.leaks.expected_growth import ExpectedRules
from memwatch.services.leaks.judgement import Judgement
from memwatch.services.leaks.looks import Looks
from memwatch.services.leaks.state import close

_State, _Event = Leak.State, LeakEvent.Kind


@dataclasses.dataclass(slots=True)
class Pass:
    """The work on one process or service."""

    judgement: Judgement
    rules: ExpectedRules
    looks: Looks
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    events: list[LeakEvent] = dataclasses.field(default_factory=list)
    announced: list[Leak] = dataclasses.field(default_factory=list)
    held_back: list[ExpectedGrowth] = dataclasses.field(default_factory=list)
    """One for each leak that it kept from opening."""
    suppressed: list[ExpectedGrowth] = dataclasses.field(default_factory=list)
    """One expected growth for each leak verdict on a row that it suppresses already."""

    def event(self, row: Leak, kind: str, comment: str) -> None:
        self.events.append(LeakEvent(leak=row, kind=kind, comment=comment, at=self.judgement.now))

    def announce(self, row: Leak, kind: str, comment: str) -> None:
        """Note an opening or reopening, which sends a signal."""
        self.event(row, kind, comment)
        self.counts["opened" if kind == _Event.DETECTED else "reopened"] += 1
        self.announced.append(row)

    def suppress(self, row: Leak, rule: ExpectedGrowth) -> None:
        row.state, row.snoozed_until, row.expected_growth = _State.SUPPRESSED, None, rule
        self.held_back.append(rule)
        self.counts["suppressed"] += 1
        self.event(row, _Event.SUPPRESSED, f"expected: {rule.reason}")

    def resolve(self, row: Leak, comment: str) -> None:
        close(row, self.judgement.now)
        self.counts["resolved"] += 1
        self.event(row, _Event.RESOLVED, comment)
