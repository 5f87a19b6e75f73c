"""One cause, one row: a leak that is found under another name keeps its row, with all that hangs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from memwatch.detection import Verdict
from memwatch.detection.succession import same_cause, says_more
from memwatch.models import Leak
from memwatch.services.leaks.judgement import Judgement, Key, window_of
from memwatch.services.leaks.state import follow_up, set_follow_up

MEMORY_KINDS = (Leak.Kind.UNTRACKED, Leak.Kind.NATIVE)


def incumbent(judgement: Judgement, key: Key, verdict: Verdict, rows: Mapping[Key, Leak]) -> Leak | None:
    """The leak that was found before and goes on as ``key``, which has no open row; the oldest of several."""
    found = [row for before, row in rows.items() if _goes_on_as(judgement, before, row, key, verdict)]
    return min(found, key=lambda row: row.pk, default=None)


def is_to_be_renamed(judgement: Judgement, row: Leak, key: Key) -> bool:
    """At once to a name that says more; to one that says no more once its own was no leak for a whole window."""
    if says_more(key, (row.kind, row.object_type)):
        return True
    return judgement.now - row.last_seen_at >= judgement.hold


def rename(row: Leak, key: Key, verdict: Verdict) -> str:
    """Give the row the name, its count at first with it; the words for its history. Since when it grows stays."""
    old, (row.kind, row.object_type) = row.object_type, key
    row.initial_count = verdict.initial_count
    set_follow_up(row, window=window_of(verdict))
    return f"from {old} to {row.object_type}, which grows for the same reason"


def grows_with(row: Leak, others: Iterable[str]) -> None:
    """Note that these types grow with it: what says so of them later opens no leak of its own."""
    known = list(row.evidence.get("grows_with") or ())
    row.evidence = {**row.evidence, "grows_with": known + [name for name in others if name not in known]}


def _goes_on_as(judgement: Judgement, before: Key, row: Leak, key: Key, verdict: Verdict) -> bool:
    if row.state in (Leak.State.RESOLVED, Leak.State.SUPPRESSED) or before == key or before in judgement.covered:
        return False
    if judgement.worst(before) is not None:
        return False
    noted = row.evidence.get("grows_with") or ()
    return same_cause(
        before,
        key,
        folded=before[1] in verdict.grows_with or key[1] in noted or _counted_with(judgement, before, key),
        in_step=key[1] in judgement.in_step.get(before[1], ()),
        goes_on=_recent(row, judgement.now, judgement) and "quiet_since" not in follow_up(row),
    )


def _counted_with(judgement: Judgement, before: Key, key: Key) -> bool:
    """Whether memory without a name was explained by the objects of this run."""
    if before[0] not in MEMORY_KINDS or key[0] != Leak.Kind.OBJECTS:
        return False
    found = [verdicts.get(before) for verdicts in judgement.verdicts.values()]
    return any(verdict is not None and verdict.rule == "grouping" for verdict in found)


def _recent(row: Leak, now: datetime, judgement: Judgement) -> bool:
    return now - row.last_seen_at < judgement.hold
