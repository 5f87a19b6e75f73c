"""Simulated programs: processes that do work of several names, some of which leaks, and what memwatch sees of them."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field, replace

import numpy as np

from memwatch.detection.work.attribution import Direct, Step


@dataclass(frozen=True)
class Shape:
    """A kind of program; a seed makes one of it."""

    names: tuple[int, int] = (5, 30)
    processes: tuple[int, int] = (1, 4)
    steps: tuple[int, int] = (40, 120)
    interval: float = 60.0
    busy: tuple[float, float] = (20.0, 300.0)
    """Calls a step and process, all names together."""
    traffic: str = "even"
    own: float = 0.3
    """How much each name's load varies by itself (standard deviation of its logarithm)."""
    leaking: int = 1
    """Names that leak."""
    every: float = 0.0
    """Objects that are kept at each call, whatever its name."""
    left_out: int = 0
    """Names at whose calls they are not."""
    rare: bool = False
    """The culprit is one of the seldom called."""
    leak: str = "constant"
    per_call: tuple[float, float] = (1, 6)
    beside: str = ""
    """``pair``: a companion always runs with the culprit. ``nearly``: it also runs alone, once in ten. ``nested``:
    another name calls the culprit, which also runs by itself."""
    timer: float = 0.0
    """Objects a second of a timer."""
    beat: int = 0
    """Tasks that run once in every step."""
    steady: bool = False
    """Calls come at a constant pace, as a load generator makes them."""
    others: int = 0
    """Names that leak objects of other types."""
    duration: tuple[float, float] = (0.05, 0.5)
    """Mean seconds of a call; each name has its own."""
    held: float = 5.0
    """Objects of the type that a call holds while it runs (mean; each name has its own)."""
    cache: float = 0.0
    """Entries of a cache that another name fills in the first quarter, as a share of what leaks."""
    warm_up: float = 0.0
    """Objects made in the first steps, as a share of what leaks."""
    trash: float = 0.0
    """Cyclic garbage of the type until the collector runs, as a share of what leaks in ten steps."""
    garbage: float = 0.0
    """Blocks of cyclic garbage a call, which the collector frees in other calls or outside of any."""
    wander: float = 0.0
    """Standard deviation of growth that has nothing to do with calls, as a share of a step's leak."""
    jumps: float = 0.0
    """Share of the steps with a jump of five steps' leak, up or down."""
    alone: float = 0.7
    """Share of the calls that run alone, so that their blocks are measured."""


@dataclass
class Program:
    """What memwatch sees, and the truth."""

    processes: list[list[Step]]
    direct: dict[int, Direct]
    truth: dict[int, float] = field(default_factory=dict)
    """Objects a call, by work that leaks."""
    shares: dict[int, float] = field(default_factory=dict)
    """Of all growth, by work that leaks."""
    inseparable: set[int] = field(default_factory=set)
    """Work that always runs with the culprit."""
    left_out: set[int] = field(default_factory=set)


def program(name: str, seed: int) -> Program:
    """The program of a shape that this seed makes."""
    return _Maker(
        {**SHAPES, **AMBIGUOUS, **TIMERS, **EVERY}[name], np.random.default_rng([seed, zlib.crc32(name.encode())])
    ).program()


class _Maker:
    def __init__(self, shape: Shape, rng: np.random.Generator) -> None:
        self.shape, self.rng = shape, rng
        self.count = count = int(rng.integers(shape.names[0], shape.names[1] + 1))
        weights = rng.permutation(1 / np.arange(1, count + 1) ** rng.uniform(0.8, 1.3))
        self.rates = weights / weights.sum() * rng.uniform(*shape.busy)
        ranked = [int(name) for name in np.argsort(-self.rates)]
        usual = ranked[count // 2 :] if shape.rare else ranked[: max(shape.leaking + 1, count // 2)]
        self.culprits = [int(name) for name in rng.choice(usual, shape.leaking, replace=False)]
        self.per_call = {name: float(np.exp(rng.uniform(*np.log(shape.per_call)))) for name in self.culprits}
        if shape.leak == "constant":
            self.per_call = {name: float(max(1, round(value))) for name, value in self.per_call.items()}
        self.others = [name for name in ranked if name not in self.culprits]
        self.partner = self.others[0] if shape.beside else None
        self.beats = self.others[-shape.beat :] if shape.beat else []
        self.seconds_each = np.exp(rng.uniform(*np.log(shape.duration), count))
        self.held = rng.poisson(shape.held * rng.exponential(1, count))
        self.messy = rng.exponential(1, count)
        """Cyclic garbage by name, relative to others."""
        self.blocks_each = rng.uniform(1, 8)
        self.left_out = [int(name) for name in rng.choice(self.others, shape.left_out, replace=False)]
        self.everywhere = np.full(count, shape.every)
        self.everywhere[self.left_out] = 0.0
        self.leak_step = sum(self.per_call[n] * self.rates[n] for n in self.culprits) + self.everywhere @ self.rates
        self.leak_step = self.leak_step or shape.timer * shape.interval
        self.other_leaks = np.zeros(count)
        """Blocks a call of other types."""
        for name in rng.choice(self.others, shape.others, replace=False):
            self.other_leaks[name] = rng.uniform(1, 4) * rng.uniform(1, 8)
        self.calls = np.zeros(count)
        self.kept = np.zeros(count)
        self.leaked = dict.fromkeys(self.culprits, 0.0)

    def program(self) -> Program:
        shape, rng = self.shape, self.rng
        lengths = rng.integers(
            shape.steps[0], shape.steps[1] + 1, rng.integers(shape.processes[0], shape.processes[1] + 1)
        )
        day = 24 * 60 if shape.steps[1] < 12 else max(lengths)
        traffic = self._traffic(day)
        runs = [self._run(int(length), traffic) for length in lengths]
        total = sum(step.growth for run in runs for step in run)
        shares = {name: leaked / total if total > 0 else 1.0 for name, leaked in self.leaked.items()}
        inseparable = {self.partner} if shape.beside == "pair" else set()
        return Program(runs, self._direct(), dict(self.per_call), shares, inseparable, set(self.left_out))

    def _traffic(self, steps: int) -> np.ndarray:
        """Load by step and name, 1 on average or so."""
        rng, time = self.rng, np.arange(steps) / max(steps - 1, 1)
        match self.shape.traffic:
            case "day":
                common = 1 + 0.8 * np.sin(2 * np.pi * (time * rng.uniform(0.7, 2) + rng.random()))
            case "ramp":
                low, high = rng.uniform(0.1, 0.5), rng.uniform(1.5, 2.5)
                common = low + (high - low) * (time if rng.random() < 0.5 else 1 - time)
            case "bursts":
                common = np.where(rng.random(steps) < 0.2, rng.uniform(2, 6), rng.uniform(0.05, 0.5))
            case "walk":
                common = np.exp(np.cumsum(rng.normal(0, 0.15, steps)))
                common /= common.mean()
            case _:
                common = np.ones(steps)
        own, level = np.empty((steps, self.count)), rng.normal(0, 1, self.count)
        shocks = rng.normal(0, math.sqrt(1 - 0.8**2), (steps, self.count))
        for step in range(steps):
            level = 0.8 * level + shocks[step]
            own[step] = level
        return common[:, None] * np.exp(self.shape.own * own - self.shape.own**2 / 2)

    def _run(self, length: int, traffic: np.ndarray) -> list[Step]:
        shape, rng = self.shape, self.rng
        begin = int(rng.integers(0, len(traffic) - length + 1))
        seconds = (
            shape.interval * np.where(rng.random(length) < 0.03, 2, 1) * rng.normal(1, 0.02, length).clip(0.8, 1.2)
        )
        load = traffic[begin : begin + length] * self.rates * (seconds / shape.interval)[:, None]
        if shape.steady:
            starts = np.diff(np.floor(np.cumsum(load, axis=0) + rng.random(self.count)).astype(int), axis=0, prepend=0)
        else:
            starts = rng.poisson(load)
        self._together(starts)
        flight = self._in_flight(starts, seconds)
        ends = starts - np.diff(flight, axis=0, prepend=0)
        when = starts if rng.random() < 0.5 else ends
        growth = sum((self._leaked(name, when[:, name]) for name in self.culprits), np.zeros(length))
        growth = growth + when @ self.everywhere + self._other_growth(starts, seconds)
        self.kept += self.everywhere * when.sum(axis=0)
        level = np.concatenate([[0.0], np.cumsum(growth)])
        level[1:] += rng.poisson(flight * self.held).sum(axis=1) + self._waste(starts)
        self.calls += ends.sum(axis=0)
        blocks = self.blocks_each * growth + ends @ self.other_leaks + np.diff(rng.normal(0, 300, length + 1))
        return [
            Step(float(dt), float(change), {name: int(n) for name, n in enumerate(row) if n}, float(more))
            for dt, change, row, more in zip(seconds, np.diff(level), ends, blocks, strict=True)
        ]

    def _together(self, starts: np.ndarray) -> None:
        for name in self.beats:
            starts[:, name] = 1
        if self.partner is None:
            return
        culprit = self.culprits[0]
        if self.shape.beside == "nested":
            starts[:, culprit] = starts[:, culprit] // 2 + starts[:, self.partner]
        else:
            extra = self.rng.binomial(starts[:, culprit], 0.1) if self.shape.beside == "nearly" else 0
            starts[:, self.partner] = starts[:, culprit] + extra

    def _in_flight(self, starts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Calls that run when a step ends, by step and name."""
        flight = np.zeros_like(starts)
        linked = {self.partner, *self.culprits} if self.partner is not None else set()
        for name in range(self.count):
            if name in linked or name in self.beats:
                continue
            whole, part = divmod(self.seconds_each[name] / self.shape.interval, 1)
            for back in range(int(whole)):
                flight[back:, name] += starts[: len(starts) - back, name]
            late = int(whole)
            flight[late:, name] += self.rng.binomial(starts[: len(starts) - late, name], part)
        return flight

    def _leaked(self, name: int, calls: np.ndarray) -> np.ndarray:
        rng, each = self.rng, self.per_call[name]
        match self.shape.leak:
            case "geometric":
                gained = np.array([(rng.geometric(1 / (1 + each), n) - 1).sum() if n else 0 for n in calls])
            case "seldom":  # one call in ten leaks ten times as much
                gained = rng.poisson(rng.binomial(calls, 0.1) * each * 10)
            case _:
                gained = calls * each
        self.leaked[name] += float(gained.sum())
        self.kept[name] += float(gained.sum())
        return gained.astype(float)

    def _other_growth(self, starts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        shape, rng, length = self.shape, self.rng, len(starts)
        growth = np.zeros(length)
        if shape.timer:
            growth += rng.poisson(seconds * shape.timer)
        if shape.cache:
            seen = np.cumsum(starts[:, self.others[0]])
            filled = shape.cache * self.leak_step * length * (1 - np.exp(-8 * seen / max(1, seen[-1])))
            growth += np.diff(np.round(filled), prepend=0)
            self.kept[self.others[0]] += filled[-1]
        if shape.warm_up:
            jump = shape.warm_up * self.leak_step * length * rng.uniform(0.5, 1.5)
            growth[:3] += np.round(jump * np.array([0.7, 0.2, 0.1]))[:length]
        if shape.wander:
            growth += np.round(rng.normal(0, shape.wander * self.leak_step, length))
        if shape.jumps:
            where = rng.random(length) < shape.jumps
            growth += np.round(where * rng.normal(0, 5 * self.leak_step, length))
        return growth

    def _waste(self, starts: np.ndarray) -> np.ndarray:
        if not self.shape.trash:
            return np.zeros(len(starts))
        waste, now = [], 0.0
        each = self.messy / max(1e-9, self.messy @ self.rates) * self.shape.trash * self.leak_step * 10 / 3
        for row in starts:
            now = (now + row @ each) * (self.rng.random() * 0.3 if self.rng.random() < 0.3 else 1)
            waste.append(round(now))
        return np.array(waste)

    def _direct(self) -> dict[int, Direct]:
        """Blocks kept by call: of the leak, of caches, and garbage that is collected in calls of another name."""
        rng, found = self.rng, {}
        kept = self.blocks_each * self.kept + self.calls * self.other_leaks
        if self.shape.garbage:
            made = self.calls * self.messy * self.shape.garbage
            weights = rng.exponential(1, self.count) * self.calls
            kept += made - made.sum() * rng.uniform(0, 0.5) * weights / weights.sum()
        for name in np.flatnonzero(rng.random(self.count) < 0.2):
            garbage = self.calls[name] * rng.exponential(1)
            kept[name] += garbage
            kept[rng.integers(self.count)] -= garbage
        for name in range(self.count):
            measured = int(rng.binomial(int(self.calls[name]), self.shape.alone))
            if not measured:
                continue
            spread = float(np.exp(rng.uniform(np.log(3), np.log(100))))
            mean = kept[name] / self.calls[name] + rng.normal(0, spread / math.sqrt(measured))
            squares = (spread**2 + mean**2) * measured
            found[name] = Direct(int(self.calls[name]), measured, float(mean * measured), float(squares))
        return found


BASE = Shape()
RECYCLED = replace(BASE, processes=(15, 40), steps=(3, 8), traffic="day", warm_up=0.2)
SHAPES: dict[str, Shape] = {
    "even": BASE,
    "even, no blocks": replace(BASE, alone=0),
    "steady": replace(BASE, steady=True, own=0),
    "nearly steady": replace(BASE, own=0.02),
    "nearly steady, other leaks": replace(BASE, own=0.02, others=2, processes=(2, 4)),
    "day": replace(BASE, traffic="day"),
    "day, no blocks": replace(BASE, traffic="day", alone=0),
    "ramp": replace(BASE, traffic="ramp", alone=0),
    "bursts": replace(BASE, traffic="bursts"),
    "walk": replace(BASE, traffic="walk", processes=(1, 2), alone=0),
    "short": replace(BASE, processes=(1, 2), steps=(15, 30), names=(5, 12)),
    "random": replace(BASE, leak="geometric", traffic="day", alone=0),
    "seldom": replace(BASE, leak="seldom", traffic="day", processes=(2, 4)),
    "rare": replace(BASE, rare=True, per_call=(5, 50), alone=0),
    "in flight": replace(BASE, duration=(0.3, 5), held=10, traffic="day"),
    "long": replace(BASE, duration=(20, 200), busy=(5, 40), traffic="day", per_call=(5, 50), processes=(2, 4), held=1),
    "nested": replace(BASE, beside="nested", traffic="day", alone=0),
    "nearly together": replace(BASE, beside="nearly", traffic="day"),
    "together": replace(BASE, beside="pair", traffic="day", alone=0),
    "together, blocks": replace(BASE, beside="pair", traffic="day"),
    "recycled": RECYCLED,
    "recycled, no blocks": replace(RECYCLED, alone=0),
    "cache": replace(BASE, cache=0.3, traffic="day"),
    "warm-up": replace(BASE, warm_up=0.2, processes=(2, 6), alone=0),
    "trash": replace(BASE, trash=0.3, garbage=20, traffic="day"),
    "trash, walk": replace(BASE, trash=0.3, garbage=20, traffic="walk", processes=(2, 4)),
    "garbage": replace(BASE, garbage=50, own=0.1),
    "two": replace(BASE, leaking=2, traffic="day", alone=0),
    "three": replace(BASE, leaking=3, traffic="walk", processes=(2, 4)),
    "wander": replace(BASE, wander=0.5, traffic="day", processes=(2, 4)),
    "jumps": replace(BASE, jumps=0.02, traffic="day", processes=(2, 4)),
    "half timer": replace(BASE, timer=0.5, traffic="day", alone=0),
    "large": replace(BASE, names=(100, 200), processes=(10, 16), steps=(100, 125), traffic="day", alone=0),
}
AMBIGUOUS: dict[str, Shape] = {
    "steady, other leaks": replace(BASE, steady=True, own=0, others=2),
    "steady, garbage": replace(BASE, garbage=5, steady=True, own=0, per_call=(5, 20)),
}
"""Load so even that only the blocks of single calls say anything, and other work keeps blocks too."""
TIMER = replace(BASE, leaking=0, timer=1.0)
TIMERS: dict[str, Shape] = {
    "timer": TIMER,
    "timer, no blocks": replace(TIMER, alone=0),
    "timer, steady": replace(TIMER, steady=True, own=0),
    "timer by day": replace(TIMER, traffic="day"),
    "timer, ramp": replace(TIMER, timer=0.5, traffic="ramp"),
    "timer, walk": replace(TIMER, timer=3.0, traffic="walk", alone=0),
    "timer, beat": replace(TIMER, timer=0.5, beat=2),
    "timer, in flight": replace(TIMER, duration=(0.3, 5), held=10, traffic="bursts", alone=0),
    "timer, recycled": replace(RECYCLED, leaking=0, timer=1.0),
    "timer, wander": replace(TIMER, wander=0.5, traffic="bursts"),
    "timer, cache": replace(TIMER, cache=0.1, traffic="day"),
    "timer, trash": replace(TIMER, trash=0.3, garbage=20, traffic="day"),
    "timer, garbage, steady": replace(TIMER, garbage=20, steady=True, own=0),
    "timer, jumps": replace(TIMER, jumps=0.02, traffic="walk"),
}
EVERY_CALL = replace(BASE, leaking=0, every=1.0)
EVERY: dict[str, Shape] = {
    "every call": EVERY_CALL,
    "every call, day": replace(EVERY_CALL, traffic="day"),
    "every call, bursts": replace(EVERY_CALL, traffic="bursts", alone=0),
    "every call, few names": replace(EVERY_CALL, names=(4, 6), every=3.0),
    "every call, in flight": replace(EVERY_CALL, duration=(0.3, 5), held=10, traffic="day"),
    "every call, recycled": replace(RECYCLED, leaking=0, every=1.0),
    "every call, wander": replace(EVERY_CALL, wander=0.3, traffic="day", processes=(2, 4)),
    "every call, trash": replace(EVERY_CALL, trash=0.03, garbage=20, traffic="day"),
    "every call, one name more": replace(EVERY_CALL, leaking=1, traffic="day", names=(8, 30)),
    "every call but one name's": replace(EVERY_CALL, left_out=1, traffic="day", names=(8, 30)),
    "every call, large": replace(SHAPES["large"], leaking=0, every=1.0),
}
"""What runs around jobs keeps as much at each."""
