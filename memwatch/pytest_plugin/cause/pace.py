"""How many calls there is time for while something watches them, which makes them slow."""

from __future__ import annotations

from memwatch.pytest_plugin.calls import Calls, Steps
from memwatch.pytest_plugin.counting import now

LONGEST_S = 20.0
"""For the calls of one run that is watched, whatever is left of the time for the cause."""
WARM_SHARE, PORTIONS = 4, 10
"""One in so many calls warms up, in so many portions: what the first calls under a watch keep for themselves is not
counted."""
WARM_S = 4.0
"""After so long no portion follows."""


def warm_up(count: int, calls: Calls) -> Steps[int]:
    """The first calls of a run of ``count``; returns for how many of these there is time."""
    calls.allow(LONGEST_S)
    began, spent_s, made = now(), calls.seconds, 0
    warm = max(1, count // WARM_SHARE)
    while made < warm and (not made or now() - began < WARM_S):
        done = yield min(warm - made, -(-warm // PORTIONS))
        if not done:
            break
        made += done
    each_s = (calls.seconds - spent_s) / max(made, 1)
    return max(1, min(count, int(calls.left_s / max(each_s, 1e-9))))
