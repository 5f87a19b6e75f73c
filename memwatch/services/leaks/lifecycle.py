"""From verdicts to rows: opens, follows, resolves and reopens leaks of processes and services, in a transaction."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q

from memwatch.detection import Verdict
from memwatch.models import ExpectedGrowth, Leak, LeakEvent, Process, connection
from memwatch.records import SEVERITIES
from memwatch.services import counters
from memwatch.services.leaks import names
from memwatch.services.leaks.endings import snooze_of_predecessor
from memwatch.services.leaks.expected_growth import ExpectedRules, expects
from memwatch.services.leaks.judgement import WINDOWS, Judgement, Key, Owner, window_of
from memwatch.services.leaks.state import (
    close,
    follow_up,
    forget_quiet,
    mark_open,
    mark_quiet,
    parse_moment,
    say_why_not,
    take_figures,
    take_over_growth,
    take_severity,
)
from memwatch.services.locking import writing
from memwatch.signals import leak_detected

LONG_HOLD = timedelta(days=1)
"""A leak found over days is resolved after a day without growth."""
REOPEN_GROWTH = {"objects": 100, "untracked": 1_000, "native": 256}
"""Least growth beyond the count at the resolve (objects, blocks, KiB), as the gates of detection have it."""
REOPEN_SHARE = 0.01
"""The growth needed, as a share of that count: a hundred of a million objects is noise."""

_State, _Event = Leak.State, LeakEvent.Kind


@dataclasses.dataclass(slots=True)
class _Pass:
    """The work on one process or service."""

    judgement: Judgement
    rules: ExpectedRules
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    events: list[LeakEvent] = dataclasses.field(default_factory=list)
    announced: list[Leak] = dataclasses.field(default_factory=list)
    held_back: list[ExpectedGrowth] = dataclasses.field(default_factory=list)
    """A rule for each leak that it kept from opening."""
    suppressed: list[ExpectedGrowth] = dataclasses.field(default_factory=list)
    """A rule for each verdict of leak on what it holds back already."""

    def event(self, row: Leak, kind: str, comment: str) -> None:
        self.events.append(LeakEvent(leak=row, kind=kind, comment=comment, at=self.judgement.now))

    def announce(self, row: Leak, kind: str, comment: str) -> None:
        """An opening or reopening that somebody should hear of."""
        self.event(row, kind, comment)
        self.counts["opened" if kind == _Event.DETECTED else "reopened"] += 1
        self.announced.append(row)

    def suppress(self, row: Leak, rule: ExpectedGrowth) -> None:
        row.state, row.snoozed_until, row.expected_growth = _State.SUPPRESSED, None, rule
        self.held_back.append(rule)
        self.counts["suppressed"] += 1
        self.event(row, _Event.SUPPRESSED, f"expected: {rule.reason}")

    def resolve(self, row: Leak, comment: str) -> None:
        close(row, self.judgement.now)
        self.counts["resolved"] += 1
        self.event(row, _Event.RESOLVED, comment)


def apply(judgements: Sequence[Judgement], rules: ExpectedRules) -> Counter[str]:
    """Bring the rows of these processes (or services) up to the verdicts, all of them or, where it raises, none.

    Repeating it changes nothing but the time last seen. Nothing happens to a process that ended or disappeared in the
    meantime. Raises what the database raises.
    """
    passes = [_Pass(judgement, rules) for judgement in judgements]
    with writing():
        passes = _still_there(passes)
        rows = _rows_of(passes)
        for work in passes:
            _bring_up(work, rows.get(work.judgement.owner, {}))
        LeakEvent.objects.bulk_create(event for work in passes for event in work.events)
        announced = [row for work in passes for row in work.announced]
        for (service, severity), times in sorted(
            Counter((row.service.name, row.severity) for row in announced).items()
        ):
            counters.add("leak_detections", times, service=service, severity=severity)
        for row in announced:
            transaction.on_commit(partial(leak_detected.send_robust, sender=Leak, leak=row), using=connection.alias())
    for work in passes:
        rules.count(held_back=work.held_back, suppressed=work.suppressed)
    return sum((work.counts for work in passes), Counter[str]())


def _still_there(passes: list[_Pass]) -> list[_Pass]:
    wanted = [work.judgement.process.pk for work in passes if work.judgement.process is not None]
    alive = set(Process.objects.alive().filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()
    return [work for work in passes if work.judgement.process is None or work.judgement.process.pk in alive]


def _rows_of(passes: list[_Pass]) -> dict[Owner, dict[Key, Leak]]:
    """Their leaks, locked until the transaction ends."""
    owners = [work.judgement.owner for work in passes]
    services = {service for service, process in owners}
    whole = Q(process=None, service__in=[service for service, process in owners if process is None])
    found = Leak.objects.select_for_update(of=("self",)).filter(
        Q(process__in=[process for _service, process in owners if process is not None]) | whole, service__in=services
    )
    rows: dict[Owner, dict[Key, Leak]] = {}
    for row in found.order_by("pk"):
        rows.setdefault((row.service_id, row.process_id), {})[row.kind, row.object_type] = row
    return rows


def _bring_up(work: _Pass, rows: dict[Key, Leak]) -> None:
    judgement = work.judgement
    for row in rows.values():
        row.service, row.process = judgement.service, judgement.process
    companions = _succeed(work, rows)
    held = {key for keys in companions.values() for key in keys}
    for key in sorted(judgement.leaking() - rows.keys() - judgement.covered - held):
        _open(work, key, judgement.worst(key))
    for key, row in rows.items():
        if key in companions:
            _goes_on(work, row, companions[key])
        elif key not in held:
            _follow(work, key, row)


def _succeed(work: _Pass, rows: dict[Key, Leak]) -> dict[Key, list[Key]]:
    """Rename rows whose cause is found under another name now; by row, the leaks that it stands for besides."""
    judgement = work.judgement
    over = {key for key, row in rows.items() if row.state == _State.RESOLVED}
    companions: dict[Key, list[Key]] = {}
    for key in sorted((judgement.leaking() - rows.keys()) | (judgement.leaking() & over)):
        verdict = judgement.worst(key)
        if verdict is None or key in judgement.covered or not _may_open(work, key, verdict):
            continue
        row = names.incumbent(judgement, key, verdict, rows)
        if row is None:
            continue
        before = (row.kind, row.object_type)
        if key not in rows and names.is_to_be_renamed(judgement, row, key):
            work.event(row, _Event.RENAMED, names.rename(row, key, verdict))
            rows[key] = rows.pop(before)
            companions.pop(before, None)
        else:
            companions.setdefault(before, []).append(key)
    return companions


def _may_open(work: _Pass, key: Key, verdict: Verdict) -> bool:
    """Whether it could be a row of its own: one that is expected is, and is suppressed."""
    judgement = work.judgement
    if judgement.few_points and window_of(verdict) == WINDOWS[0] and key not in judgement.known:
        return False
    return work.rules.match(key[1], judgement.service.pk, judgement.now) is None


def _goes_on(work: _Pass, row: Leak, companions: Sequence[Key]) -> None:
    """It is no leak by its own name now, and what grows with it is: it stays what it was."""
    verdicts = [verdict for key in companions if (verdict := work.judgement.worst(key)) is not None]
    names.grows_with(row, [verdict.object_type for verdict in verdicts if verdict.kind == Leak.Kind.OBJECTS])
    forget_quiet(row)
    old = row.severity
    worst = max((verdict.watched_severity(old) for verdict in verdicts), key=SEVERITIES.index)
    take_severity(row, worst, work.judgement.now, work.judgement.hold, lower=False)
    if row.severity != old:
        work.counts["worsened"] += 1
        work.event(row, _Event.WORSENED, f"from {old} to {row.severity}")
    work.counts["seen"] += 1
    if row.state == _State.SNOOZED and row.snoozed_until is not None and row.snoozed_until <= work.judgement.now:
        mark_open(row)
        work.announce(row, _Event.REOPENED, f"the snooze is over, and {verdicts[0].object_type} grows with it")
    row.save()


def _open(work: _Pass, key: Key, verdict: Verdict | None) -> None:
    judgement = work.judgement
    if verdict is None or (judgement.few_points and window_of(verdict) == WINDOWS[0] and key not in judgement.known):
        return
    service, process, now = judgement.service, judgement.process, judgement.now
    row = Leak(service=service, process=process, kind=key[0], object_type=key[1], detected_at=now)
    row.evidence = {"follow_up": {"window": window_of(verdict)}}
    row.severity, row.initial_count = verdict.watched_severity(), verdict.initial_count
    take_figures(row, verdict, now)
    take_over_growth(row, process)
    rule = work.rules.match(row.object_type, service.pk, now)
    snoozed_until = None if rule or process is None else snooze_of_predecessor(process, key, now)
    if rule is not None:
        row.state, row.expected_growth = _State.SUPPRESSED, rule
    elif snoozed_until is not None:
        row.state, row.snoozed_until = _State.SNOOZED, snoozed_until
    row.save()
    if rule is not None:
        work.event(row, _Event.DETECTED, verdict.sentence)
        work.suppress(row, rule)
    elif snoozed_until is not None:
        work.counts["snoozed"] += 1
        work.event(row, _Event.DETECTED, verdict.sentence)
        work.event(row, _Event.SNOOZED, f"until {snoozed_until:%Y-%m-%d %H:%M %Z}, as for the process before it")
    else:
        work.announce(row, _Event.DETECTED, verdict.sentence)


def _follow(work: _Pass, key: Key, row: Leak) -> None:
    judgement, window = work.judgement, follow_up(row).get("window", WINDOWS[0])
    if key in judgement.covered:
        if row.state != _State.RESOLVED:
            work.resolve(row, "counted with the leak of the whole service, whose workers are recycled")
            row.save()
        return
    if row.state == _State.RESOLVED:
        verdict = judgement.worst(key)
        if verdict is not None and _grown_again(row, verdict, judgement.min_growth_count):
            _reopen_grown(work, row, verdict)
        return
    verdict = judgement.worst(key, up_to=window)
    if verdict is not None:
        _still_leaking(work, row, verdict)
        row.save()
        return
    before = (row.state, dict(row.evidence))
    _not_leaking(work, key, row, window)
    if (row.state, row.evidence) != before:
        row.save()


def _grown_again(row: Leak, verdict: Verdict, min_growth_count: int) -> bool:
    """Whether the count is above what it was when the row was resolved. Each life starts at zero: there it is."""
    if verdict.window == "lives":
        return True
    before = int(follow_up(row).get("resolved_count", row.current_count))
    least = min_growth_count if row.kind == Leak.Kind.OBJECTS else REOPEN_GROWTH.get(row.kind, 0)
    return verdict.current_count - before > max(least, REOPEN_SHARE * before)


def _reopen_grown(work: _Pass, row: Leak, verdict: Verdict) -> None:
    now = work.judgement.now
    mark_open(row)
    row.evidence["follow_up"] = {"window": window_of(verdict)}
    row.severity, row.initial_count, row.started_at, row.detected_at = (
        verdict.watched_severity(), verdict.initial_count, None, now,
    )  # fmt: skip
    take_figures(row, verdict, now)
    rule = work.rules.match(row.object_type, row.service_id, now)
    if rule is not None:
        work.suppress(row, rule)
    else:
        work.announce(row, _Event.REOPENED, f"grows again: {verdict.sentence}")
    row.save()


def _still_leaking(work: _Pass, row: Leak, verdict: Verdict) -> None:
    now, old = work.judgement.now, row.severity
    severity = verdict.watched_severity(old)
    worse = SEVERITIES.index(severity) > SEVERITIES.index(old)
    take_figures(row, verdict, now)
    state = follow_up(row)
    state.pop("quiet_since", None)
    row.evidence["follow_up"] = state
    take_severity(row, severity, now, work.judgement.hold, lower=row.state != _State.SNOOZED)
    work.counts["seen"] += 1
    rule = work.rules.match(row.object_type, row.service_id, now)
    if rule is None and row.state == _State.SUPPRESSED:
        own = row.expected_growth  # somebody may have made it since the run began
        rule = own if own is not None and expects(own, row.object_type, row.service_id, now) else None
    if rule is not None:
        if row.state == _State.SUPPRESSED:
            row.expected_growth = rule
            work.suppressed.append(rule)
        else:
            work.suppress(row, rule)
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
    elif row.severity != old:
        work.event(row, _Event.EASED, f"from {old} to {row.severity}")


def _not_leaking(work: _Pass, key: Key, row: Leak, window: str) -> None:
    """No leak verdict in the row's own window: wait a whole window, then resolve."""
    judgement, now = work.judgement, work.judgement.now
    holder = judgement.holder_of(key)
    if holder is not None:
        work.resolve(row, f"counted with {holder}, which it grows with")
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
    since = parse_moment(follow_up(row).get("quiet_since"))
    if woken:
        say_why_not(row, verdict, now)
        work.resolve(row, f"the snooze is over; {why}")
    elif since is None:
        say_why_not(row, verdict, now)
        mark_quiet(row, now)
    elif now - since >= (LONG_HOLD if window in ("day", "week") else judgement.hold):
        say_why_not(row, verdict, now)
        work.resolve(row, f"stopped growing: {why}")
