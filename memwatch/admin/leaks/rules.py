"""Why a verdict is what it is, rule by rule, for readers who do not know the rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from memwatch.admin import formats
from memwatch.detection.rules.registry import QUESTIONS

NOT_ASKED = "—"
MOST_RULES = 40
LONGEST_SENTENCE = 600

OUTCOMES: dict[str, tuple[str, str, Promise]] = {
    "passed": ("found", "✓", gettext_lazy("supports a leak")),
    "failed": ("against", "✗", gettext_lazy("no leak")),
    "undecided": ("undecided", "?", gettext_lazy("undecided")),
    "not applicable": ("skipped", NOT_ASKED, gettext_lazy("not applicable")),
    "not reached": ("skipped", NOT_ASKED, gettext_lazy("not reached")),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuleRow:
    """The answer of one rule, as a row of the table."""

    question: str
    name: str
    outcome: SafeString
    kind: str
    """``found``, ``against``, ``undecided`` or ``skipped``."""
    sentence: str


def rule_rows(evidence: Any) -> list[RuleRow]:
    """The findings that the verdict kept, in the order of the rules; ``[]`` where it kept none."""
    kept = evidence.get("rules") if isinstance(evidence, Mapping) else None
    if not isinstance(kept, list):
        return []
    return [_row(entry) for entry in kept[:MOST_RULES] if isinstance(entry, Mapping)]


def _row(entry: Mapping[str, Any]) -> RuleRow:
    name, outcome, sentence = (str(entry.get(key) or "") for key in ("rule", "outcome", "sentence"))
    kind, shape, words = OUTCOMES.get(outcome, ("skipped", NOT_ASKED, outcome or formats.NOT_MEASURED))
    question = QUESTIONS.get(name)
    return RuleRow(
        question=gettext(question) if question else name.replace("_", " "),
        name=name,
        outcome=formats.badge("rule", kind, words, shape),
        kind=kind,
        sentence=sentence if len(sentence) <= LONGEST_SENTENCE else f"{sentence[:LONGEST_SENTENCE]}…",
    )
