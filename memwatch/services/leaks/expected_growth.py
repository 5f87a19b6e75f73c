"""The growth that operators expect: which rule holds a type back, and how often it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from django.db.models import F

from memwatch.models import ExpectedGrowth


class ExpectedRules:
    """All rules as they are at the start of a run."""

    def __init__(self) -> None:
        self._rules = list(ExpectedGrowth.objects.select_related("service").order_by("pk"))
        self._held_back: Counter[int] = Counter()
        self._suppressed: Counter[int] = Counter()

    def match(self, object_type: str, service_id: int, now: datetime) -> ExpectedGrowth | None:
        """The first rule in force that expects this type's growth in this service."""
        return next((rule for rule in self._rules if expects(rule, object_type, service_id, now)), None)

    def count(self, *, held_back: Iterable[ExpectedGrowth], suppressed: Iterable[ExpectedGrowth]) -> None:
        """Count a rule for each leak that it kept from opening, and for each verdict on what it holds back already."""
        opened = Counter(rule.pk for rule in held_back)
        self._held_back += opened
        self._suppressed += opened + Counter(rule.pk for rule in suppressed)

    def save(self, now: datetime) -> None:
        """Write what was counted."""
        for pk, verdicts in sorted(self._suppressed.items()):
            ExpectedGrowth.objects.filter(pk=pk).update(
                matches=F("matches") + self._held_back[pk],
                suppressed_verdicts=F("suppressed_verdicts") + verdicts,
                last_matched_at=now,
            )


def expects(rule: ExpectedGrowth, object_type: str, service_id: int, now: datetime) -> bool:
    """Is it in force, and does it expect this type's growth in this service?"""
    here = rule.service_id is None or rule.service_id == service_id
    return here and rule.is_active(now) and fnmatchcase(object_type, rule.type_pattern)
