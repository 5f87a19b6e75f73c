"""How soon "memory grows" is said of leaks, and how often and how long of what is harmless.

``python -m benchmarks.leaks.growing``: each generated shape as the RSS of a process of 300 MB that gains 10 to 200 MB
in two hours, a snapshot a minute, looked at each minute as the standing watch does. It is no verdict: a cache that
fills does grow. What counts is that leaks are seen within ten minutes and that it ends when the growth ends.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from random import Random
from statistics import median

from benchmarks.leaks.shapes import SEED_BASE
from benchmarks.leaks.shapes_catalogue import SHAPES, Shape
from memwatch.detection.statistics.steady_growth import STRETCH_INTERVALS, STRETCHES, steady_growth

MINUTES = 120
BASE_KIB = 300 * 1024


def resident(shape: Shape, seed: int) -> list[float]:
    """KiB by the minute."""
    random = Random(f"{shape.name}/growing/{seed}")
    gain = random.uniform(10, 200) * 1024
    shares = [minute / (MINUTES - 1) for minute in range(MINUTES)]
    noise = random.choice((0, 64, 512))
    return [
        BASE_KIB + gain * max(0.0, growth) + abs(random.gauss(0, noise)) for growth in shape.growth(random, shares, 2.0)
    ]


def said(values: Sequence[float]) -> list[bool]:
    """For each minute, whether growth is said of the process."""
    found: list[bool] = []
    width = STRETCH_INTERVALS * STRETCHES
    for now in range(1, len(values) + 1):
        own = [None] * max(0, width - now) + list(values[max(0, now - width) : now])
        floors = [
            min((each for each in own[at : at + STRETCH_INTERVALS] if each is not None), default=None)
            for at in range(0, width, STRETCH_INTERVALS)
        ]
        growing = bool(found and found[-1])
        found.append(steady_growth(floors, STRETCH_INTERVALS * 60.0, growing=growing) is not None)
    return found


def main() -> int:
    """Print a row a shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", choices=tuple(SEED_BASE), default="scoring")
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    print(f"{'shape':<28}{'leak':>5}{'seen':>7}{'median minute':>15}{'minutes said':>14}{'at the end':>12}")
    for shape in SHAPES:
        if shape.daily is not None:
            continue
        runs = [said(resident(shape, SEED_BASE[options.half] + seed)) for seed in range(options.seeds)]
        first = [run.index(True) + 1 for run in runs if any(run)]
        print(
            f"{shape.name:<28}{'yes' if shape.leaking else 'no':>5}{len(first) / len(runs):>7.2f}"
            f"{median(first) if first else float('nan'):>15.0f}{median(map(sum, runs)):>14.0f}"
            f"{sum(run[-1] for run in runs) / len(runs):>12.2f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
