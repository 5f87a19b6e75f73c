"""Two libraries in place of the siblings' medians: scikit-learn's isolation forest and river's half-space trees.

Both see the same: the logarithm of each figure over the median of the siblings of its release. The forest is made each
day of the week before; the trees learn with every pass. What they call unusual for an hour and a half is said.
Neither is a requirement of memwatch: install them to run this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.anomalies.run import Ledger
from benchmarks.anomalies.world import DAY, WEEK, Seen

FIGURES = ("rss", "heap", "objects", "blocks", "free_heap", "threads")
SUSTAINED = 9


def vectors(seen: Sequence[Seen]) -> dict[int, list[float]]:
    """Of each worker that is over a quarter of an hour old and has two siblings."""
    groups: dict[int, list[Seen]] = {}
    for each in seen:
        if each.age_s >= 900:
            groups.setdefault(each.release, []).append(each)
    found: dict[int, list[float]] = {}
    for own in groups.values():
        if len(own) < 3:
            continue
        usual = {name: median([each.values[name] for each in own]) for name in FIGURES}
        for each in own:
            found[each.id] = [math.log((each.values[name] + 4) / (usual[name] + 4)) for name in FIGURES]
    return found


class _Sustained:
    """Says what was over its level for so many passes."""

    def __init__(self, level: float) -> None:
        self.level, self.ledger = level, Ledger()
        self._high: dict[int, int] = {}

    def take(self, now: int, scores: dict[int, float], slots: dict[int, int]) -> None:
        for pk, score in scores.items():
            self._high[pk] = min(SUSTAINED, self._high.get(pk, 0) + 1) if score > self.level else 0
        findings = [(pk, slots[pk], ()) for pk in scores if self._high[pk] >= SUSTAINED]
        self.ledger.take(now, findings, {pk for pk, high in self._high.items() if high})


class Forest:
    """scikit-learn's isolation forest, at several levels of its score."""

    LEVELS = (0.60, 0.65, 0.70, 0.75, 0.80)

    def __init__(self) -> None:
        self.at = [_Sustained(level) for level in self.LEVELS]
        self._past: list[list[float]] = []
        self._model: Any = None

    def take(self, now: int, seen: Sequence[Seen]) -> None:
        found = vectors(seen)
        self._past.extend(found.values())
        if now % DAY == 0 and now >= DAY and self._past:
            from sklearn.ensemble import IsolationForest

            del self._past[: -7 * DAY * max(1, len(found))]
            rows = np.array(self._past)
            rng = np.random.default_rng(now)
            self._model = IsolationForest(n_estimators=50, random_state=0).fit(
                rows[rng.choice(len(rows), min(len(rows), 5_000), replace=False)]
            )
        if self._model is None or now < WEEK or not found:
            return
        scores = dict(zip(found, -self._model.score_samples(np.array(list(found.values()))), strict=True))
        slots = {each.id: each.slot for each in seen}
        for each in self.at:
            each.take(now, scores, slots)


class Trees:
    """river's half-space trees, at several levels of their score."""

    LEVELS = (0.80, 0.90, 0.95, 0.98, 0.99)

    def __init__(self) -> None:
        from river.anomaly import HalfSpaceTrees

        self.at = [_Sustained(level) for level in self.LEVELS]
        limits = dict.fromkeys(FIGURES, (-1.0, 1.5))
        self._model = HalfSpaceTrees(n_trees=15, height=6, window_size=500, limits=limits, seed=0)

    def take(self, now: int, seen: Sequence[Seen]) -> None:
        scores = {}
        for pk, vector in vectors(seen).items():
            row = dict(zip(FIGURES, vector, strict=True))
            if now >= WEEK:
                scores[pk] = self._model.score_one(row)
            self._model.learn_one(row)
        slots = {each.id: each.slot for each in seen}
        for each in self.at:
            each.take(now, scores, slots)
