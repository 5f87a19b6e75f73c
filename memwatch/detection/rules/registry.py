"""The rules in their order: each settles a case or passes it on; a case that no rule settles is a leak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from memwatch.detection.case import Case, Decision, Question, Rule
from memwatch.detection.rules.first_times import FIRST_CALLS, IMPORTS
from memwatch.detection.rules.garbage import FULL_COLLECTION
from memwatch.detection.rules.gates import GATES
from memwatch.detection.rules.growth import FLOOR, JUMPS, TREND, WARM_UP
from memwatch.detection.rules.look_back import AS_HIGH_BEFORE
from memwatch.detection.rules.memory_backing import MEMORY_BEHIND
from memwatch.detection.rules.persistence import PAUSED, SHAPE, STILL_GROWING
from memwatch.detection.rules.recycled_workers import POOL_RULES
from memwatch.detection.rules.sample_size import FEW_POINTS
from memwatch.detection.rules.slowing import SLOWING

RULES: tuple[Rule, ...] = (
    GATES,
    FEW_POINTS,
    WARM_UP,
    FLOOR,
    TREND,
    JUMPS,
    IMPORTS,
    FIRST_CALLS,
    SHAPE,
    STILL_GROWING,
    PAUSED,
    SLOWING,
    MEMORY_BEHIND,
    FULL_COLLECTION,
    AS_HIGH_BEFORE,
)

NO_RULE = "all"
"""In place of a rule's name: no rule settled the case, so it is a leak."""

GROUPING = Question(name="grouping", question="Is it a cause of its own?")
POOLED = Question(name="pooled", question="Does it grow in each life of the process?")
NEWEST_LIVES = Question(name="newest_lives", question="Do the newest lives still show it?")
FRAGMENTATION = Question(name="fragmentation", question="Is the memory in use, not only held by the allocators?")

_ASKED: tuple[Question, ...] = (
    *RULES,
    *(rule.asks for rule in POOL_RULES),
    GROUPING,
    POOLED,
    NEWEST_LIVES,
    FRAGMENTATION,
)
QUESTIONS: Mapping[str, str] = {asked.name: asked.question for asked in _ASKED}
"""The question of everything that can settle a verdict, by the name that evidence keeps."""


def decide(case: Case) -> Decision:
    """The decision of the first rule that settles the case; a leak where none does."""
    for rule in RULES:
        decision = rule.decide(case)
        if decision is not None:
            return replace(decision, rule=rule.name)
    return Decision("leak", "rises steadily and has not fallen back", NO_RULE)
