"""Leaks in the tables of other pages: the overview's, a service's, a process's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.leaks import evidence
from memwatch.models import Leak
from memwatch.queries import LeakGlance
from memwatch.records import SEVERITIES

L = TypeVar("L", Leak, LeakGlance)
_FIRST_TWO = itemgetter(0, 1)


def worst_first(leaks: Iterable[L]) -> list[L]:
    """By severity, then by how soon memory runs out; the same leak in several processes of a service stays together."""
    found: dict[tuple[int, str, str], list[L]] = {}
    for _urgency_of_it, cause, leak in sorted(((_urgency(leak), _cause(leak), leak) for leak in leaks), key=_FIRST_TWO):
        found.setdefault(cause, []).append(leak)
    return [leak for group in found.values() for leak in group]


def causes_of(leaks: Iterable[LeakGlance]) -> list[list[LeakGlance]]:
    """Group the leaks of one type in one service, in the order given."""
    found: dict[tuple[int, str, str], list[LeakGlance]] = {}
    for leak in leaks:
        found.setdefault(_cause(leak), []).append(leak)
    return list(found.values())


def cause_rows(
    causes: Sequence[Sequence[LeakGlance]], known: Mapping[int, Leak], now: datetime
) -> list[dict[str, Any]]:
    """A row for each cause: its worst leak, and in how many processes more it is. ``known``: the worst ones whole."""
    rows = []
    for cause in causes:
        leak, more = known.get(cause[0].pk), len(cause) - 1
        if leak is None:
            continue
        row = leak_row(leak, now)
        if more:
            row["also"] = ngettext("and %s more process", "and %s more processes", more) % formats.count(more)
            row["also_url"] = each_process_url(leak)
        rows.append(row)
    return rows


def each_process_url(leak: Leak) -> str:
    """The list of this leak's rows, one for each process of the service."""
    service = leak.service_id
    return formats.changelist(
        "leak", by="process", service__id__exact=service, kind__exact=leak.kind, object_type=leak.object_type
    )


def _cause(leak: Leak | LeakGlance) -> tuple[int, str, str]:
    return leak.service_id, leak.kind, leak.object_type


def _urgency(leak: Leak | LeakGlance) -> tuple[int, float, float]:
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
        "severity": formats.severity_of(leak),
        "state": formats.state_of(leak),
        "growth": evidence.growth(leak, leak.growth_count),
        "per_hour": evidence.growth(leak, leak.growth_per_hour),
        "exhaustion": formats.duration(leak.time_left_s(now)),
        "since": formats.when(leak.started_at or leak.detected_at, now),
    }
