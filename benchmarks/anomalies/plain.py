"""What memwatch's detectors are held against: plain thresholds, and Netdata's consensus of models.

Netdata's scheme after its documentation: of each figure of each worker, models of the last two days (k-means with two
centres over six differenced, smoothed, lagged values) each call a value normal or not; it is anomalous where all
agree, and a worker where a share of its figures is. Here a model is made every three hours of the six before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.anomalies.run import Ledger
from benchmarks.anomalies.world import HOUR_PASSES, Seen

LEVELS = ("rss", "heap", "objects", "threads", "free_heap")


class Thresholds:
    """A figure more than so many times the median of all workers for half an hour; the service against its day."""

    def __init__(self, factor: float, service_factor: float) -> None:
        self.factor, self.service_factor = factor, service_factor
        self.ledger, self.service = Ledger(), Ledger()
        self._high: dict[int, int] = {}
        self._day: deque[float] = deque(maxlen=144)
        self._service_high = 0

    def take(self, now: int, seen: Sequence[Seen]) -> None:
        usual = {name: median([each.values[name] for each in seen]) for name in LEVELS} if seen else {}
        findings = []
        for each in seen:
            over = any(each.values[name] > self.factor * usual[name] + 8 for name in LEVELS)
            self._high[each.id] = self._high.get(each.id, 0) + 1 if over else 0
            if self._high[each.id] >= 3:
                findings.append((each.id, each.slot, ()))
        self.ledger.take(now, findings, {pk for pk, high in self._high.items() if high})
        if usual:
            over = len(self._day) == 144 and usual["rss"] > self.service_factor * sum(self._day) / 144
            self._service_high = self._service_high + 1 if over else 0
            self.service.take(now, [(0, None, ())] if self._service_high >= 3 else [], {0} if over else set())
            self._day.append(usual["rss"])

    @property
    def said(self) -> list[Any]:
        return [*self.ledger.said, *self.service.said]


FIGURES = ("rss", "heap", "objects", "blocks", "free_heap", "threads")
LAGS, MODELS, EVERY, LEARNED = 6, 18, 3 * HOUR_PASSES, 6 * HOUR_PASSES


class Netdata:
    """All slots and figures at once, as arrays: a series is a slot's figure, whatever worker it has."""

    def __init__(self, workers: int, share: float = 0.3) -> None:
        self._series = workers * len(FIGURES)
        self._workers, self._share = workers, share
        self._last = np.full(self._series, np.nan)
        self._raw: deque[Any] = deque(maxlen=3)
        self._smooth: deque[Any] = deque(maxlen=LAGS)
        self._features: deque[Any] = deque(maxlen=LEARNED)
        self._models: deque[tuple[Any, Any, Any]] = deque(maxlen=MODELS)
        self._rates: deque[Any] = deque(maxlen=3)
        self.ledger = Ledger()

    def take(self, now: int, seen: Sequence[Seen]) -> None:
        values = self._last.copy()
        for each in seen:
            begin = each.slot * len(FIGURES)
            values[begin : begin + len(FIGURES)] = [each.values[name] for name in FIGURES]
        self._raw.append(np.nan_to_num(values - self._last))
        self._last = values
        self._smooth.append(np.mean(self._raw, axis=0))
        if len(self._smooth) < LAGS:
            return
        features = np.stack(self._smooth, axis=1)
        if self._models:
            agreed = np.ones(self._series, bool)
            for centres, low, high in self._models:
                distance = np.linalg.norm(features[:, None] - centres, axis=2).min(axis=1)
                agreed &= (distance - low) / np.maximum(high - low, 1e-9) > 0.99
            self._rates.append(agreed.reshape(self._workers, -1).mean(axis=1))
            rate = np.mean(self._rates, axis=0)
            slots = [int(slot) for slot in np.nonzero(rate >= self._share)[0]]
            self.ledger.take(now, [(slot, slot, ()) for slot in slots], set(slots))
        self._features.append(features)
        if len(self._features) == LEARNED and now % EVERY == 0:
            self._models.append(_learn(np.stack(self._features, axis=1)))

    @property
    def said(self) -> list[Any]:
        return self.ledger.said


def _learn(samples: Any) -> tuple[Any, Any, Any]:
    """Two centres of each series, and the least and most distance from them. ``samples``: series, times, lags."""
    centres = np.stack([samples[:, 0], samples[:, -1]], axis=1)
    for _ in range(10):
        distances = np.linalg.norm(samples[:, :, None] - centres[:, None], axis=3)
        nearest = distances.argmin(axis=2)
        for which in (0, 1):
            mask = (nearest == which)[:, :, None]
            count = mask.sum(axis=1)
            centres[:, which] = np.where(
                count > 0, (samples * mask).sum(axis=1) / np.maximum(count, 1), centres[:, which]
            )
    distance = np.linalg.norm(samples[:, :, None] - centres[:, None], axis=3).min(axis=2)
    return centres, distance.min(axis=1), distance.max(axis=1)
