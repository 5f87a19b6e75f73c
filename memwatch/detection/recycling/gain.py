"""Whether recycling helps: what the last recycles of this release have gained, and how long it lasted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from memwatch.detection.recycling.decision import least_gain_mb
from memwatch.detection.recycling.situation import Past

IN_A_ROW = 2
"""So many recycles that did not help stop the policy."""
FAILED_IN_A_ROW = 3
"""So many orders after which no worker ended."""
NO_GAIN, GROWS_BACK, NOT_POSSIBLE, NO_SUCCESSOR = REASONS = ("no_gain", "grows_back", "not_possible", "no_successor")
_SETTLE_S = 120.0


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """Why the policy stops itself; both are empty while it goes on."""

    reason: str = ""
    why: str = ""


def settle_s(interval_s: float) -> float:
    """The age at which a successor is compared with the worker before it: it has loaded what it needs."""
    return min(_SETTLE_S, interval_s / 2)


def judge(history: Sequence[Past]) -> Judgement:
    """``history``: the recycles of this release that are over, the newest first."""
    failed = history[:FAILED_IN_A_ROW]
    if len(failed) == FAILED_IN_A_ROW and not any(past.done for past in failed):
        why = f"The last {FAILED_IN_A_ROW} orders ended no worker. See what each answered, then start the policy again."
        return Judgement(NOT_POSSIBLE, why)
    ended = [past for past in history if past.done][:IN_A_ROW]
    if len(ended) == IN_A_ROW and not any(past.replaced for past in ended):
        why = (
            f"No process took the place of the last {IN_A_ROW} workers that were recycled. See whether their server "
            "still starts workers, then start the policy again."
        )
        return Judgement(NO_SUCCESSOR, why)
    measured = [past for past in history if past.done and (past.gained_mb is not None or past.grew_back)][:IN_A_ROW]
    if len(measured) < IN_A_ROW:
        return Judgement()
    if all(map(_gained_nothing, measured)):
        why = (
            f"The last {IN_A_ROW} recycles gained nothing: the successors have as much private memory as the workers "
            "before them. It was there before they were forked, or they need that much."
        )
        return Judgement(NO_GAIN, why)
    if all(past.grew_back or _gained_nothing(past) for past in measured):
        why = (
            f"The successors of the last {IN_A_ROW} recycles were due again before the interval was over: they grow as "
            "fast as they are recycled. Fix the leak, or raise the limit."
        )
        return Judgement(GROWS_BACK, why)
    return Judgement()


def _gained_nothing(past: Past) -> bool:
    if past.gained_mb is None or past.before_mb is None:
        return False
    return past.gained_mb < least_gain_mb(past.before_mb)
