"""Generated series with a known answer: the contract's rule and memwatch's side by side.

``python -m benchmarks.leaks.shapes`` scores; ``--half tuning`` shows the half that the rules were tuned on. The two
halves share no seed and no parameter draw. Each case is one type of one process, as snapshots would give it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from random import Random

from benchmarks.leaks.score import Score, tally
from benchmarks.leaks.shapes_catalogue import SHAPES, Shape
from memwatch.detection import History, judge

POINTS = (10, 16, 20, 30, 60, 120, 300, 1000)
NOISE = (0.0, 0.01, 0.04, 0.12)
SEED_BASE = {"tuning": 1_000, "scoring": 9_000_000}
TYPE = "app.Thing"

TARGETS = {0.04: (0.99, 0.96), 0.12: (0.95, 0.91)}
"""Precision and recall asked for, by noise."""


def generate(shape: Shape, points: int, noise: float, seed: int) -> History:
    """The history of one case: level, gain, length and spacing are drawn from the seed."""
    random = Random(f"{shape.name}/{points}/{noise}/{seed}")
    days = random.uniform(*shape.days)
    span_s = days * 86400 if shape.daily is not None else points * random.choice((10.0, 30.0, 60.0))
    step = 1 / (points - 1)
    jitter = random.choice((0.0, 0.3))
    shares = [min(1.0, max(0.0, i * step + jitter * step * random.uniform(-0.5, 0.5))) for i in range(points)]
    base = 10 ** random.uniform(2.4, 4.3)
    gain = base * random.uniform(0.8, 4.0)
    clean = [base + gain * share for share in shape.growth(random, shares, days)]
    counts = [max(0, round(level * (1 + noise * random.gauss(0, 1)))) for level in clean]
    return History(times=tuple(1_767_225_600 + share * span_s for share in shares), counts={TYPE: counts})


def contract(history: History) -> bool:
    """The reference's rule: first against last, over 50 % and over 100."""
    counts = [count for count in history.counts[TYPE] if count is not None]
    growth = counts[-1] - counts[0]
    return growth > 100 and growth * 2 > counts[0]


def ours(history: History) -> tuple[bool, str]:
    """memwatch's verdict: whether it is a leak, and the rule that decided."""
    verdict = judge(history)[0]
    return verdict.is_leak, verdict.rule


def cases(half: str, points: int, noise: float, seeds: int) -> Iterator[tuple[Shape, History]]:
    """All shapes, each with several seeds of this half."""
    for shape in SHAPES:
        for seed in range(seeds):
            yield shape, generate(shape, points, noise, SEED_BASE[half] + seed)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; 1 when a target is missed on the scoring half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", choices=tuple(SEED_BASE), default="scoring")
    parser.add_argument("--seeds", type=int, default=20, help="cases of each shape, length and noise")
    parser.add_argument("--noise", type=float, nargs="*", default=NOISE)
    parser.add_argument("--points", type=int, nargs="*", default=POINTS)
    parser.add_argument("--mistakes", action="store_true", help="list which shapes were taken for what")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    rows, missed_target = [], False
    mistakes: dict[float, Counter[str]] = defaultdict(Counter)
    totals: dict[float, tuple[Score, Score]] = {}
    for noise in options.noise:
        sums = (Score(), Score())
        for points in options.points:
            theirs, mine = Score(), Score()
            for shape, history in cases(options.half, points, noise, options.seeds):
                theirs += tally(shape.leaking, contract(history))
                said, rule = ours(history)
                mine += tally(shape.leaking, said)
                if said != shape.leaking:
                    mistakes[noise][f"{shape.name} @{points}: {rule}"] += 1
            rows.append((noise, points, theirs, mine))
            sums = (sums[0] + theirs, sums[1] + mine)
        totals[noise] = sums
    took = time.perf_counter() - started
    if options.json:
        json.dump([_row(*row) for row in rows], sys.stdout, indent=1)
        return 0
    print(f"{options.half} half, {len(SHAPES)} shapes x {options.seeds} seeds; {took:.0f} s")
    print(
        f"{'noise':>6} {'points':>6}   {'contract: P':>11} {'R':>6} {'F1':>6}   {'memwatch: P':>11} {'R':>6} {'F1':>6}"
    )
    for noise, points, theirs, mine in rows:
        print(_line(f"{noise:.0%}", str(points), theirs, mine))
    for noise, (theirs, mine) in totals.items():
        print(_line(f"{noise:.0%}", "all", theirs, mine), end="")
        precision, recall = TARGETS.get(noise, (0.0, 0.0))
        short = mine.precision < precision or mine.recall < recall
        missed_target |= short and options.half == "scoring"
        print(f"   target {precision:.2f}/{recall:.2f}{' MISSED' if short else ''}" if precision else "")
    if options.mistakes:
        for noise, counter in mistakes.items():
            print(f"mistakes at {noise:.0%}:", *(f"\n  {n:3} {what}" for what, n in counter.most_common(40)))
    return int(missed_target)


def _line(noise: str, points: str, theirs: Score, mine: Score) -> str:
    figures = "   ".join(f"{s.precision:11.3f} {s.recall:6.3f} {s.f1:6.3f}" for s in (theirs, mine))
    return f"{noise:>6} {points:>6}   {figures}"


def _row(noise: float, points: int, theirs: Score, mine: Score) -> dict[str, object]:
    def told(score: Score) -> dict[str, float]:
        return {"precision": score.precision, "recall": score.recall, "f1": score.f1}

    return {"noise": noise, "points": points, "contract": told(theirs), "memwatch": told(mine)}


if __name__ == "__main__":
    sys.exit(main())
