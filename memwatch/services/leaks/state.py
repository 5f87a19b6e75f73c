"""The parts of a leak's row that change together: its state, its figures, its severity. Nothing here saves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.detection import Verdict
from memwatch.detection.confidence.probability import SURE
from memwatch.detection.rules.gates import GATES
from memwatch.detection.rules.look_back import AS_HIGH_BEFORE, STATISTICS
from memwatch.models import Leak, Process
from memwatch.records import SEVERITIES

_State = Leak.State


def close(row: Leak, now: datetime) -> None:
    """Make the row resolved and remember the count that growth has to exceed before it opens again."""
    row.state, row.resolved_at, row.snoozed_until = _State.RESOLVED, now, None
    row.evidence = {**row.evidence, "follow_up": {**follow_up(row), "resolved_count": row.current_count}}
    row.evidence["follow_up"].pop("quiet_since", None)


def mark_open(row: Leak) -> None:
    """Make the row open, whatever it was."""
    row.state, row.resolved_at, row.snoozed_until, row.expected_growth = _State.OPEN, None, None, None
    kept = {key: value for key, value in follow_up(row).items() if key == "window"}
    row.evidence = {**row.evidence, "follow_up": kept}


def follow_up(row: Leak) -> dict[str, Any]:
    """What later runs must know of the row: ``window``, ``quiet_since``, ``calmer_since``, ``resolved_count``."""
    value = row.evidence.get("follow_up") if isinstance(row.evidence, dict) else None
    return dict(value) if isinstance(value, dict) else {}


def set_follow_up(row: Leak, **values: Any) -> None:
    """Change these of what later runs must know of the row."""
    row.evidence = {**row.evidence, "follow_up": {**follow_up(row), **values}}


def forget_quiet(row: Leak) -> None:
    """It goes on after all, if under another name."""
    kept = {key: value for key, value in follow_up(row).items() if key != "quiet_since"}
    row.evidence = {**row.evidence, "follow_up": kept}


def mark_quiet(row: Leak, now: datetime) -> None:
    """Note that it was not judged a leak for the first time."""
    set_follow_up(row, quiet_since=now.astimezone(UTC).isoformat())


def say_why_not(row: Leak, verdict: Verdict | None, now: datetime) -> None:
    """Keep beside the evidence of the leak the account of the verdict that speaks against it.

    ``evidence["why_not"]`` is ``{"at", "outcome", "rule", "window", "sentence", "rules", "trend"}``, all but the
    time as :meth:`memwatch.detection.verdict.Verdict.evidence` has them. ``verdict`` is ``None`` where it stands still.
    """
    said: dict[str, Any] = {
        "outcome": "quiet",
        "rule": GATES.name,
        "window": None,
        "sentence": "it does not grow",
        "rules": [],
        "trend": None,
    }
    if verdict is not None:
        told = verdict.evidence()
        said = {name: told[name] for name in said}
    row.evidence = {**row.evidence, "why_not": {"at": now.astimezone(UTC).isoformat(), **said}}


def take_figures(row: Leak, verdict: Verdict, now: datetime) -> None:
    """The counts, the verdict and the evidence of now; where it began stays what it was at the opening."""
    leak = verdict.to_leak(now)
    if verdict.window == "lives":  # each life starts at zero
        row.initial_count = verdict.initial_count
    row.current_count = verdict.current_count
    row.growth_count = row.current_count - row.initial_count
    row.growth_percent = row.growth_count / row.initial_count * 100 if row.initial_count else 100.0
    row.growth_per_hour, row.time_to_exhaustion_s = verdict.growth_per_hour, verdict.time_to_exhaustion_s
    row.confidence, row.probability, row.verdict = verdict.confidence, verdict.probability, verdict.sentence
    known = row.evidence if isinstance(row.evidence, dict) else {}
    look, work = known.get("look"), known.get("work")
    row.evidence = {**_with_look_back(leak.evidence, row.evidence), "follow_up": follow_up(row)}
    if work:
        row.evidence["work"] = work
    if look:
        take_look(row, look)
    row.started_at = row.started_at or verdict.started_at
    row.last_seen_at = now


def take_look(row: Leak, look: Mapping[str, Any]) -> None:
    """Keep what a look into the heap has shown. A way from a root to a container that grows makes the leak certain."""
    row.evidence = {**row.evidence, "look": dict(look)}
    if look.get("sure"):
        row.confidence, row.probability = Leak.Confidence.HIGH, max(SURE, row.probability or 0.0)


def take_over_growth(row: Leak, process: Process | None) -> None:
    """Growth of the process that was reported before its objects were known now has a name: it began then."""
    since = None if process is None else process.growing_since
    if since is not None:
        row.started_at = since if row.started_at is None else min(row.started_at, since)


def _with_look_back(evidence: Mapping[str, Any], before: Any) -> Mapping[str, Any]:
    """With what the look at the hours before has shown when the leak was opened: it is not taken again."""
    looked = [rule for rule in _rules(before) if rule["rule"] == AS_HIGH_BEFORE.name and rule["outcome"] == "passed"]
    again = [rule for rule in _rules(evidence) if rule["rule"] == AS_HIGH_BEFORE.name]
    if not looked or any(rule["outcome"] != "not applicable" for rule in again):
        return evidence
    rules = [looked[0] if rule in again else rule for rule in _rules(evidence)]
    figures = {name: value for name, value in before.get("statistics", {}).items() if name in STATISTICS}
    return {**evidence, "rules": rules, "statistics": {**evidence.get("statistics", {}), **figures}}


def _rules(evidence: Any) -> list[dict[str, Any]]:
    return list(evidence.get("rules") or ()) if isinstance(evidence, dict) else []


def take_severity(row: Leak, severity: str, now: datetime, hold: timedelta, *, lower: bool) -> None:
    """A worse severity counts at once, a milder one after it held for a whole window."""
    state = follow_up(row)
    rank, old = SEVERITIES.index(severity), SEVERITIES.index(row.severity)
    since = parse_moment(state.pop("calmer_since", None))
    if rank < old and lower:
        since = since or now
        if now - since >= hold:
            row.severity = severity
        else:
            state["calmer_since"] = since.astimezone(UTC).isoformat()
    elif rank > old:
        row.severity = severity
    row.evidence["follow_up"] = state


def parse_moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
