"""From verdicts to rows: brings the leaks of processes and services up to date, in a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.db.models import Q

from memwatch.detection import Verdict
from memwatch.models import Leak, LeakEvent, Process, connection
from memwatch.records import SEVERITIES
from memwatch.services import counters
from memwatch.services.leaks import names
from memwatch.services.leaks.endings import snooze_of_predecessor
from memwatch.services.leaks.expected_growth import ExpectedRules
from memwatch.services.leaks.judgement import WINDOWS, Judgement, Key, Owner, window_of
from memwatch.services.leaks.looks import Looks
from memwatch.services.leaks.state import take_figures, take_look, take_over_growth
from memwatch.services.leaks.transitions import follow, go_on_under_name
from memwatch.services.leaks.work import Pass
from memwatch.services.locking import writing
from memwatch.signals import leak_detected

_State, _Event = Leak.State, LeakEvent.Kind


def apply(judgements: Sequence[Judgement], rules: ExpectedRules, looks: Looks | None = None) -> Counter[str]:
    """Bring the rows of these processes (or services) up to the verdicts, all of them or, where it raises, none.

    Repeating it changes only the time last seen. Processes that have ended since the run began are skipped. Without
    ``looks`` the curves alone decide. Raises what the database raises.
    """
    passes = [Pass(judgement, rules, looks or Looks.none()) for judgement in judgements]
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


def _still_there(passes: list[Pass]) -> list[Pass]:
    wanted = [work.judgement.process.pk for work in passes if work.judgement.process is not None]
    alive = set(Process.objects.alive().filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()
    return [work for work in passes if work.judgement.process is None or work.judgement.process.pk in alive]


def _rows_of(passes: list[Pass]) -> dict[Owner, dict[Key, Leak]]:
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


def _bring_up(work: Pass, rows: dict[Key, Leak]) -> None:
    judgement = work.judgement
    for row in rows.values():
        row.service, row.process = judgement.service, judgement.process
    companions = _succeed(work, rows)
    held = {key for keys in companions.values() for key in keys}
    new = judgement.leaking() - rows.keys() - judgement.covered - held
    for key in sorted(new, key=lambda each: (*_worst_first(judgement.worst(each)), each)):
        _open(work, key, judgement.worst(key))
    for key, row in rows.items():
        if key in companions:
            go_on_under_name(work, row, companions[key])
        elif key not in held:
            follow(work, key, row)


def _worst_first(verdict: Verdict | None) -> tuple[bool, int, int]:
    """A process is looked at for one leak an hour: the worst that has a type, since that tells its parts apart."""
    if verdict is None:
        return True, 0, 0
    return verdict.kind != Leak.Kind.OBJECTS, -SEVERITIES.index(verdict.severity), -verdict.growth_count


def _succeed(work: Pass, rows: dict[Key, Leak]) -> dict[Key, list[Key]]:
    """Rename rows whose cause has another name now. Returns, by row, the further leaks that it represents."""
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


def _may_open(work: Pass, key: Key, verdict: Verdict) -> bool:
    """Whether it may continue another row: expected growth gets a row of its own, which is suppressed."""
    judgement = work.judgement
    if judgement.few_points and window_of(verdict) == WINDOWS[0] and key not in judgement.known:
        return False
    return work.rules.match(key[1], judgement.service.pk, judgement.now) is None


def _open(work: Pass, key: Key, verdict: Verdict | None) -> None:
    judgement = work.judgement
    if verdict is None or (judgement.few_points and window_of(verdict) == WINDOWS[0] and key not in judgement.known):
        return
    service, process, now = judgement.service, judgement.process, judgement.now
    rule = work.rules.match(key[1], service.pk, now)
    wanted = rule is None and key not in judgement.known
    look = work.looks.opinion(process, key, verdict, wanted=wanted)
    if look.waits or (wanted and look.acquits):
        work.counts["waiting" if look.waits else "cleared"] += 1
        return
    row = Leak(service=service, process=process, kind=key[0], object_type=key[1], detected_at=now)
    row.evidence = {"follow_up": {"window": window_of(verdict)}}
    row.severity, row.initial_count = verdict.watched_severity(), verdict.initial_count
    take_figures(row, verdict, now)
    take_over_growth(row, process)
    if look.evidence:
        take_look(row, look.evidence)
    snoozed_until = None if rule or process is None else snooze_of_predecessor(process, key, now)
    if rule is not None:
        row.state, row.expected_growth = _State.SUPPRESSED, rule
    elif snoozed_until is not None:
        row.state, row.snoozed_until = _State.SNOOZED, snoozed_until
    row.save()
    work.looks.belongs_to(row, look)
    if rule is not None:
        work.event(row, _Event.DETECTED, verdict.sentence)
        work.suppress(row, rule)
    elif snoozed_until is not None:
        work.counts["snoozed"] += 1
        work.event(row, _Event.DETECTED, verdict.sentence)
        work.event(row, _Event.SNOOZED, f"until {snoozed_until:%Y-%m-%d %H:%M %Z}, as for the process before it")
    else:
        work.announce(row, _Event.DETECTED, verdict.sentence)
