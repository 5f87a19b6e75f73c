"""Leaks in the tables of other pages: the overview's, a service's, a process's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Case, IntegerField, Value, When

from memwatch.admin import evidence, formats
from memwatch.figures import SEVERITIES
from memwatch.models import Leak

SEVERITY_RANK = Case(
    *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(SEVERITIES)),
    default=Value(0),
    output_field=IntegerField(),
)
"""Severity in order, not by the alphabet."""


def worst_first(leaks: Iterable[Leak]) -> list[Leak]:
    """By severity, then by how soon memory runs out; the same leak in several processes of a service stays together."""
    groups = [list(group) for _key, group in groupby(sorted(leaks, key=_cause), key=_cause)]
    groups.sort(key=lambda group: min(map(_urgency, group)))
    return [leak for group in groups for leak in sorted(group, key=_urgency)]


def _cause(leak: Leak) -> tuple[int, str, str]:
    return leak.service_id, leak.kind, leak.object_type


def _urgency(leak: Leak) -> tuple[int, float, float]:
    left = math.inf if leak.time_to_exhaustion_s is None else leak.time_to_exhaustion_s
    return -SEVERITIES.index(leak.severity), left, -leak.detected_at.timestamp()


def leak_row(leak: Leak, now: datetime) -> dict[str, Any]:
    """A leak in a table on another page; load it with ``service`` and ``process__service``."""
    return {
        "url": formats.page_url("leak", leak.pk),
        "type": evidence.name_of(leak),
        "held_in": evidence.held_in(leak),
        "where": leak.process.slot if leak.process else leak.service.name,
        "where_url": formats.page_url("process", leak.process_id) if leak.process_id else "",
        "severity": formats.severity_badge(leak.severity, leak.get_severity_display()),
        "state": formats.state_badge(leak.state, leak.get_state_display()),
        "growth": evidence.growth(leak, leak.growth_count),
        "per_hour": evidence.growth(leak, leak.growth_per_hour),
        "exhaustion": formats.duration(leak.time_to_exhaustion_s),
        "since": formats.when(leak.started_at or leak.detected_at, now),
    }
