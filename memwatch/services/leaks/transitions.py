"""Follows the row of a known leak through a run: one table of transitions while it leaks, one while it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from memwatch.detection import Verdict
from memwatch.models import ExpectedGrowth, Leak, LeakEvent
from memwatch.records import SEVERITIES
from memwatch.services.leaks import names
from memwatch.services.leaks.expected_growth import expects
from memwatch.services.leaks.judgement import WINDOWS, Key, window_of
from memwatch.services.leaks.looks import GO, Opinion
from memwatch.services.leaks.state import (
    follow_up,
    forget_quiet,
    mark_open,
    mark_quiet,
    parse_moment,
    say_why_not,
    take_figures,
    take_look,
    take_severity,
)
from memwatch.services.leaks.work import Pass

LONG_HOLD = timedelta(days=1)
"""Time without growth after which a leak of the windows of days is resolved."""
REOPEN_GROWTH = {"objects": 100, "untracked": 1_000, "native": 256}
"""Least growth beyond the count at the resolve (objects, blocks, KiB), as in the gates of detection."""
GRAVE = SEVERITIES.index("high")
"""From here on the heap is looked at before a leak rises."""
REOPEN_SHARE = 0.01
"""Least growth as a share of the count at the resolve: a hundred of a million objects is noise."""

_State, _Event = Leak.State, LeakEvent.Kind


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """A row beside what this run says of it."""

    work: Pass
    row: Leak
    window: str
    """The window that follows the leak."""
    verdict: Verdict | None
    severity: str
    """By this run."""
    old_severity: str
    expected: ExpectedGrowth | None = None
    holder: str | None = None
    """The leak that it was folded into."""
    is_known: bool = True
    """Whether the run could tell if it leaks."""
    acquitted: str = ""
    """Why the heap shows that it is no leak."""

    @property
    def is_suppressed(self) -> bool:
        return self.row.state == _State.SUPPRESSED

    @property
    def is_worse(self) -> bool:
        return SEVERITIES.index(self.severity) > SEVERITIES.index(self.old_severity)

    @property
    def is_snooze_over(self) -> bool:
        return _is_snooze_over(self.row, self.work.judgement.now)

    @property
    def quiet_since(self) -> datetime | None:
        return parse_moment(follow_up(self.row).get("quiet_since"))

    @property
    def is_quiet_for_long(self) -> bool:
        hold = LONG_HOLD if self.window in ("day", "week") else self.work.judgement.hold
        return self.quiet_since is not None and self.work.judgement.now - self.quiet_since >= hold

    def comment(self, template: str) -> str:
        """The words of a transition about this row."""
        why = self.verdict.sentence if self.verdict is not None else "it does not grow"
        words = {"old": self.old_severity, "new": self.row.severity, "holder": self.holder, "why": why}
        return template.format(**words, heap=self.acquitted)


def _is_snooze_over(row: Leak, now: datetime) -> bool:
    return row.state == _State.SNOOZED and row.snoozed_until is not None and row.snoozed_until <= now


def _suppress(look: _Look, _comment: str) -> None:
    if look.expected is not None and look.is_suppressed:
        look.row.expected_growth = look.expected
        look.work.suppressed.append(look.expected)
    elif look.expected is not None:
        look.work.suppress(look.row, look.expected)


def _reopen(look: _Look, comment: str) -> None:
    mark_open(look.row)
    look.work.announce(look.row, _Event.REOPENED, comment)


def _worsen(look: _Look, comment: str) -> None:
    look.work.counts["worsened"] += 1
    look.work.event(look.row, _Event.WORSENED, comment)


def _ease(look: _Look, comment: str) -> None:
    look.work.event(look.row, _Event.EASED, comment)


def _resolve(look: _Look, comment: str) -> None:
    look.work.resolve(look.row, comment)


def _resolve_with_verdict(look: _Look, comment: str) -> None:
    say_why_not(look.row, look.verdict, look.work.judgement.now)
    look.work.resolve(look.row, comment)


def _note_quiet(look: _Look, _comment: str) -> None:
    say_why_not(look.row, look.verdict, look.work.judgement.now)
    mark_quiet(look.row, look.work.judgement.now)


class _Transition(NamedTuple):
    """The first one in a table whose condition holds is made."""

    when: Callable[[_Look], bool]
    act: Callable[[_Look, str], None]
    comment: str = ""


STILL_LEAKING = (
    _Transition(lambda look: look.expected is not None, _suppress),
    _Transition(lambda look: bool(look.acquitted), _resolve, "no leak, its heap shows: {heap}"),
    _Transition(lambda look: look.is_suppressed, _reopen, "no longer expected: the expected growth ended"),
    _Transition(
        lambda look: look.row.state == _State.SNOOZED and look.is_worse, _reopen, "severity rose from {old} to {new}"
    ),
    _Transition(lambda look: look.is_snooze_over, _reopen, "the snooze is over and it still grows"),
    _Transition(lambda look: look.is_worse, _worsen, "from {old} to {new}"),
    _Transition(lambda look: look.row.severity != look.old_severity, _ease, "from {old} to {new}"),
)
NOT_LEAKING = (
    _Transition(lambda look: look.holder is not None, _resolve, "counted with {holder}, which it grows with"),
    _Transition(
        lambda look: not look.is_known and look.is_snooze_over,
        _reopen,
        "the snooze is over; whether it grows is not known now",
    ),
    _Transition(lambda look: not look.is_known, lambda _look, _comment: None),
    _Transition(lambda look: look.is_snooze_over, _resolve_with_verdict, "the snooze is over; {why}"),
    _Transition(lambda look: look.quiet_since is None, _note_quiet),
    _Transition(lambda look: look.is_quiet_for_long, _resolve_with_verdict, "stopped growing: {why}"),
)


def _make(table: Sequence[_Transition], look: _Look) -> None:
    transition = next((transition for transition in table if transition.when(look)), None)
    if transition is not None:
        transition.act(look, look.comment(transition.comment))


def follow(work: Pass, key: Key, row: Leak) -> None:
    """Bring a row up to the verdicts of this run, and save it where that changes it."""
    judgement, window = work.judgement, follow_up(row).get("window", WINDOWS[0])
    if key in judgement.covered:
        if row.state != _State.RESOLVED:
            work.resolve(row, "counted with the leak of the whole service, whose workers are recycled")
            row.save()
        return
    if row.state == _State.RESOLVED:
        verdict = judgement.worst(key)
        if verdict is not None and _has_grown_again(row, verdict, judgement.min_growth_count):
            look = work.looks.opinion(judgement.process, key, verdict)
            if not look.waits and not look.acquits:
                _reopen_grown(work, row, verdict)
        return
    verdict = judgement.worst(key, up_to=window)
    if verdict is not None:
        _make(STILL_LEAKING, _still_leaking(work, row, verdict, window))
        row.save()
        return
    before = (row.state, dict(row.evidence))
    _make(NOT_LEAKING, _not_leaking(work, key, row, window))
    if (row.state, row.evidence) != before:
        row.save()


def _still_leaking(work: Pass, row: Leak, verdict: Verdict, window: str) -> _Look:
    """The row with the figures and the severity of the verdict."""
    now, old_severity = work.judgement.now, row.severity
    severity = verdict.watched_severity(old_severity)
    look = _look_before(work, row, verdict, severity)
    if look.waits:
        severity = old_severity
    if look.evidence:
        take_look(row, look.evidence)
    take_figures(row, verdict, now)
    forget_quiet(row)
    take_severity(row, severity, now, work.judgement.hold, lower=row.state != _State.SNOOZED)
    work.counts["seen"] += 1
    expected = work.rules.match(row.object_type, row.service_id, now)
    own = row.expected_growth if row.state == _State.SUPPRESSED else None
    if expected is None and own is not None and expects(own, row.object_type, row.service_id, now):
        expected = own  # made since the run began
    return _Look(
        work=work,
        row=row,
        window=window,
        verdict=verdict,
        severity=severity,
        old_severity=old_severity,
        expected=expected,
        acquitted=look.acquits,
    )


def _look_before(work: Pass, row: Leak, verdict: Verdict, severity: str) -> Opinion:
    """The heap has its say before a leak rises to high or critical."""
    rises = SEVERITIES.index(severity) >= GRAVE > SEVERITIES.index(row.severity)
    return work.looks.opinion(row.process, verdict.key, verdict) if rises else GO


def _not_leaking(work: Pass, key: Key, row: Leak, window: str) -> _Look:
    judgement = work.judgement
    judged = judgement.verdicts.get(window)
    verdict = None if judged is None else judged.get(key)
    reported = judged is not None and (key[0] != Leak.Kind.OBJECTS or key[1] in judgement.reported)
    undecided = verdict is not None and verdict.outcome == "not enough data"
    return _Look(
        work=work,
        row=row,
        window=window,
        verdict=verdict,
        severity=row.severity,
        old_severity=row.severity,
        holder=judgement.holder_of(key),
        is_known=reported and not undecided,
    )


def _has_grown_again(row: Leak, verdict: Verdict, min_growth_count: int) -> bool:
    """Whether the count exceeds the one at the resolve by enough; of pooled lives each starts at 0, so it has."""
    if verdict.window == "lives":
        return True
    before = int(follow_up(row).get("resolved_count", row.current_count))
    least = min_growth_count if row.kind == Leak.Kind.OBJECTS else REOPEN_GROWTH.get(row.kind, 0)
    return verdict.current_count - before > max(least, REOPEN_SHARE * before)


def _reopen_grown(work: Pass, row: Leak, verdict: Verdict) -> None:
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


def go_on_under_name(work: Pass, row: Leak, companions: Sequence[Key]) -> None:
    """Keep a row under its name: it is no leak by itself now, but types that grow with it are."""
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
    if _is_snooze_over(row, work.judgement.now):
        mark_open(row)
        work.announce(row, _Event.REOPENED, f"the snooze is over and {verdicts[0].object_type} grows with it")
    row.save()
