"""Whether to recycle a worker of a service now, and which: pure functions of values."""

from memwatch.detection.recycling.decision import decide, has_stand_in
from memwatch.detection.recycling.gain import IN_A_ROW, NOT_POSSIBLE, REASONS, Judgement, judge, settle_s
from memwatch.detection.recycling.situation import (
    ACT,
    BOTH,
    EITHER,
    GUARDS,
    LEAK,
    LIMIT,
    OFF,
    REHEARSE,
    Decision,
    Past,
    Rules,
    Situation,
    Worker,
)

__all__ = [
    "ACT",
    "BOTH",
    "EITHER",
    "GUARDS",
    "IN_A_ROW",
    "LEAK",
    "LIMIT",
    "NOT_POSSIBLE",
    "OFF",
    "REASONS",
    "REHEARSE",
    "Decision",
    "Judgement",
    "Past",
    "Rules",
    "Situation",
    "Worker",
    "decide",
    "has_stand_in",
    "judge",
    "settle_s",
]
