"""Time to the verdict: how many snapshots pass until a leak of a given rate is found, and what is found without one.

``python -m benchmarks.leaks.verdict_time [--half scoring] [--seeds 6]``. A snapshot a minute; every minute the last
hour is judged as the standing watch does. A leak gains a share of the noise with each snapshot: .1 means that
ten snapshots gain as much as the standard deviation of one count. It begins with the process, which also warms up, or
after an hour. Beside the rules that judge a window, three sequential tests (``sequential.py``), each with the threshold
at which it opens no more on the tuning half than the rules do. Ends with 1 where the rules open more than one leak in
ten hours of harmless processes, or the median of a leak that gains the noise with each snapshot is over 20.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

from benchmarks.leaks.days import HALVES, openings
from benchmarks.leaks.sequential import NEVER, TESTS, bayes_factor
from memwatch.detection import History, Verdict, judge
from memwatch.detection.rules.gates import WATCH_POINTS

NAME = "shop.models.Row"
HOUR, LIFE, WARM_S = 60, 300, 3.0
RATES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Growth with each snapshot, in standard deviations of the noise."""
NOISE = (0.01, 0.04, 0.12)
BEGINS = {"with the process": 0, "after an hour": 60}
GIVE_UP = 180
"""Snapshots after which a leak counts as not found by the hour; the windows of a day and a week find slower ones."""
LOOKED_BACK = 96
RULES = "rules"
FALSE_TARGET, MEDIAN_TARGET = 0.1, 20
"""Openings an hour in harmless processes, and snapshots until a leak of rate 1 is found."""

Harmless = Callable[[Random, int], list[float]]
"""Growth by the minute, as a share of the level."""


def _flat(_draw: Random, minutes: int) -> list[float]:
    return [0.0] * minutes


def _cache(draw: Random, minutes: int) -> list[float]:
    """Fills at an even rate within 5 minutes to 2 hours, after a while, and is full."""
    begin, full, gain = draw.uniform(0, 60), 5 * 24 ** draw.random(), draw.uniform(0.6, 4)
    return [gain * min(1.0, max(0.0, minute - begin) / full) for minute in range(minutes)]


def _slowing_cache(draw: Random, minutes: int) -> list[float]:
    slow, gain = 3 * 20 ** draw.random(), draw.uniform(0.6, 4)
    return [gain * (1 - math.exp(-minute / slow)) for minute in range(minutes)]


def _wandering(draw: Random, minutes: int) -> list[float]:
    keep, level, found = draw.uniform(0.8, 0.97), 0.0, []
    for _ in range(minutes):
        level = keep * level + math.sqrt(1 - keep * keep) * draw.gauss(0, 0.3)
        found.append(math.exp(level) - 1)
    return found


def _saw(draw: Random, minutes: int) -> list[float]:
    tooth, height, phase = draw.uniform(8, 90), draw.uniform(0.5, 3), draw.random()
    return [height * ((minute / tooth + phase) % 1.0) for minute in range(minutes)]


def _steps(draw: Random, minutes: int) -> list[float]:
    level, found = 0.0, []
    for _ in range(minutes):
        if draw.random() < 0.02:
            level = max(-0.5, level + draw.choice((-0.3, 0.3, 0.6, 0.6)) * draw.random())
        found.append(level)
    return found


HARMLESS: dict[str, Harmless] = {
    "flat": _flat,
    "a cache that fills": _cache,
    "a cache that slows down": _slowing_cache,
    "wandering load": _wandering,
    "a saw-tooth": _saw,
    "steps": _steps,
}


@dataclass(frozen=True, slots=True)
class Life:
    """The counts of one type by the minute; ``begin`` is when it starts to leak, ``None`` for never."""

    kind: str
    counts: tuple[int, ...]
    begin: int | None = None
    rate: float | None = None

    def hour(self, end: int) -> History:
        """What the watch sees at that minute: the last hour, and the day before where it asks."""
        shown = slice(max(0, end - HOUR), end)
        minutes = range(len(self.counts))[shown]
        counts = self.counts[shown]
        before = self.counts[: shown.start]
        earlier = before[:: max(1, -(-len(before) // LOOKED_BACK))]
        return History(
            times=tuple(60.0 * minute for minute in minutes),
            figures={
                "gc_collections_gen2": [float(minute // 7) for minute in minutes],
                "requests_handled": [600.0 * minute for minute in minutes],
                "allocated_blocks": [500_000.0 + 12 * count for count in counts],
            },
            counts={NAME: counts},
            earlier=lambda name: earlier if name == NAME else (),
        )


def leaking(half: str, rate: float, begin: int, seed: int) -> Life:
    """A leak of this rate; level, noise and warm-up are drawn."""
    draw = Random(f"{half}/{HALVES[half]}/{rate}/{begin}/{seed}")
    level, noise, warm = 10 ** draw.uniform(2.4, 4.3), draw.choice(NOISE), draw.uniform(0, 0.5)
    counts = []
    for minute in range(begin + GIVE_UP):
        clean = level * (1 - warm * math.exp(-minute / WARM_S) + rate * noise * max(0, minute - begin))
        counts.append(max(0, round(clean + level * noise * draw.gauss(0, 1))))
    return Life(f"rate {rate:g}", tuple(counts), begin, rate)


def harmless(half: str, kind: str, seed: int) -> Life:
    """Five hours of a process that does not leak."""
    draw = Random(f"{half}/{HALVES[half]}/{kind}/{seed}")
    level, noise = 10 ** draw.uniform(2.4, 4.3), draw.choice(NOISE)
    growth = HARMLESS[kind](draw, LIFE)
    return Life(kind, tuple(max(0, round(level * (1 + share + noise * draw.gauss(0, 1)))) for share in growth))


def watched(life: Life, *, until_found: bool) -> Iterator[tuple[int, Verdict]]:
    """The minutes at which the rules see a leak, each with its verdict."""
    first = (life.begin or 0) + 4
    for end in range(max(WATCH_POINTS, first), len(life.counts) + 1):
        found = next((verdict for verdict in judge(life.hour(end), window="hour") if verdict.is_leak), None)
        if found is not None:
            yield end, found
            if until_found:
                return


def lives(half: str, seeds: int) -> tuple[list[Life], list[Life]]:
    """Leaking and harmless ones."""
    leaks = [
        leaking(half, rate, begin, seed) for begin in BEGINS.values() for rate in RATES for seed in range(2 * seeds)
    ]
    fine = [harmless(half, kind, seed) for kind in HARMLESS for seed in range(4 * seeds)]
    return leaks, fine


@dataclass(slots=True)
class Watched:
    """A life, and what was seen of it."""

    life: Life
    verdicts: dict[int, Verdict]
    """Of the rules, by the minute at which they see a leak; of a leak only until it is found."""
    scores: dict[str, dict[int, float]] = field(default_factory=dict)
    """By sequential test, the score of each minute at which it may open."""

    @classmethod
    def of(cls, life: Life) -> Watched:
        verdicts = dict(watched(life, until_found=life.begin is not None))
        scores = {
            name: {end: score for end, score in enumerate(test(life.counts), start=1) if score > NEVER}
            for name, test in TESTS.items()
        }
        scores["e-value"] = dict(bayes_factor(life.hour, life.counts))
        return cls(life, verdicts, scores)

    def opened(self, name: str, threshold: float) -> list[int]:
        """Minutes at which this decider sees a leak; the e-value comes beside the rules."""
        if name == RULES:
            return list(self.verdicts)
        over = [end for end, score in self.scores[name].items() if score >= threshold]
        return sorted({*over, *self.verdicts}) if name == "e-value" else over

    def delay(self, name: str, threshold: float) -> int:
        """Snapshots from the beginning of the leak until it is found."""
        begin = self.life.begin or 0
        after = [end for end in self.opened(name, threshold) if end >= begin + 4]
        return min(GIVE_UP, after[0] - begin) if after else GIVE_UP


def false_an_hour(fine: Sequence[Watched], name: str, threshold: float) -> float:
    """Leaks opened an hour in harmless processes."""
    return sum(openings(each.opened(name, threshold)) for each in fine) / (len(fine) * LIFE / 60)


def tuned(fine: Sequence[Watched], name: str, most: float) -> float:
    """The lowest threshold with which a test opens no more often than ``most``."""
    known = sorted({score for each in fine for score in each.scores[name].values()})
    low, high = 0, len(known)
    while low < high:
        middle = (low + high) // 2
        if false_an_hour(fine, name, known[middle]) <= most:
            high = middle
        else:
            low = middle + 1
    return known[low] if low < len(known) else math.inf


def table(leaks: Sequence[Watched], fine: Sequence[Watched], thresholds: dict[str, float]) -> Iterator[str]:
    """Snapshots until leaks are found, by rate, and what is opened in harmless processes."""
    for begun, begin in BEGINS.items():
        yield f"begins {begun}: snapshots until it is found, median (found within {GIVE_UP})"
        yield f"{'growth a snapshot':>22}" + "".join(f"{rate:>14g}" for rate in RATES)
        for name, threshold in thresholds.items():
            cells = []
            for rate in RATES:
                delays = [
                    each.delay(name, threshold) for each in leaks if (each.life.begin, each.life.rate) == (begin, rate)
                ]
                share = sum(delay < GIVE_UP for delay in delays) / len(delays)
                cells.append(f"{median(delays):>7.0f} ({share:4.0%})")
            yield f"{name:>22}" + "".join(f"{cell:>14}" for cell in cells)
    yield "opened an hour in harmless processes"
    yield f"{'':>22}" + "".join(f"{kind:>26}" for kind in HARMLESS) + f"{'all':>10}"
    for name, threshold in thresholds.items():
        each_kind = [
            false_an_hour([each for each in fine if each.life.kind == kind], name, threshold) for kind in HARMLESS
        ]
        yield (
            f"{name:>22}"
            + "".join(f"{rate:>26.3f}" for rate in each_kind)
            + f"{false_an_hour(fine, name, threshold):>10.3f}"
        )


def main() -> int:
    """Print the tables; 1 where a target is missed on the scoring half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", choices=HALVES, default="scoring")
    parser.add_argument("--seeds", type=int, default=6, help="two leaks of each rate and four harmless processes each")
    options = parser.parse_args()
    tuning = [Watched.of(life) for life in lives("tuning", options.seeds)[1]]
    most = false_an_hour(tuning, RULES, 0.0)
    thresholds = {RULES: 0.0} | {name: tuned(tuning, name, most) for name in (*TESTS, "e-value")}
    print("thresholds: " + ", ".join(f"{name} {value:.3g}" for name, value in thresholds.items() if name != RULES))
    leaks, fine = ([Watched.of(life) for life in some] for some in lives(options.half, options.seeds))
    print(*table(leaks, fine, thresholds), sep="\n", flush=True)
    at_noise = median(each.delay(RULES, 0.0) for each in leaks if each.life.rate == 1.0)
    missed = at_noise > MEDIAN_TARGET or false_an_hour(fine, RULES, 0.0) > FALSE_TARGET
    return int(missed and options.half == "scoring")


if __name__ == "__main__":
    sys.exit(main())
