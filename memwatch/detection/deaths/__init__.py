"""Why a process ended, from what it left behind and from what those who noticed its end saw. Pure functions."""

from memwatch.detection.deaths.advice import advice
from memwatch.detection.deaths.decision import Verdict, decide, decide_all
from memwatch.detection.deaths.evidence import evidence
from memwatch.detection.deaths.facts import HUB, PROCESS, SUCCESSOR, Facts, OomCounters
from memwatch.detection.deaths.reasons import (
    CRASH,
    HOST_GONE,
    KILLED,
    OOM_CONTAINER,
    OOM_PROCESS,
    REASONS,
    RECYCLED,
    RECYCLED_BY_MEMWATCH,
    SIGKILL,
    STOPPED,
    TIME_LIMIT,
    UNKNOWN,
)
from memwatch.detection.deaths.successors import by_successor

__all__ = [
    "CRASH",
    "HOST_GONE",
    "HUB",
    "KILLED",
    "OOM_CONTAINER",
    "OOM_PROCESS",
    "PROCESS",
    "REASONS",
    "RECYCLED",
    "RECYCLED_BY_MEMWATCH",
    "SIGKILL",
    "STOPPED",
    "SUCCESSOR",
    "TIME_LIMIT",
    "UNKNOWN",
    "Facts",
    "OomCounters",
    "Verdict",
    "advice",
    "by_successor",
    "decide",
    "decide_all",
    "evidence",
]
