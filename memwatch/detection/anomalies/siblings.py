"""A process against its siblings: those of the same service, release and role, and of about the same age.

Each figure is compared with the median of the others. How unlike it is, is a ratio: at 1 its distance is as large as
the siblings' own spread and the figure's least difference allow. Only more than usual counts: less is no trouble.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from statistics import median

from memwatch.detection.anomalies.figures import WATCHED, Values
from memwatch.detection.statistics.estimators import GAUSSIAN_MAD

FEWEST = 3
"""Processes of an age. With two, neither can be called the unusual one."""
WARM_UP_S = 900.0
"""A younger process is still loading: it is not compared."""
AGES_S = (WARM_UP_S, 3_600.0, 4 * 3_600.0, 16 * 3_600.0, 64 * 3_600.0)
"""Where classes of age begin. A cache that fills makes an older worker larger than a younger one."""
SPREADS = 6.0
"""Median absolute deviations, as standard deviations, that are still usual."""
TAIL, TAILS = 0.9, 2.0
"""Nor is what is within so many times the distance that one sibling in ten has: a worker keeps its high-water mark."""
SMALL = 8
"""In groups up to this size a process is left out of what it is compared with."""


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A living process with its figures of now."""

    id: int
    group: Hashable
    """Service, release and role: only within it is anything compared."""
    age_s: float
    values: Values
    jobs: float | None = None
    """Done since the pass before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unlike:
    """How one figure differs from the usual."""

    ratio: float
    """1 and more is unusual."""
    value: float
    usual: float


def compare(members: Iterable[Member]) -> dict[int, dict[str, Unlike]]:
    """Of each process that has enough siblings, every figure that is higher than theirs; perhaps none."""
    classes: dict[tuple[Hashable, int], list[Member]] = {}
    for member in members:
        if member.age_s >= WARM_UP_S:
            classes.setdefault((member.group, _age_class(member.age_s)), []).append(member)
    found: dict[int, dict[str, Unlike]] = {}
    for (group, age), own in classes.items():
        others: list[Member] = []
        if len(own) < FEWEST:  # the nearest of the older, else of the younger
            others = classes.get((group, age + 1), []) or classes.get((group, age - 1), [])
        if len(own) + len(others) < FEWEST:
            continue
        for name in WATCHED:
            for pk, unlike in _unlike(name, own, others):
                found.setdefault(pk, {})[name] = unlike
        for member in own:
            found.setdefault(member.id, {})
    return found


def _age_class(age_s: float) -> int:
    return sum(age_s >= begin for begin in AGES_S)


def _unlike(name: str, own: Sequence[Member], others: Sequence[Member]) -> Iterable[tuple[int, Unlike]]:
    known = [(member.id, value) for member in own if (value := member.values.get(name)) is not None]
    beside = [value for member in others if (value := member.values.get(name)) is not None]
    if len(known) + len(beside) < FEWEST or not known:
        return
    watched = WATCHED[name]
    everyone = sorted([value for _, value in known] + beside)
    few = len(everyone) <= SMALL
    middle = _middle(everyone)
    least = max(watched.least, watched.share * middle)
    bound = 0.0 if few else max(least, _spread(everyone, middle))
    for pk, value in known:
        if value <= middle:
            continue
        usual = middle
        if few:
            if value - middle < watched.least:
                continue
            rest = everyone.copy()
            rest.remove(value)
            usual = _middle(rest)
            bound = max(watched.least, watched.share * usual, _spread(rest, usual))
        yield pk, Unlike((value - usual) / bound, value, usual)


def _spread(ordered: Sequence[float], middle: float) -> float:
    """The distance from the median that is still usual."""
    distances = sorted([abs(value - middle) for value in ordered])
    tail = distances[int(TAIL * (len(distances) - 1))]
    return max(SPREADS * GAUSSIAN_MAD * _middle(distances), TAILS * tail)


def _middle(ordered: Sequence[float]) -> float:
    """The median of what is sorted."""
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def busier(member: Member, siblings: Iterable[Member]) -> float | None:
    """How many times the jobs of its siblings it did; ``None`` where that is not known."""
    jobs = [each.jobs for each in siblings if each.group == member.group and each.id != member.id and each.jobs]
    usual = median(jobs) if jobs else 0.0
    return member.jobs / usual if usual and member.jobs is not None else None


def ratios(unlike: Mapping[str, Unlike]) -> dict[str, float]:
    return {name: each.ratio for name, each in unlike.items()}


def usual_sibling(member: Member, siblings: Iterable[Member], unusual: Container[int]) -> int | None:
    """The one to compare it with: of its group, nothing unusual about it, and the nearest in age."""
    able = [
        each
        for each in siblings
        if each.group == member.group and each.id != member.id and each.id not in unusual and each.age_s >= WARM_UP_S
    ]
    return min(able, key=lambda each: (abs(each.age_s - member.age_s), each.id)).id if able else None
