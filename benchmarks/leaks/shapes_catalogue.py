"""Shapes that the count of a type takes over a window: leaking and harmless ones, with random parameters.

A shape is a function of a random source and of time as a share of the window (0 to 1); it returns the growth at each
time, as a share of the whole gain. Level, gain, noise and spacing are drawn elsewhere, the same for all shapes. Where
a harmless shape has a plateau it is reached before .85 of the window: later, nothing could tell it from a leak.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

Times = Sequence[float]
Curve = Callable[[Random, Times], list[float]]
CurveOfDays = Callable[[Random, Times, float], list[float]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A named shape and what it is."""

    name: str
    leaking: bool
    curve: Curve | None = None
    daily: CurveOfDays | None = None
    """Instead, for what depends on the length of the window in days."""
    days: tuple[float, float] = (1.0, 3.5)
    """Lengths of its window."""

    def growth(self, random: Random, times: Times, days: float) -> list[float]:
        """At each time, as a share of the gain."""
        if self.daily is not None:
            return self.daily(random, times, days)
        if self.curve is None:
            raise ValueError(f"{self.name} has no curve")
        return self.curve(random, times)


def _line(_random: Random, times: Times) -> list[float]:
    return list(times)


def _accelerating(random: Random, times: Times) -> list[float]:
    power = random.uniform(1.3, 2.2)
    return [t**power for t in times]


def _late_start(random: Random, times: Times) -> list[float]:
    start = random.uniform(0.15, 0.5)
    return [max(0.0, t - start) / (1 - start) for t in times]


def _warm_up_then_line(random: Random, times: Times) -> list[float]:
    share, constant = random.uniform(0.1, 0.4), random.uniform(0.02, 0.1)
    return [share * (1 - math.exp(-t / constant)) + (1 - share) * t for t in times]


def _slowing(random: Random, times: Times) -> list[float]:
    power = random.uniform(0.7, 0.9)
    return [t**power for t in times]


def _staircase(random: Random, times: Times) -> list[float]:
    steps = random.randint(7, 20)
    return [math.floor(t * steps + 1e-9) / steps for t in times]


def _rising_sawtooth(random: Random, times: Times) -> list[float]:
    teeth, height = random.uniform(5, 25), random.uniform(0.2, 0.5)
    return [t + height * ((t * teeth) % 1.0) for t in times]


def _bursts(random: Random, times: Times) -> list[float]:
    jumps = sorted(random.random() for _ in range(random.randint(25, 80)))
    found, done = [], 0
    for t in times:
        while done < len(jumps) and jumps[done] <= t:
            done += 1
        found.append(done / len(jumps))
    return found


def _uneven_load(random: Random, times: Times) -> list[float]:
    depth, phase, waves = random.uniform(0.2, 0.6), random.uniform(0, math.tau), random.uniform(1, 5)

    def done(t: float) -> float:
        return t + depth * (math.sin(math.tau * waves * t + phase) - math.sin(phase)) / (math.tau * waves)

    return [done(t) / done(1.0) for t in times]


def _line_with_spikes(random: Random, times: Times) -> list[float]:
    return [t + (random.uniform(0.3, 1.0) if random.random() < 0.06 else 0.0) for t in times]


def _line_under_days(random: Random, times: Times, days: float) -> list[float]:
    depth, phase = random.uniform(0.1, 0.25), random.uniform(0, math.tau)
    return [t + depth * math.sin(math.tau * days * t + phase) for t in times]


def _flat(_random: Random, times: Times) -> list[float]:
    return [0.0 for _ in times]


def _saturating(random: Random, times: Times) -> list[float]:
    constant = random.uniform(0.03, 0.22)
    return [1 - math.exp(-t / constant) for t in times]


def _knee(random: Random, times: Times) -> list[float]:
    knee = random.uniform(0.1, 0.8)
    return [min(t / knee, 1.0) for t in times]


def _late_knee(random: Random, times: Times) -> list[float]:
    start, end = random.uniform(0.1, 0.4), random.uniform(0.6, 0.8)
    return [min(max(t - start, 0.0) / (end - start), 1.0) for t in times]


def _step(random: Random, times: Times) -> list[float]:
    at = random.uniform(0.1, 0.85)
    return [1.0 if t >= at else 0.0 for t in times]


def _two_steps(random: Random, times: Times) -> list[float]:
    first, second = random.uniform(0.05, 0.35), random.uniform(0.4, 0.7)
    share = random.uniform(0.3, 0.7)
    return [share * (t >= first) + (1 - share) * (t >= second) for t in times]


def _logistic(random: Random, times: Times) -> list[float]:
    middle, width = random.uniform(0.2, 0.55), random.uniform(0.02, 0.07)
    return [1 / (1 + math.exp(-(t - middle) / width)) for t in times]


def _sawtooth(random: Random, times: Times) -> list[float]:
    teeth, phase = random.uniform(2, 30), random.random()
    return [(t * teeth + phase) % 1.0 for t in times]


def _sawtooth_on_step(random: Random, times: Times) -> list[float]:
    teeth, at = random.uniform(6, 20), random.uniform(0.1, 0.5)
    return [0.5 * ((t * teeth) % 1.0) + 0.5 * (t >= at) for t in times]


def _busy_hours(random: Random, times: Times) -> list[float]:
    start, length = random.uniform(0.1, 0.6), random.uniform(0.15, 0.35)
    return [math.sin(math.pi * min(1.0, max(0.0, (t - start) / length))) for t in times]


def _days(random: Random, times: Times, days: float) -> list[float]:
    phase = random.uniform(0, math.tau)
    return [0.5 + 0.5 * math.sin(math.tau * days * t + phase) for t in times]


def _wandering(random: Random, times: Times) -> list[float]:
    keep = math.exp(-1 / max(1.0, len(times) * random.uniform(0.01, 0.06)))
    level, found = 0.0, []
    for _ in times:
        level = keep * level + math.sqrt(1 - keep * keep) * random.gauss(0, 0.35)
        found.append(max(0.0, 0.5 + level))
    return found


def _last_spike(random: Random, times: Times) -> list[float]:
    start = random.uniform(0.9, 0.97)
    return [random.uniform(0.8, 1.2) if t >= start else 0.0 for t in times]


def _collector_off(random: Random, times: Times) -> list[float]:
    start, end = random.uniform(0.05, 0.3), random.uniform(0.6, 0.9)
    return [(t - start) / (end - start) if start <= t < end else 0.0 for t in times]


def _records(random: Random, times: Times) -> list[float]:
    """A pool whose size is the largest number ever used at once."""
    best, found = 0.0, []
    for _ in times:
        best = max(best, random.betavariate(4, 3))
        found.append(best)
    return found


def _burst_that_ebbs(random: Random, times: Times) -> list[float]:
    at, constant = random.uniform(0.1, 0.5), random.uniform(0.2, 0.6)
    return [0.0 if t < at else math.exp(-(t - at) / constant) for t in times]


def _late_batch(random: Random, times: Times) -> list[float]:
    """Batches, the last of which is still running."""
    starts = [random.uniform(0.0, 0.1), random.uniform(0.3, 0.45), random.uniform(0.8, 0.9)]
    return [max(max(0.0, 1 - abs(t - s - 0.1) / 0.1) for s in starts) for t in times]


SHAPES: tuple[Shape, ...] = (
    Shape("line", True, _line),
    Shape("accelerating", True, _accelerating),
    Shape("late start", True, _late_start),
    Shape("warm-up, then a line", True, _warm_up_then_line),
    Shape("slowing, not stopping", True, _slowing),
    Shape("staircase", True, _staircase),
    Shape("saw-tooth on a rising floor", True, _rising_sawtooth),
    Shape("bursts", True, _bursts),
    Shape("uneven load", True, _uneven_load),
    Shape("line with spikes", True, _line_with_spikes),
    Shape("line under a daily curve", True, daily=_line_under_days, days=(2.0, 4.0)),
    Shape("flat", False, _flat),
    Shape("cache that saturates", False, _saturating),
    Shape("bounded cache, full by .8", False, _knee),
    Shape("late cache, full by .8", False, _late_knee),
    Shape("step", False, _step),
    Shape("two steps", False, _two_steps),
    Shape("roll-out", False, _logistic),
    Shape("saw-tooth", False, _sawtooth),
    Shape("saw-tooth on a step", False, _sawtooth_on_step),
    Shape("busy hours", False, _busy_hours),
    Shape("daily curve", False, daily=_days),
    Shape("wandering load", False, _wandering),
    Shape("spike at the end", False, _last_spike),
    Shape("collector off for a while", False, _collector_off),
    Shape("pool of the most ever used", False, _records),
    Shape("burst that ebbs", False, _burst_that_ebbs),
    Shape("batches, the last still running", False, _late_batch),
)
