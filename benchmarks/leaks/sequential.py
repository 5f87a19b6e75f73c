"""Sequential tests beside the rules: each gives a score after every snapshot, and opens a leak at a threshold.

All of them also ask for the growth that the gates of the rules ask for. What they read is one series from its first
point on; none of them is part of memwatch.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from memwatch.detection import History, judge
from memwatch.detection.rules.gates import STEADY_COUNT, STEADY_SHARE, WATCH_POINTS
from memwatch.detection.statistics.estimators import noise

Score = Callable[[Sequence[int]], list[float]]
"""From the counts to a score after each; ``-inf`` where it cannot open yet."""

FIRST, WINDOW = 8, 60
NEVER = -math.inf
SLACK = 0.05
"""Rise with each snapshot that CUSUM allows, in standard deviations."""
STAKE = 0.9
"""Part of the capital that the conformal test bets on a high rank."""


def has_grown(counts: Sequence[int]) -> bool:
    """Whether the last three are above the lowest level so far by what the gates ask for."""
    level = min(median(counts[at : at + 3]) for at in range(max(1, len(counts) - 3)))
    gain = median(counts[-3:]) - level
    return gain >= max(STEADY_COUNT, STEADY_SHARE * level) or (gain > 100 and gain > 0.5 * level)


def cusum(counts: Sequence[int]) -> list[float]:
    """Page's CUSUM of the increments, in standard deviations of the noise of the last hour."""
    found, total = [], 0.0
    for at, count in enumerate(counts):
        shown = counts[max(0, at - WINDOW + 1) : at + 1]
        sigma = max(1.0, noise(shown)) if len(shown) >= FIRST else 0.0
        total = max(0.0, total + (count - counts[at - 1]) / sigma - SLACK) if sigma else 0.0
        found.append(total if sigma and has_grown(shown) else NEVER)
    return found


def conformal(counts: Sequence[int]) -> list[float]:
    """An e-detector (Shin, Ramdas and Rinaldo 2022) of conformal e-values: the rank of a count among the last hour's.

    Where counts are exchangeable, ranks are uniform, and the capital of who bets on high ones does not grow.
    """
    found, capital = [], 0.0
    for at, count in enumerate(counts):
        shown = counts[max(0, at - WINDOW + 1) : at + 1]
        ordered = sorted(shown)
        rank = (bisect_left(ordered, count) + bisect_right(ordered, count)) / 2 / len(ordered)
        capital = max(0.0, capital) + math.log(1 + STAKE * (2 * rank - 1)) if at else 0.0
        found.append(capital if len(shown) >= FIRST and has_grown(shown) else NEVER)
    return found


TESTS: dict[str, Score] = {"CUSUM": cusum, "conformal": conformal}


def bayes_factor(history: Callable[[int], History], counts: Sequence[int]) -> Iterator[tuple[int, float]]:
    """The log odds of a leaking shape against a harmless one in the first points of a process or of a new rise.

    The rules judge them as given snapshots, which need not wait; the odds are an e-value of the harmless shapes.
    """
    for end in range(FIRST, len(counts) + 1):
        if end < WATCH_POINTS:
            start = 0
        else:
            start = end - FIRST - 4
            shown = counts[max(0, end - WINDOW) : end]
            if min(shown[-FIRST:]) <= max(shown[:-FIRST]):
                continue
        for verdict in judge(_part(history(end), start), window="given"):
            probability = verdict.statistics.get("leak_probability") if verdict.is_leak else None
            if probability is not None:
                yield end, math.log(max(probability, 1e-9) / max(1 - probability, 1e-9))


def _part(history: History, start: int) -> History:
    cut = slice(max(0, len(history) - FIRST - 4), None) if start else slice(0, None)
    return History(
        times=history.times[cut],
        figures={name: column[cut] for name, column in history.figures.items()},
        counts={name: column[cut] for name, column in history.counts.items()},
        earlier=history.earlier,
    )
