"""Leaks of a whole service: its workers are replaced (``max_requests``, ``max_tasks_per_child``) before it show it."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError

from memwatch.conf import Settings
from memwatch.detection import History, Thresholds, Verdict, judge_lives
from memwatch.detection.rules.growth import TREND
from memwatch.detection.rules.registry import NEWEST_LIVES
from memwatch.models import Leak, LeakEvent, Lease, Process, Service
from memwatch.queries.judging.detection_input import judged_histories
from memwatch.queries.judging.growth_prefilter import grown_lives
from memwatch.queries.judging.recycled_workers import newest_lives, recycled_services
from memwatch.services.leaks.expected_growth import ExpectedRules
from memwatch.services.leaks.judgement import Judgement, Key, Verdicts, by_key
from memwatch.services.leaks.lifecycle import apply
from memwatch.services.leaks.state import close
from memwatch.services.locking import writing

logger = logging.getLogger(__name__)

LIVES_WINDOW = timedelta(hours=6)
"""Lives that ended longer ago say nothing of now; where hardly one ended since, workers are not recycled."""
WATCH_LIVES, GENERATIONS = 6, 3
"""A standing watch waits for this many lives, and for three in each slot: three deployments are no recycling."""
MOST_LIVES = 24
"""More make nothing surer, and cost."""
MOST_NEWEST = 8
"""Those that tell whether it still leaks: after a fix they are the first without it."""
MOST_EVERY = timedelta(minutes=5)
LEASE = "memwatch.lives"
LONGER = 2.0
"""A process that is older than twice the lives of its service is not one of those that are recycled."""


def due_every(settings: Settings) -> timedelta:
    """How often lives are judged: thirty snapshots bring news, five minutes are soon enough."""
    return min(MOST_EVERY, timedelta(seconds=30 * settings.snapshot_interval))


def judge_services(
    now: datetime, settings: Settings, thresholds: Thresholds, rules: ExpectedRules, *, longest: timedelta
) -> Counter[str]:
    """Judge the services whose workers live no longer than ``longest``, where it is due; what was done, in leaks."""
    last = Lease.objects.filter(name=LEASE).values_list("last_finished_at", flat=True).first()
    counts = Counter[str]()
    if last is not None and last <= now < last + due_every(settings):
        return counts
    since = now - LIVES_WINDOW
    recycled = recycled_services(since=since, now=now, longest=longest, least=WATCH_LIVES, generations=GENERATIONS)
    followed = set(Leak.objects.unresolved().filter(process=None).order_by().values_list("service", flat=True))
    for service in Service.objects.filter(pk__in=recycled | followed):
        lives = newest_lives(service.pk, since=since, longest=longest, most=MOST_LIVES)
        try:
            if len(lives) < WATCH_LIVES:
                counts["resolved"] += _no_longer_recycled(service, now)
            elif service.pk in followed or _worth_loading(lives, thresholds):
                counts.update(apply([_judgement(service, lives, now, settings, thresholds)], rules))
        except DatabaseError as error:
            logger.warning("leaks of the service %s were not kept, the next run tries again: %s", service, error)
            counts["failed"] += 1
        except ValueError:
            logger.exception("the lives of %s could not be judged", service)
            counts["failed"] += 1
    with writing():
        Lease.objects.update_or_create(name=LEASE, defaults={"expires_at": now, "last_finished_at": now})
    return counts


def covered_by_services() -> dict[int, list[tuple[Key, float]]]:
    """By service id: the leaks it has as a whole, and the age in seconds up to which its processes are examples."""
    found: dict[int, list[tuple[Key, float]]] = {}
    rows = Leak.objects.unresolved().filter(process=None).order_by()
    for service, kind, object_type, evidence in rows.values_list("service", "kind", "object_type", "evidence"):
        life_s = float((evidence.get("statistics") or {}).get("life_s") or 0.0)
        found.setdefault(service, []).append(((kind, object_type), LONGER * life_s))
    return found


def _worth_loading(lives: Sequence[Process], thresholds: Thresholds) -> bool:
    return 2 * len(grown_lives(lives, thresholds)) > len(lives)


def _judgement(
    service: Service, lives: Sequence[Process], now: datetime, settings: Settings, thresholds: Thresholds
) -> Judgement:
    histories = _histories(lives)
    newest = judge_lives(histories[-MOST_NEWEST:], thresholds=thresholds, all_verdicts=True)
    every = judge_lives(histories, thresholds=thresholds, all_verdicts=True)
    longest = max((history.span_s for history in histories), default=0.0)
    return Judgement(
        service=service,
        now=now,
        verdicts={"lives": _of_now(by_key(every), by_key(newest))},
        reported=frozenset(name for history in histories for name in history.counts),
        hold=max(due_every(settings), timedelta(seconds=longest)),
        min_growth_count=settings.leak_min_growth_count,
    )


def _histories(lives: Sequence[Process]) -> list[History]:
    """In the order of the lives, without those that left nothing."""
    since = min(process.started_at for process in lives) - timedelta(minutes=1)
    found = {process.pk: history for process, history in judged_histories(lives, since=since)}
    return [found[process.pk] for process in lives if process.pk in found]


def _of_now(every: Verdicts, newest: Verdicts) -> Verdicts:
    """The verdicts on all lives, but for leaks that the newest lives show no more."""
    return {key: verdict if not verdict.is_leak else _still(verdict, newest.get(key)) for key, verdict in every.items()}


def _still(verdict: Verdict, newest: Verdict | None) -> Verdict:
    if newest is not None and (newest.is_leak or newest.rule == TREND.name):  # eight lives are few for a trend
        return verdict
    why = newest.sentence if newest is not None else "they have not grown enough"
    sentence = f"the last {MOST_NEWEST} lives no longer show it: {why}"
    return dataclasses.replace(verdict, outcome="expected", rule=NEWEST_LIVES.name, sentence=sentence)


def _no_longer_recycled(service: Service, now: datetime) -> int:
    """Resolve what no life can show any more: each process is watched by itself again."""
    resolved = 0
    with writing():
        rows = Leak.objects.unresolved().select_for_update(of=("self",)).filter(service=service, process=None)
        for row in rows:
            close(row, now)
            row.save(update_fields=["state", "resolved_at", "snoozed_until", "evidence"])
            comment = "few workers of the service were recycled recently: its processes are judged one by one"
            row.events.create(kind=LeakEvent.Kind.RESOLVED, at=now, comment=comment)
            resolved += 1
    return resolved
