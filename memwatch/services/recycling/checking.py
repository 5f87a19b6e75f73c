"""One check of all policies: what is under way is followed, then each service may have one worker recycled."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.detection.recycling import ACT, OFF, Decision, Situation, Worker, decide, judge
from memwatch.models import Process, Recycle, RecyclingPolicy
from memwatch.queries import recycling as read
from memwatch.records import KIB_PER_MB
from memwatch.services.locking import writing
from memwatch.services.recycling import following, reporting
from memwatch.transport import Hub

log = logging.getLogger("memwatch")

CLOCKS_APART = timedelta(seconds=60)
"""Of two hubs. What is dated further ahead was written before the clock was set back."""


def check(now: datetime | None = None, *, hub: Hub | None = None) -> int:
    """Follow what is under way, then check every policy; how many workers were chosen. Cheap where nothing is on.

    Two that run at once choose no worker twice: a service has one recycle under way, by a constraint, and each step
    of it is taken by who changes the state first.
    """
    now = now or timezone.now()
    _correct_dates(now)
    policies = list(read.policies().exclude(mode=OFF))
    for policy in policies:
        _follow_release(policy, now)
    following.follow(now, hub)
    chosen = 0
    for policy in policies:
        try:
            chosen += _check(policy, now, hub)
        except IntegrityError:
            continue  # another hub was faster
    return chosen


def _correct_dates(now: datetime) -> None:
    """The clock was set back: what is dated in the future counts as made now, and not for hours."""
    ahead = now + CLOCKS_APART
    Recycle.objects.filter(at__gt=ahead).update(at=now)
    Recycle.objects.filter(ordered_at__gt=ahead).update(ordered_at=now)
    Recycle.objects.filter(ended_at__gt=ahead).update(ended_at=now)
    RecyclingPolicy.objects.filter(release_since__gt=ahead).update(release_since=now)


def _check(policy: RecyclingPolicy, now: datetime, hub: Hub | None) -> int:
    acts = policy.mode == ACT
    _stop_where_useless(policy, now)
    workers = read.workers_of(policy.service_id, now)
    decision = decide(situation(policy, workers, now))
    _grew_back(policy, decision)
    RecyclingPolicy.objects.filter(pk=policy.pk, mode=policy.mode).update(
        over={str(pk): count for pk, count in decision.over.items()},
        checked_at=now,
        said=decision.why[:300],
        rehearsed_at=policy.rehearsed_at if acts else (policy.rehearsed_at or now),
    )
    worker = next((each for each in workers if each.id == decision.worker), None)
    if worker is None:
        return 0
    row = _row(policy, worker, decision, now)
    with writing():
        if not RecyclingPolicy.objects.filter(pk=policy.pk, mode=policy.mode).exists():
            return 0  # somebody has just switched it off
        row.save(force_insert=True)
        if not acts:
            reporting.report(row, now)
    log.info("memwatch: recycling of %s (%s): %s", policy.service, policy.mode, decision.why)
    if acts:
        following.record_evidence(row, now, hub)
    return 1


def situation(policy: RecyclingPolicy, workers: list[Worker], now: datetime) -> Situation:
    """What is decided on."""
    known = policy.over if isinstance(policy.over, dict) else {}
    return Situation(
        now=now,
        rules=policy.rules,
        workers=workers,
        over={int(pk): count for pk, count in known.items() if isinstance(count, int)},
        history=read.history_of(policy, acted=policy.mode == ACT),
        pending=policy.mode == ACT and _is_pending(policy.service_id, now),
        deployed_s=_deployed_s(policy, now),
        allowed=get_settings().recycling,
        jitter=random.Random(f"{policy.pk}:{now:%Y%m%d%H}").random(),  # noqa: S311 - no secret
    )


def _is_pending(service_id: int, now: datetime) -> bool:
    under_way = Recycle.objects.filter(service=service_id, state__in=Recycle.PENDING)
    return under_way.exists() or read.awaits_successor(service_id, now)


def _deployed_s(policy: RecyclingPolicy, now: datetime) -> float | None:
    if policy.release is None or policy.release.first_seen_at > now + CLOCKS_APART:
        return None
    return (now - policy.release.first_seen_at).total_seconds()


def _follow_release(policy: RecyclingPolicy, now: datetime) -> None:
    """A deploy: what was counted and learnt is of the release before."""
    release = read.deployed_release(policy)
    if release is None:
        return
    began = policy.release_id is None
    policy.release, policy.release_since, policy.over = release, policy.release_since if began else now, {}
    policy.stopped_at, policy.stopped_reason, policy.stopped_why = None, "", ""
    _keep(policy, "release", "release_since", "over", "stopped_at", "stopped_reason", "stopped_why")
    if not began:
        following.call_off(now, f"The release {release.name} is being deployed.", service_id=policy.service_id)


def _stop_where_useless(policy: RecyclingPolicy, now: datetime) -> None:
    if policy.mode != ACT or policy.stopped_at is not None or read.awaits_successor(policy.service_id, now):
        return
    judged = judge(read.history_of(policy, acted=True, of_release=True))
    if judged.reason:
        policy.stopped_at, policy.stopped_reason, policy.stopped_why = now, judged.reason, judged.why[:300]
        _keep(policy, "stopped_at", "stopped_reason", "stopped_why")
        log.warning("memwatch: recycling of %s has stopped itself: %s", policy.service, judged.why)


def _grew_back(policy: RecyclingPolicy, decision: Decision) -> None:
    if policy.mode == ACT and decision.grew_back:
        Recycle.objects.filter(
            service=policy.service_id, successor__in=list(decision.grew_back), state=Recycle.State.RECYCLED
        ).update(grew_back=True)


def _row(policy: RecyclingPolicy, worker: Worker, decision: Decision, now: datetime) -> Recycle:
    acts = policy.mode == ACT
    process = Process.objects.get(pk=worker.id)
    return Recycle(
        service_id=policy.service_id,
        process=process,
        name=worker.name,
        release_id=policy.release_id,
        state=Recycle.State.EVIDENCE if acts else Recycle.State.REHEARSED,
        because=decision.because,
        why=decision.why[:300],
        at=now,
        ended_at=None if acts else now,
        private_before_kib=None if worker.private_mb is None else int(worker.private_mb * KIB_PER_MB),
        leak=read.worst_leak(worker.id, policy.service_id) if worker.leaks else None,
    )


def _keep(policy: RecyclingPolicy, *names: str) -> None:
    RecyclingPolicy.objects.filter(pk=policy.pk).update(**{name: getattr(policy, name) for name in names})
