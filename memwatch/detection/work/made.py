"""In which calls objects of the leaking type were made, while a recording looked: it decides what calls alone cannot.

Where the load is even, or several names always run together, no number of calls can say whose objects they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from memwatch.detection.work.attribution import EXPLAINED, LEAST_SHARE, MOST_CULPRITS, Attribution, Culprit
from memwatch.detection.work.search import Step

LEAST_MADE = 5
"""Objects of a name from which on it counts."""
FITS = (0.6, 1.7)
"""What the names make by their calls, as a share of the growth. Beyond, the objects seen are mostly let go again, or
most of those that stay were not seen."""


def decided(
    found: Attribution, made: Mapping[int, tuple[int, int]], processes: Iterable[Sequence[Step]]
) -> Attribution:
    """The attribution, where it names no work or cannot distinguish some, by the objects that were seen being made.

    ``made``: by work, how many objects of the type were there when their call ended, and in how many calls that was
    looked at.
    """
    if found.remark == EXPLAINED:
        return found
    calls: Counter[int] = Counter()
    grown = 0.0
    for step in (step for steps in processes for step in steps):
        calls.update(step.calls)
        grown += step.growth
    each = {work: count / looked for work, (count, looked) in made.items() if count >= LEAST_MADE and looked > 0}
    explained = sum(per_call * calls[work] for work, per_call in each.items())
    if grown <= 0 or not FITS[0] <= explained / grown <= FITS[1]:
        return found
    shares = {work: each[work] * calls[work] / explained for work in each}
    culprits = [
        _culprit(work, made[work], share)
        for work, share in sorted(shares.items(), key=lambda item: -item[1])
        if share >= LEAST_SHARE
    ]
    return Attribution(tuple(culprits[:MOST_CULPRITS]), EXPLAINED) if culprits else found


def _culprit(work: int, made: tuple[int, int], share: float) -> Culprit:
    count, looked = made
    half = 1.96 * math.sqrt(count)
    return Culprit(
        (work,), count / looked, max(0.0, count - half) / looked, (count + half) / looked, min(1.0, share), "direct"
    )
