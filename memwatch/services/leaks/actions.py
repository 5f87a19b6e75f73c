"""What operators do to leaks and expected growth. Each act changes the row and leaves its traces, or refuses.

The traces: a :class:`LeakEvent` where it is a leak, and an entry of Django's admin log.
"""

from __future__ import annotations

import glob
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from memwatch.models import ExpectedGrowth, Leak, LeakEvent
from memwatch.services import ActionRefused, audit
from memwatch.services.leaks.state import close, mark_open
from memwatch.services.locking import writing

MAX_SNOOZE = timedelta(days=366)

_State = Leak.State


@writing()
def acknowledge(leak: Leak, *, by: Any, comment: str = "", now: datetime | None = None) -> Leak:
    """Say that somebody is on it: an open leak, or a snoozed one that is looked at after all."""
    row = _locked(leak)
    _require(row, "acknowledged", _State.OPEN, _State.SNOOZED)
    row.state, row.snoozed_until = _State.ACKNOWLEDGED, None
    return _done(leak, row, LeakEvent.Kind.ACKNOWLEDGED, by, comment, now)


@writing()
def snooze(leak: Leak, *, until: datetime, by: Any, comment: str = "", now: datetime | None = None) -> Leak:
    """Keep quiet until ``until`` (aware, in the future, at most a year), unless the severity rises before."""
    now = now or timezone.now()
    row = _locked(leak)
    _require(row, "snoozed", _State.OPEN, _State.ACKNOWLEDGED, _State.SNOOZED)
    _check_future("until", until, now)
    if until - now > MAX_SNOOZE:
        raise ActionRefused(f"until is {until:%Y-%m-%d}: give at most a year; what is expected for good is suppressed")
    row.state, row.snoozed_until = _State.SNOOZED, until
    text = f"until {timezone.localtime(until):%Y-%m-%d %H:%M %Z}"
    return _done(leak, row, LeakEvent.Kind.SNOOZED, by, f"{text}: {comment}" if comment else text, now)


@writing()
def resolve(leak: Leak, *, by: Any, comment: str = "", now: datetime | None = None) -> Leak:
    """Close it. It opens again by itself when its count grows beyond what it is now."""
    now = now or timezone.now()
    row = _locked(leak)
    if row.state == _State.RESOLVED:
        raise ActionRefused(f"{row} is resolved already")
    close(row, now)
    return _done(leak, row, LeakEvent.Kind.RESOLVED, by, comment, now)


@writing()
def reopen(leak: Leak, *, by: Any, comment: str = "", now: datetime | None = None) -> Leak:
    """Open it again. A suppressed one takes its expected growth with it, where that names just this type."""
    now = now or timezone.now()
    row = _locked(leak)
    if row.state == _State.OPEN:
        raise ActionRefused(f"{row} is open already")
    if row.process is not None and row.process.ended_at is not None:
        raise ActionRefused(f"{row}: the process has ended, there is nothing left to watch; look at its successor")
    if row.state == _State.SUPPRESSED:
        _end_expected_growth(row, now)
    mark_open(row)
    return _done(leak, row, LeakEvent.Kind.REOPENED, by, comment, now)


@writing()
def suppress(
    leak: Leak, *, by: Any, reason: str, until: datetime | None = None, now: datetime | None = None
) -> ExpectedGrowth:
    """Expect this type's growth in this service: it is judged and counted, but opens no leak and raises no alert."""
    now = now or timezone.now()
    row = _locked(leak)
    _require(row, "suppressed", _State.OPEN, _State.ACKNOWLEDGED, _State.SNOOZED)
    if not reason.strip():
        raise ActionRefused("say why this growth is expected: the next operator will ask")
    if until is not None:
        _check_future("until", until, now)
    said = {
        "type_pattern": pattern_of(row.object_type), "service": row.service, "reason": reason[:300],
        "expires_at": until,
    }  # fmt: skip
    # The same leak in several processes is suppressed at once: that is one rule.
    expected = ExpectedGrowth.objects.filter(**said).order_by("-pk").first()
    if expected is None:
        expected = ExpectedGrowth(**said, created_at=now, created_by=by)
    expected.matches += 1
    expected.last_matched_at = now
    expected.save()
    row.state, row.snoozed_until, row.expected_growth = _State.SUPPRESSED, None, expected
    audit.record(by, expected, f"Expected from now on: {reason}")
    _done(leak, row, LeakEvent.Kind.SUPPRESSED, by, reason, now)
    return expected


@writing()
def comment(leak: Leak, *, by: Any, comment: str, now: datetime | None = None) -> LeakEvent:
    """Say something for those who look at it next; nothing else changes."""
    row = _locked(leak)
    if not comment.strip():
        raise ActionRefused("the comment is empty: write what the next operator should know")
    audit.record(by, row, f"Comment: {comment}")
    return LeakEvent.objects.create(
        leak=row, kind=LeakEvent.Kind.COMMENT, by=by, comment=comment, at=now or timezone.now()
    )


@writing()
def end_expected_growth(rule: ExpectedGrowth, *, by: Any, now: datetime | None = None) -> ExpectedGrowth:
    """Expect it no longer: what it holds back opens with the next run of detection, where it still grows."""
    now = now or timezone.now()
    row = ExpectedGrowth.objects.select_for_update(of=("self",)).select_related("service").filter(pk=rule.pk).first()
    if row is None:
        raise ActionRefused(f"{rule} is gone: somebody removed it")
    if not row.is_active(now):
        raise ActionRefused(f"{row} has ended already")
    row.expires_at = rule.expires_at = now
    row.save(update_fields=["expires_at"])
    audit.record(by, row, "Ended: expected no longer.")
    return row


def pattern_of(object_type: str) -> str:
    """The pattern that matches just this type name."""
    pattern = glob.escape(object_type)
    return pattern if len(pattern) <= 300 else f"{pattern[:299].rstrip('[')}*"


def _locked(leak: Leak) -> Leak:
    try:
        return Leak.objects.select_for_update(of=("self",)).select_related("process", "service").get(pk=leak.pk)
    except Leak.DoesNotExist:
        raise ActionRefused(f"{leak} is gone: its process was pruned") from None


def _require(row: Leak, what: str, *states: str) -> None:
    if row.state not in states:
        wanted = " or ".join(str(_State(state).label) for state in states)
        raise ActionRefused(f"{row} is {row.get_state_display()} and cannot be {what}: only one that is {wanted} can")


def _check_future(name: str, moment: datetime, now: datetime) -> None:
    if moment.tzinfo is None:
        raise ActionRefused(f"{name} is {moment.isoformat()}, without a time zone: give e.g. 2026-01-31T12:00:00+00:00")
    if moment <= now:
        raise ActionRefused(f"{name} is {moment.isoformat()}, which has passed: give a time to come")


def _end_expected_growth(row: Leak, now: datetime) -> None:
    rule = row.expected_growth
    if rule is None or not rule.is_active(now):
        return
    if rule.type_pattern != pattern_of(row.object_type) or rule.service_id != row.service_id:
        raise ActionRefused(f"{row} is held back by the expected growth “{rule}”: end or narrow that first")
    rule.expires_at = now
    rule.save(update_fields=["expires_at"])


def _done(leak: Leak, row: Leak, kind: str, by: Any, comment: str, now: datetime | None) -> Leak:  # noqa: PLR0917
    """Save the row, leave the traces, and bring the caller's object up to date."""
    row.save(update_fields=["state", "resolved_at", "snoozed_until", "expected_growth", "evidence"])
    LeakEvent.objects.create(
        leak=row, kind=kind, by=by, by_a_person=by is not None, comment=comment, at=now or timezone.now()
    )
    label = str(LeakEvent.Kind(kind).label).capitalize()
    audit.record(by, row, f"{label}: {comment}" if comment else f"{label}.")
    for name in ("state", "resolved_at", "snoozed_until", "expected_growth", "evidence"):
        setattr(leak, name, getattr(row, name))
    return leak
