"""Whether a worker is recycled now, and which. The guards are asked in order; the first that objects decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from memwatch.detection.recycling.situation import (
    BOTH,
    DEPLOYING,
    EITHER,
    LAST_WORKER,
    LEAK,
    LIMIT,
    MODE_OFF,
    NOTHING_DUE,
    NOTHING_TO_GAIN,
    OFF,
    OFF_BY_SETTING,
    PENDING,
    STOPPED,
    TOO_SOON,
    TOO_YOUNG,
    Decision,
    Rules,
    Situation,
    Worker,
)
from memwatch.detection.sentence import duration

DEPLOY_S = 300.0
"""A rollout takes about so long: its workers are new in any case."""
JITTER = 0.2
"""Share of the interval by which it is longer at most."""
LEAST_GAIN, LEAST_GAIN_MB = 0.1, 5.0
"""A worker that has grown by less than this share of its private memory, or these MB, has nothing to give back."""


def decide(situation: Situation) -> Decision:
    """What to do about the service now."""
    rules = situation.rules
    if not situation.allowed:
        return Decision(guard=OFF_BY_SETTING, why="Recycling is switched off for all services by a setting.")
    if rules.mode == OFF:
        return Decision(guard=MODE_OFF, why="The policy is off.")
    over = _counted(situation)
    if rules.stopped:
        return Decision(guard=STOPPED, why=rules.stopped, over=over)
    if situation.pending:
        return Decision(guard=PENDING, why="One worker is being recycled: the next one waits for it.", over=over)
    if situation.deployed_s is not None and situation.deployed_s < DEPLOY_S:
        why = f"A new release began {duration(max(0.0, situation.deployed_s))} ago: its workers are new."
        return Decision(guard=DEPLOYING, why=why)
    return _choose(situation, over)


def _choose(situation: Situation, over: dict[int, int]) -> Decision:
    rules = situation.rules
    due = [worker for worker in situation.workers if worker.healthy and over.get(worker.id, 0) >= rules.checks]
    if not due:
        return Decision(guard=NOTHING_DUE, why=_nothing_due(situation, over), over=over)
    worth = [worker for worker in due if _has_something_to_give(worker)]
    if not worth:
        why = f"{_largest(due).name} is over, but a new worker starts with about as much: nothing would be gained."
        return Decision(guard=NOTHING_TO_GAIN, why=why, over=over)
    young = tuple([worker.id for worker in worth if worker.age_s < rules.interval_s])
    old = [worker for worker in worth if worker.id not in young]
    if not old:
        why = f"{_largest(worth).name} is over, but younger than {duration(rules.interval_s)}."
        return Decision(guard=TOO_YOUNG, why=why, over=over, grew_back=young)
    replaceable = [worker for worker in old if has_stand_in(worker.id, worker.program, situation.workers)]
    if not replaceable:
        why = f"{_largest(old).name} is over, but it is the last healthy worker of the service."
        return Decision(guard=LAST_WORKER, why=why, over=over, grew_back=young)
    chosen = _largest(replaceable)
    wait_s = _wait_s(situation)
    if wait_s > 0:
        why = f"{chosen.name} is over; the next worker may be recycled in {duration(wait_s)}."
        return Decision(guard=TOO_SOON, why=why, over=over, grew_back=young)
    why, because = _why(chosen, rules)
    return Decision(worker=chosen.id, why=f"{chosen.name}: {why}", because=because, over=over, grew_back=young)


def has_stand_in(worker: int, program: str, workers: Sequence[Worker]) -> bool:
    """Whether another healthy worker does the same work."""
    return any(each.healthy and each.program == program for each in workers if each.id != worker)


def _counted(situation: Situation) -> dict[int, int]:
    """Checks in a row, with this one. Who cannot be recycled is not counted."""
    able = [worker for worker in situation.workers if worker.recyclable]
    return {worker.id: situation.over.get(worker.id, 0) + 1 for worker in able if met(worker, situation.rules)}


def met(worker: Worker, rules: Rules) -> str:
    """Which condition the worker meets: ``limit``, ``leak`` or ``both``; empty where it is not over."""
    limit_mb = soft_limit_mb(worker, rules)
    large = limit_mb is not None and worker.private_mb is not None and worker.private_mb >= limit_mb
    met_both = large and worker.leaks
    wanted = {
        LIMIT: large,
        LEAK: worker.leaks and worker.private_mb is not None,
        EITHER: large or (worker.leaks and worker.private_mb is not None),
        BOTH: met_both,
    }
    if not wanted.get(rules.when, False):
        return ""
    return BOTH if met_both else LIMIT if large else LEAK


def soft_limit_mb(worker: Worker, rules: Rules) -> float | None:
    """The soft limit of this worker's private memory; ``None``: it has none."""
    if rules.limit_mb is not None:
        return rules.limit_mb
    if rules.limit_percent is None or worker.limit_mb is None:
        return None
    return worker.limit_mb * rules.limit_percent / 100


def least_gain_mb(before_mb: float) -> float:
    """Less than this is no gain."""
    return max(LEAST_GAIN_MB, LEAST_GAIN * before_mb)


def _has_something_to_give(worker: Worker) -> bool:
    """Whether it has grown since it was young. What it began with, its successor begins with too."""
    if worker.private_mb is None or worker.first_private_mb is None:
        return worker.private_mb is not None
    return worker.private_mb - worker.first_private_mb >= least_gain_mb(worker.private_mb)


def _largest(workers: list[Worker]) -> Worker:
    return max(workers, key=lambda worker: (worker.private_mb or 0.0, -worker.id))


def _wait_s(situation: Situation) -> float:
    """A recycle that is dated in the future was written before the clock was set back: it counts as made now."""
    if not situation.history:
        return 0.0
    last = min(max(past.at for past in situation.history), situation.now)
    interval_s = situation.rules.interval_s * (1 + JITTER * min(1.0, max(0.0, situation.jitter)))
    return (last + timedelta(seconds=interval_s) - situation.now).total_seconds()


def _know_no_limit(workers: Sequence[Worker]) -> bool:
    return bool(workers) and all(worker.limit_mb is None for worker in workers)


def _nothing_due(situation: Situation, over: dict[int, int]) -> str:
    rules = situation.rules
    if over:
        most = max(over.values())
        many = f"{len(over)} of {len(situation.workers)} workers are over"
        return f"{many}, for {most} of {rules.checks} checks."
    if situation.workers and not any(worker.private_mb is not None for worker in situation.workers):
        return "The private memory of its workers is not measured: nothing can be judged."
    if rules.limit_mb is None and rules.limit_percent is not None and _know_no_limit(situation.workers):
        return "What its workers may grow to is not known: give the soft limit in MB."
    return "No worker is over."


def _why(worker: Worker, rules: Rules) -> tuple[str, str]:
    because = met(worker, rules)
    limit_mb = soft_limit_mb(worker, rules)
    says = []
    if because in (LIMIT, BOTH) and limit_mb is not None:
        says.append(f"{worker.private_mb:,.0f} MB of private memory, the soft limit is {limit_mb:,.0f} MB")
    if because in (LEAK, BOTH):
        says.append("its leak is open" if says else f"{worker.private_mb:,.0f} MB of private memory, its leak is open")
    checks = "1 check" if rules.checks == 1 else f"{rules.checks} checks"
    return f"{', and '.join(says)}, for {checks}.", because
