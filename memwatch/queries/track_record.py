"""What became of the leaks that were found."""

from __future__ import annotations

from django.db.models import OuterRef, Q, Subquery

from memwatch.detection.confidence.track_record import CONFIRMED, DISMISSED, OPEN, OVER, Finding, TrackRecord, summed
from memwatch.models import Leak, LeakEvent

MOST_ROWS = 2_000
"""Rows that are read, the newest: a leak in a hundred workers has a hundred."""

_Kind, _State = LeakEvent.Kind, Leak.State
_DECIDED = {
    _Kind.ACKNOWLEDGED: CONFIRMED,
    _Kind.RESOLVED: CONFIRMED,
    _Kind.REOPENED: CONFIRMED,
    _Kind.SUPPRESSED: DISMISSED,
}
"""What a decision of a person says of a leak. memwatch itself resolves and suppresses too, and that decides nothing."""


def track_record(service: str | None = None) -> TrackRecord:
    """Of one service, or of all. One query.

    Growth that a rule has suppressed from the first is no finding.
    """
    by_a_person = Q(by_a_person=True) | Q(kind=_Kind.ACKNOWLEDGED)
    decisions = LeakEvent.objects.filter(by_a_person, leak=OuterRef("pk"), kind__in=_DECIDED).order_by("-at", "-id")
    rows = Leak.objects.annotate(
        decision=Subquery(decisions.values("kind")[:1]), decided_at=Subquery(decisions.values("at")[:1])
    )
    if service is not None:
        rows = rows.filter(service__name=service)
    causes: dict[tuple[int, str, str], list[Leak]] = {}
    chosen = rows.select_related("service").defer("evidence", "verdict").order_by("-detected_at", "-pk")
    for row in chosen[:MOST_ROWS]:
        causes.setdefault((row.service_id, row.kind, row.object_type), []).append(row)
    findings = [found for group in causes.values() if (found := _finding(group)) is not None]
    return summed(findings)


def _finding(rows: list[Leak]) -> Finding | None:
    """Of one cause in one service; the last decision on any of its rows counts for all."""
    decided = [row for row in rows if row.decided_at is not None]  # type: ignore[attr-defined]
    if decided:
        outcome = _DECIDED[max(decided, key=lambda row: row.decided_at).decision]  # type: ignore[attr-defined]
    elif all(row.state == _State.SUPPRESSED for row in rows):
        return None
    else:
        outcome = OVER if all(row.state == _State.RESOLVED for row in rows) else OPEN
    newest = rows[0]
    return Finding(
        service=newest.service.name,
        what=newest.what,
        leak=newest.pk,
        detected_at=newest.detected_at,
        outcome=outcome,
        probability=newest.probability,
    )
