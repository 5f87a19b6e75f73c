"""The rules, in their order. Each settles a case or passes it on; what no rule settles is a leak."""

from __future__ import annotations

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.rules.garbage import full_collection
from memwatch.detection.rules.gates import gates
from memwatch.detection.rules.growth import floor, jumps, trend, warm_up
from memwatch.detection.rules.look_back import as_high_before
from memwatch.detection.rules.memory_backing import memory_behind
from memwatch.detection.rules.persistence import paused, season, shape, slowing, still_growing, stopped
from memwatch.detection.rules.sample_size import few_points

RULES: tuple[Rule, ...] = (
    gates,
    few_points,
    warm_up,
    floor,
    trend,
    jumps,
    shape,
    still_growing,
    stopped,
    paused,
    slowing,
    memory_behind,
    full_collection,
    as_high_before,
    season,
)


def decide(case: Case) -> Decision:
    """The first rule that settles it; a leak where none does."""
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    return Decision("leak", "all", "rises steadily and has not fallen back")
