"""From verdicts to rows: opens, updates, resolves and reopens the leaks of one process, in one short transaction."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import transaction

from memwatch.detection import Verdict
from memwatch.figures import SEVERITIES
from memwatch.models import Leak, LeakEvent, Process
from memwatch.services import counters
from memwatch.services.expected_growth import ExpectedRules
from memwatch.services.leak_states import (
    close,
    follow_up,
    mark_open,
    parse_moment,
    take_figures,
    take_severity,
)
from memwatch.services.transactions import writing
from memwatch.signals import leak_detected

Key = tuple[str, str]
"""Kind and object type: with the process, the identity of a leak."""

WINDOWS = ("hour", "day", "week")
"""From narrow to wide."""
LONG_HOLD = timedelta(days=1)
"""A leak found over days is resolved after a day without growth."""
REOPEN_GROWTH = {"objects": 100, "untracked": 1_000, "native": 256, "fragmentation": 256}
"""Least growth beyond the count at the resolve (objects, blocks, KiB), as the gates of detection have it."""
REOPEN_SHARE = 0.01
"""The same as a share of that count: a hundred of a million objects is noise."""

_State, _Event = Leak.State, LeakEvent.Kind


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What one run of detection has to say of one process."""

    process: Process
    """With its service loaded."""
    now: datetime
    verdicts: Mapping[str, Mapping[Key, Verdict]]
    """By window, for the windows that were judged in this run."""
    reported: frozenset[str] = frozenset()
    """Types with a count in the series. Of others, nothing is known."""
    few_points: bool = False
    """Too few for a first verdict; enough for a leak that the service is known for."""
    known: frozenset[Key] = frozenset()
    """Leaks that the service had before."""
    hold: timedelta = timedelta(hours=1)
    """How long a leak found in the raw snapshots must not grow before it is resolved."""
    min_growth_count: int = 100


@dataclasses.dataclass(slots=True)
class _Pass:
    """The work of one transaction."""

    judgement: Judgement
    rules: ExpectedRules
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    events: list[LeakEvent] = dataclasses.field(default_factory=list)
    announced: list[Leak] = dataclasses.field(default_factory=list)

    def event(self, row: Leak, kind: str, comment: str) -> None:
        self.events.append(LeakEvent(leak=row, kind=kind, comment=comment, at=self.judgement.now))

    def announce(self, row: Leak, kind: str, comment: str) -> None:
        """An opening or reopening that somebody should hear of."""
        self.event(row, kind, comment)
        self.counts["opened" if kind == _Event.DETECTED else "reopened"] += 1
        self.announced.append(row)
        counters.add("leak_detections", 1, service=row.service.name, severity=row.severity)


def apply(judgement: Judgement, rules: ExpectedRules) -> Counter[str]:
    """Bring the process's rows up to the verdicts. Repeating it changes nothing but the time last seen.

    Nothing happens when the process ended or disappeared in the meantime. Raises what the database raises.
    """
    work = _Pass(judgement, rules)
    with writing():
        if not Process.objects.alive().filter(pk=judgement.process.pk).exists():
            return work.counts
        rows = {
            (row.kind, row.object_type): row
            for row in Leak.objects.select_for_update(of=("self",)).filter(process=judgement.process)
        }
        for row in rows.values():
            row.service, row.process = judgement.process.service, judgement.process
        leaking = {key for found in judgement.verdicts.values() for key, verdict in found.items() if _leaks(verdict)}
        for key in sorted(leaking - rows.keys()):
            _open(work, key, _worst(judgement, key))
        for key, row in rows.items():
            _follow(work, key, row)
        LeakEvent.objects.bulk_create(work.events)
        for row in work.announced:
            transaction.on_commit(partial(leak_detected.send_robust, sender=Leak, leak=row))
    return work.counts


def _window(verdict: Verdict) -> str:
    """The window that follows the leak from now on: few points are judged as given, and are part of the hour."""
    return verdict.window if verdict.window in WINDOWS else WINDOWS[0]


def _leaks(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.outcome == "leak"


def _worst(judgement: Judgement, key: Key, up_to: str = WINDOWS[-1]) -> Verdict | None:
    """The leak verdict of the narrowest window that has one, ``up_to`` that window."""
    for window in WINDOWS[: WINDOWS.index(up_to) + 1]:
        verdict = judgement.verdicts.get(window, {}).get(key)
        if verdict is not None and _leaks(verdict):
            return verdict
    return None


def _open(work: _Pass, key: Key, verdict: Verdict | None) -> None:
    judgement = work.judgement
    if verdict is None or (judgement.few_points and _window(verdict) == WINDOWS[0] and key not in judgement.known):
        return
    process, now = judgement.process, judgement.now
    row = Leak(service=process.service, process=process, kind=key[0], object_type=key[1], detected_at=now)
    row.evidence = {"follow_up": {"window": _window(verdict)}}
    row.severity, row.initial_count = verdict.severity, verdict.initial_count
    take_figures(row, verdict, now)
    rule = work.rules.match(row.object_type, process.service_id, now)
    snoozed_until = None if rule else _snooze_of_predecessor(process, key, now)
    if rule is not None:
        row.state, row.expected_growth = _State.SUPPRESSED, rule
    elif snoozed_until is not None:
        row.state, row.snoozed_until = _State.SNOOZED, snoozed_until
    row.save()
    if rule is not None:
        work.rules.held_back(rule)
        work.counts["suppressed"] += 1
        work.event(row, _Event.DETECTED, verdict.sentence)
        work.event(row, _Event.SUPPRESSED, f"expected: {rule.reason}")
    elif snoozed_until is not None:
        work.counts["snoozed"] += 1
        work.event(row, _Event.DETECTED, verdict.sentence)
        work.event(row, _Event.SNOOZED, f"until {snoozed_until:%Y-%m-%d %H:%M %Z}, as for the process before it")
    else:
        work.announce(row, _Event.DETECTED, verdict.sentence)


def _snooze_of_predecessor(process: Process, key: Key, now: datetime) -> datetime | None:
    """A snooze outlives the process it was set for: a recycled worker must not wake the operator."""
    before = Leak.objects.filter(
        process__service=process.service_id, process__host=process.host, process__slot_number=process.slot_number,
        process__ended_at__isnull=False, kind=key[0], object_type=key[1], snoozed_until__gt=now,
    )  # fmt: skip
    return before.order_by("-id").values_list("snoozed_until", flat=True).first()


def _follow(work: _Pass, key: Key, row: Leak) -> None:
    window = follow_up(row).get("window", WINDOWS[0])
    if row.state == _State.RESOLVED:
        verdict = _worst(work.judgement, key)
        if verdict is not None and _grown_anew(row, verdict, work.judgement.min_growth_count):
            _reopen_grown(work, row, verdict)
        return
    verdict = _worst(work.judgement, key, up_to=window)
    if verdict is not None:
        _still_leaking(work, row, verdict)
        row.save()
        return
    before = (row.state, dict(row.evidence))
    _not_leaking(work, key, row, window)
    if (row.state, row.evidence) != before:
        row.save()


def _grown_anew(row: Leak, verdict: Verdict, min_growth_count: int) -> bool:
    """Whether the count has left behind what it was when the row was resolved."""
    before = int(follow_up(row).get("resolved_count", row.current_count))
    least = min_growth_count if row.kind == Leak.Kind.OBJECTS else REOPEN_GROWTH.get(row.kind, 0)
    return verdict.current_count - before > max(least, REOPEN_SHARE * before)


def _reopen_grown(work: _Pass, row: Leak, verdict: Verdict) -> None:
    now = work.judgement.now
    mark_open(row)
    row.evidence["follow_up"] = {"window": _window(verdict)}
    row.severity, row.initial_count, row.started_at, row.detected_at = (
        verdict.severity, verdict.initial_count, None, now,
    )  # fmt: skip
    take_figures(row, verdict, now)
    rule = work.rules.match(row.object_type, row.service_id, now)
    if rule is not None:
        row.state, row.expected_growth = _State.SUPPRESSED, rule
        work.rules.held_back(rule)
        work.counts["suppressed"] += 1
        work.event(row, _Event.SUPPRESSED, f"expected: {rule.reason}")
    else:
        work.announce(row, _Event.REOPENED, f"grows again: {verdict.sentence}")
    row.save()


def _still_leaking(work: _Pass, row: Leak, verdict: Verdict) -> None:
    now, old = work.judgement.now, row.severity
    worse = SEVERITIES.index(verdict.severity) > SEVERITIES.index(old)
    take_figures(row, verdict, now)
    state = follow_up(row)
    state.pop("quiet_since", None)
    row.evidence["follow_up"] = state
    take_severity(row, verdict.severity, now, work.judgement.hold, lower=row.state != _State.SNOOZED)
    work.counts["seen"] += 1
    rule = work.rules.match(row.object_type, row.service_id, now)
    if rule is not None:
        work.rules.seen(rule)
        if row.state != _State.SUPPRESSED:
            row.state, row.snoozed_until, row.expected_growth = _State.SUPPRESSED, None, rule
            work.rules.held_back(rule)
            work.counts["suppressed"] += 1
            work.event(row, _Event.SUPPRESSED, f"expected: {rule.reason}")
        return
    if row.state == _State.SUPPRESSED:
        mark_open(row)
        work.announce(row, _Event.REOPENED, "no longer expected: the expected growth ended")
    elif row.state == _State.SNOOZED and worse:
        mark_open(row)
        work.announce(row, _Event.REOPENED, f"severity rose from {old} to {row.severity}")
    elif row.state == _State.SNOOZED and row.snoozed_until is not None and row.snoozed_until <= now:
        mark_open(row)
        work.announce(row, _Event.REOPENED, "the snooze is over and it still grows")
    elif worse:
        work.counts["worsened"] += 1
        work.event(row, _Event.WORSENED, f"from {old} to {row.severity}")


def _not_leaking(work: _Pass, key: Key, row: Leak, window: str) -> None:
    """No leak verdict in the row's own window: wait a whole window, then resolve."""
    judgement, now = work.judgement, work.judgement.now
    holder = _grows_with(judgement, key)
    if holder is not None:
        _resolve(work, row, f"counted with {holder}, which it grows with")
        return
    judged = judgement.verdicts.get(window)
    woken = row.state == _State.SNOOZED and row.snoozed_until is not None and row.snoozed_until <= now
    verdict = None if judged is None else judged.get(key)
    known = judged is not None and (key[0] != Leak.Kind.OBJECTS or key[1] in judgement.reported)
    if not known or (verdict is not None and verdict.outcome == "not enough data"):
        if woken:
            mark_open(row)
            work.announce(row, _Event.REOPENED, "the snooze is over; whether it grows is not known now")
        return
    why = verdict.sentence if verdict is not None else "it does not grow"
    if woken:
        _resolve(work, row, f"the snooze is over; {why}")
        return
    state = follow_up(row)
    since = parse_moment(state.get("quiet_since"))
    if since is None:
        row.evidence = {**row.evidence, "follow_up": {**state, "quiet_since": now.astimezone(UTC).isoformat()}}
    elif now - since >= (judgement.hold if window == WINDOWS[0] else LONG_HOLD):
        _resolve(work, row, f"stopped growing: {why}")


def _resolve(work: _Pass, row: Leak, comment: str) -> None:
    close(row, work.judgement.now)
    work.counts["resolved"] += 1
    work.event(row, _Event.RESOLVED, comment)


def _grows_with(judgement: Judgement, key: Key) -> str | None:
    """The leak that this series was folded into, by its type."""
    for found in judgement.verdicts.values():
        for (_kind, name), verdict in found.items():
            if _leaks(verdict) and key[1] in verdict.grows_with and name != key[1]:
                return name
    return None


def end_leaks(processes: Iterable[Process], now: datetime) -> int:
    """Resolve what is left of processes that ended. A snooze stays noted for the process that takes the slot."""
    ended = 0
    for process in processes:
        with writing():
            rows = Leak.objects.unresolved().select_for_update(of=("self",)).filter(process=process)
            for row in rows:
                snoozed_until = row.snoozed_until
                close(row, now)
                row.snoozed_until = snoozed_until
                row.save(update_fields=["state", "resolved_at", "snoozed_until", "evidence"])
                comment = f"process ended ({process.get_end_reason_display() or 'unknown how'})"
                LeakEvent.objects.create(leak=row, kind=_Event.RESOLVED, at=now, comment=comment)
                ended += 1
    return ended
