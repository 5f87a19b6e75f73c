"""Policies as users change them. Every change is audited."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from memwatch.models import RecyclingPolicy
from memwatch.services import ActionRefused, audit
from memwatch.services.locking import writing
from memwatch.services.recycling import following

FIELDS = (
    "mode", "when", "limit_mb", "limit_percent", "checks", "minutes", "drain_minutes", "supervisor", "notify",
)  # fmt: skip
"""What a user sets."""
_NUMBERS = ("limit_mb", "limit_percent", "minutes", "drain_minutes")
_LIMITED = (RecyclingPolicy.When.LIMIT, RecyclingPolicy.When.EITHER, RecyclingPolicy.When.BOTH)


def problems(values: Mapping[str, Any], *, rehearsed: bool) -> dict[str, str]:
    """What is wrong with a policy, by field; ``rehearsed``: whether it has been checked while it rehearsed."""
    found = {name: "Give a number." for name in _NUMBERS if not _is_finite(values.get(name))}
    megabytes, percent = values.get("limit_mb"), values.get("limit_percent")
    if megabytes is not None and percent is not None:
        found["limit_percent"] = "Give the soft limit in MB or in percent, not both."
    elif values.get("when") in _LIMITED and megabytes is None and percent is None:
        found["limit_mb"] = "Give the soft limit, in MB or in percent."
    if values.get("mode") == RecyclingPolicy.Mode.ACT and not rehearsed:
        found["mode"] = (
            "Choose “rehearse” first. When it has been checked once, see what it would have done, then choose “act”."
        )
    drain = values.get("drain_minutes")
    if drain is not None and drain > 24 * 60:
        found["drain_minutes"] = "Give at most 1,440 minutes: an order lasts a day at most."
    return found


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def save(policy: RecyclingPolicy, *, by: Any, now: datetime | None = None) -> RecyclingPolicy:
    """Store a policy that a user has made or changed. Whatever it had stopped itself for, it starts again.

    Raises :class:`ActionRefused` for one that makes no sense, also where ``act`` was not rehearsed.
    """
    now = now or timezone.now()
    with writing():
        before = RecyclingPolicy.objects.filter(service=policy.service_id).first()
        if before is not None and policy.pk is None:
            raise ActionRefused(f"{policy.service} has a recycling policy already: change that one")
        rehearsed = before is not None and before.rehearsed_at is not None
        wrong = problems({name: getattr(policy, name) for name in FIELDS}, rehearsed=rehearsed)
        if wrong:
            raise ActionRefused(" ".join(wrong.values()))
        if before is not None:
            policy.pk = before.pk
            policy.rehearsed_at = before.rehearsed_at
        policy.changed_at, policy.changed_by = now, by
        policy.stopped_at, policy.stopped_reason, policy.stopped_why, policy.over = None, "", "", {}
        policy.release_since = now
        policy.save(force_insert=before is None, force_update=before is not None)
    audit.record(by, policy, _changes(before, policy))
    return policy


def stop_all(*, by: Any, now: datetime | None = None) -> int:
    """Switch every policy off, and call off what has no order yet; how many policies were on."""
    now = now or timezone.now()
    rows = list(RecyclingPolicy.objects.exclude(mode=RecyclingPolicy.Mode.OFF).select_related("service"))
    for policy in rows:
        RecyclingPolicy.objects.filter(pk=policy.pk).update(
            mode=RecyclingPolicy.Mode.OFF, over={}, changed_at=now, changed_by=by
        )
        audit.record(by, policy, "Stopped all recycling: the policy is off.")
    following.call_off(now, "All recycling was stopped.")
    return len(rows)


def _changes(before: RecyclingPolicy | None, after: RecyclingPolicy) -> str:
    if before is None:
        return "Created: " + ", ".join(f"{name} {_said(after, name)}" for name in FIELDS) + "."
    changed = [
        f"{name} from {_said(before, name)} to {_said(after, name)}"
        for name in FIELDS
        if getattr(before, name) != getattr(after, name)
    ]
    stopped = ["started again"] if before.stopped_at else []
    return f"Changed: {', '.join(changed + stopped)}." if changed or stopped else "Saved without a change."


def _said(policy: RecyclingPolicy, name: str) -> str:
    value = getattr(policy, name)
    return "none" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)
