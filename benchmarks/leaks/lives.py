"""Fleets of recycled workers whose answer is known: leaking ones that must be found, harmless ones that must not.

``python -m benchmarks.leaks.lives [--half scoring] [--seeds 10] [--mistakes]``. Each fleet is 12 to 30 lives of 4 to 24
snapshots, of one service with 1 to 4 slots, with noise of up to 5 %. Ends with 1 where one leaking fleet is missed or
one harmless fleet is flagged. Beside it, what the lives say one by one.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable
from random import Random

from memwatch.detection import History, judge, judge_lives

HALVES = {"tuning": 0, "scoring": 1_000_000}
NAME = "app.models.Thing"

Level = Callable[[float, float, float], float]
"""From the age in seconds, the work done and the time of day in seconds to the count, noise excluded."""
Draw = Callable[[Random, float, float], Level]
"""Draws the parameters of a fleet, given how long its lives are in seconds and how much work they do."""


def _line(draw: Random, life_s: float, work: float) -> Level:
    base, gain = draw.uniform(100, 3_000), draw.uniform(0.8, 6)
    return lambda age, _done, _day: base * (1 + gain * age / life_s)


def _by_work(draw: Random, life_s: float, work: float) -> Level:
    base, gain = draw.uniform(100, 3_000), draw.uniform(0.8, 6)
    return lambda _age, done, _day: base * (1 + gain * done / work)


def _warm_up_and_line(draw: Random, life_s: float, work: float) -> Level:
    base, jump = draw.uniform(100, 3_000), draw.uniform(0.5, 1.5)
    gain = draw.uniform(1, 3) * (1 + jump)
    fast = draw.uniform(0.03, 0.1) * life_s
    return lambda age, done, _day: base * (1 + jump * (1 - math.exp(-age / fast)) + gain * done / work)


def _saw_on_line(draw: Random, life_s: float, work: float) -> Level:
    base, gain, saw = draw.uniform(100, 3_000), draw.uniform(1.5, 6), draw.uniform(0.1, 0.3)
    period = draw.uniform(0.1, 0.25) * life_s
    return lambda age, _done, _day: base * (1 + gain * age / life_s + saw * (age % period) / period)


def _late(draw: Random, life_s: float, work: float) -> Level:
    base, gain, start = draw.uniform(100, 3_000), draw.uniform(2, 6), draw.uniform(0.1, 0.35) * life_s
    return lambda age, _done, _day: base * (1 + gain * max(0.0, age - start) / life_s)


def _steady(draw: Random, life_s: float, work: float) -> Level:
    base = draw.uniform(100, 3_000)
    return lambda _age, _done, _day: base


def _imports(draw: Random, life_s: float, work: float) -> Level:
    base, jump, at = draw.uniform(100, 3_000), draw.uniform(0.5, 5), draw.uniform(0, 0.2) * life_s
    return lambda age, _done, _day: base * (1 + (jump if age > at else 0))


def _warm_up(draw: Random, life_s: float, work: float) -> Level:
    base, jump, slow = draw.uniform(100, 3_000), draw.uniform(0.8, 6), draw.uniform(0.03, 0.2) * life_s
    return lambda age, _done, _day: base * (1 + jump * (1 - math.exp(-age / slow)))


def _cache(draw: Random, life_s: float, work: float) -> Level:
    base, jump, full = draw.uniform(100, 3_000), draw.uniform(0.8, 6), draw.uniform(0.1, 0.6) * work
    return lambda _age, done, _day: base * (1 + jump * min(1.0, done / full))


def _saw(draw: Random, life_s: float, work: float) -> Level:
    base, saw, period = draw.uniform(100, 3_000), draw.uniform(0.5, 3), draw.uniform(0.1, 0.35) * life_s
    return lambda age, _done, _day: base * (1 + saw * (age % period) / period)


def _load(draw: Random, life_s: float, work: float) -> Level:
    base, swing, phase = draw.uniform(500, 3_000), draw.uniform(1, 4), draw.uniform(0, 2 * math.pi)
    period = draw.uniform(6, 12) * life_s
    return lambda _age, _done, day: base * (1 + swing * (1 + math.sin(phase + 2 * math.pi * day / period)))


def _ramp(draw: Random, life_s: float, work: float) -> Level:
    base, swing = draw.uniform(500, 3_000), draw.uniform(0.5, 1.5)
    return lambda _age, _done, day: base * (1 + swing * day / life_s)


LEAKING: dict[str, Draw] = {
    "a line by age": _line,
    "a line by work": _by_work,
    "a warm-up with a line": _warm_up_and_line,
    "a saw-tooth on a line": _saw_on_line,
    "a line that begins late": _late,
}
HARMLESS: dict[str, Draw] = {
    "steady": _steady,
    "imports": _imports,
    "a warm-up": _warm_up,
    "a cache that fills": _cache,
    "a saw-tooth": _saw,
    "load in waves": _load,
    "load that rises": _ramp,
}


def fleet(draw: Random, shape: Draw) -> list[History]:
    """The lives of one fleet, one after the other in each slot."""
    interval = draw.choice((1.0, 10.0, 60.0))
    points, slots = draw.randint(5, 24), draw.randint(1, 4)
    life_s, rate = interval * (points - 1), draw.uniform(0.5, 20)
    work, noise = rate * life_s, draw.uniform(0, 0.05)
    level = shape(draw, life_s, work)
    lives = []
    for number in range(draw.randint(12, 30)):
        start = (number // slots) * life_s * 1.05 + draw.uniform(0, 0.2) * life_s
        length = points + draw.choice((-1, 0, 0, 0, 1))
        done = _work(draw, rate * interval, length)
        phase = draw.uniform(0.1, 1)  # as agents do: the first at once, the others from a random phase on
        times = (start, *[start + interval * (i + phase) for i in range(length - 1)])
        counts = [level(time - start, worked, time) for time, worked in zip(times, done, strict=True)]
        lives.append(
            History(
                times=times,
                figures={"requests_handled": done},
                counts={
                    NAME: [max(0, round(count * (1 + noise * draw.gauss(0, 1)))) for count in counts],
                    "dict": [round(9_000 * (1 + 0.02 * draw.gauss(0, 1))) for _ in counts],
                },
            )
        )
    return lives


def _work(draw: Random, each: float, points: int) -> list[float]:
    """Requests so far: some stretches are busy and some are idle, but the mean is ``each`` a step."""
    busy = [draw.uniform(0.2, 1.8) for _ in range(points - 1)]
    scale = each * (points - 1) / sum(busy)
    done = [0.0]
    for share in busy:
        done.append(done[-1] + scale * share)
    return [float(round(value)) for value in done]


def found(lives: list[History]) -> bool:
    return any(verdict.object_type == NAME for verdict in judge_lives(lives))


def found_alone(lives: list[History]) -> bool:
    """Whether most of the lives show it by themselves, as a watch would see them."""
    alone = [any(verdict.is_leak for verdict in judge(history, window="hour")) for history in lives]
    return sum(alone) > len(alone) / 2


def main() -> int:
    """Print the table; 1 for any mistake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES, default="scoring")
    parser.add_argument("--seeds", type=int, default=12, help="fleets of each shape")
    parser.add_argument("--mistakes", action="store_true", help="name the seeds")
    options = parser.parse_args()
    mistakes = []
    totals: Counter[str] = Counter()
    for kind, shapes in (("leaking", LEAKING), ("harmless", HARMLESS)):
        for number, (name, shape) in enumerate(shapes.items()):
            flagged = alone = 0
            for seed in range(options.seeds):
                lives = fleet(Random(HALVES[options.half] + 1_000 * number + seed), shape)
                is_leak = found(lives)
                flagged += is_leak
                alone += found_alone(lives)
                if is_leak != (kind == "leaking"):
                    mistakes.append(f"{name}, seed {seed}")
            totals[kind] += flagged
            totals[f"{kind} of"] += options.seeds
            totals[f"{kind} alone"] += alone
            print(f"{kind:9} {name:24} {flagged:3} of {options.seeds} flagged; life by life {alone}", flush=True)
    for kind in ("leaking", "harmless"):
        print(f"{kind}: {totals[kind]} of {totals[f'{kind} of']}; life by life {totals[f'{kind} alone']}")
    if options.mistakes:
        print("\n".join(mistakes))
    return bool(mistakes)


if __name__ == "__main__":
    sys.exit(main())
