"""The reasons for a verdict, rule by rule, in plain words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memwatch.admin import formats

NOT_ASKED = "—"
MOST_RULES = 40
LONGEST_SENTENCE = 600

QUESTIONS: dict[str, Promise] = {
    "gates": gettext_lazy("Has it grown enough to be looked at?"),
    "few_points": gettext_lazy("Are there enough points?"),
    "warm_up": gettext_lazy("Does it still grow when the start is left out?"),
    "floor": gettext_lazy("Do its lowest points rise?"),
    "trend": gettext_lazy("Do they rise steadily?"),
    "jumps": gettext_lazy("Is it more than a few jumps?"),
    "shape": gettext_lazy("Is it shaped like a leak?"),
    "still_growing": gettext_lazy("Does it grow to the end?"),
    "stopped": gettext_lazy("Has it not stopped?"),
    "paused": gettext_lazy("Is it more than a rest?"),
    "slowing": gettext_lazy("Does it keep its pace?"),
    "few_lives": gettext_lazy("Are there enough lives?"),
    "in_most_lives": gettext_lazy("Does it rise in most of the lives?"),
    "load": gettext_lazy("Is it more than the load of the day?"),
    "newest_lives": gettext_lazy("Do the newest lives still show it?"),
    "memory_behind": gettext_lazy("Is there memory behind it?"),
    "full_collection": gettext_lazy("Does it outlive a full garbage collection?"),
    "as_high_before": gettext_lazy("Is it higher than ever before?"),
    "season": gettext_lazy("Is it more than the time of the day?"),
    "grouping": gettext_lazy("Is it a cause of its own?"),
    "pooled": gettext_lazy("Does it grow in one life of the process after the other?"),
}
OUTCOMES: dict[str, tuple[str, str, Promise]] = {
    "passed": ("found", "✓", gettext_lazy("speaks for a leak")),
    "failed": ("against", "✗", gettext_lazy("speaks against it")),
    "undecided": ("undecided", "?", gettext_lazy("cannot tell yet")),
    "not applicable": ("skipped", NOT_ASKED, gettext_lazy("does not apply")),
    "not reached": ("skipped", NOT_ASKED, gettext_lazy("was not asked")),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuleRow:
    """What one rule had to say."""

    question: str
    name: str
    outcome: SafeString
    kind: str
    """``found``, ``against``, ``undecided`` or ``skipped``."""
    sentence: str


def rule_rows(evidence: Any) -> list[RuleRow]:
    """The account that the verdict kept, in the order of the rules; ``[]`` where it kept none."""
    kept = evidence.get("rules") if isinstance(evidence, Mapping) else None
    if not isinstance(kept, list):
        return []
    return [_row(entry) for entry in kept[:MOST_RULES] if isinstance(entry, Mapping)]


def _row(entry: Mapping[str, Any]) -> RuleRow:
    name, outcome, sentence = (str(entry.get(key) or "") for key in ("rule", "outcome", "sentence"))
    kind, shape, words = OUTCOMES.get(outcome, ("skipped", NOT_ASKED, outcome or formats.NOT_MEASURED))
    question = QUESTIONS.get(name)
    return RuleRow(
        question=str(question) if question else name.replace("_", " "),
        name=name,
        outcome=formats.badge("rule", kind, words, shape),
        kind=kind,
        sentence=sentence if len(sentence) <= LONGEST_SENTENCE else f"{sentence[:LONGEST_SENTENCE]}…",
    )
