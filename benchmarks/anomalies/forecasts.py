"""Forecasts of exhaustion, tested by series whose end is known: memory of a process, a container or a host.

Growth by the hour or by the load, with daily curves, weekends, noise, steps and random walks. Of each series, forecasts
are made at several times before its end.
"""

from __future__ import annotations

import math
import random
from statistics import median

from memwatch.detection.exhaustion.forecast import SURE, forecast

SERIES = {"tuning": range(600), "scoring": range(5_000, 5_600)}
LEAST, MOST = 0.75, 0.85
KEPT_H = 7 * 24
LEAD_H = (3, 6, 12, 24, 48, 96)


def series(seed: int) -> tuple[list[float], float]:
    """Hourly values, and a limit that they reach at their end."""
    rng = random.Random(seed)
    base, life = rng.uniform(100, 3_000), rng.uniform(36, 20 * 24)
    growth = rng.uniform(0.3, 2.5) * base / life
    daily, by_load = rng.choice((0.0, 0.02, 0.1)) * base, rng.choice((0.0, 0.0, 0.6))
    weekend = rng.choice((1.0, 1.0, 0.5))
    white = rng.choice((0.002, 0.01, 0.03)) * base
    walk = rng.choice((0.0, 0.0, 0.15, 0.5)) * growth * 5
    steps = rng.choice((0.0, 0.0, 0.02))
    begin, limit = rng.randrange(168), base + growth * life
    grown, values = 0.0, []
    for hour in range(60 * 24):
        clock = begin + hour
        load = 1 - by_load * math.cos(2 * math.pi * clock / 24)
        load *= weekend if clock // 24 % 7 >= 5 else 1.0
        grown += growth * load + rng.gauss(0, 1) * walk / 2
        if rng.random() < steps:
            grown += growth * rng.expovariate(0.3)
        values.append(base + grown + daily * (1 - math.cos(2 * math.pi * (clock - 3) / 24)) / 2 + rng.gauss(0, white))
        if values[-1] >= limit:
            break
    return values, limit


def run(half: str) -> bool:
    """Whether the intervals hold as many ends as they should."""
    held, early, late, widths, silent, asked = 0, 0, 0, [], 0, 0
    for seed in SERIES[half]:
        values, limit = series(seed)
        for lead in LEAD_H:
            cut = len(values) - lead
            if cut < 25 or max(values[:cut]) >= limit:
                continue
            asked += 1
            hours = [float(hour) for hour in range(cut)][-KEPT_H:]
            found = forecast(hours, values[:cut][-KEPT_H:], limit)
            if found is None:
                silent += 1
                continue
            end = float(lead)
            early += end < found.earliest_h
            late += found.latest_h is not None and end > found.latest_h
            held += found.earliest_h <= end and (found.latest_h is None or end <= found.latest_h)
            if found.latest_h is not None:
                widths.append((found.latest_h - found.earliest_h) / end)
    told = asked - silent
    share = held / max(1, told)
    print(
        f"\n{half}: {told} forecasts of {asked}; {share:.1%} of the ends within the interval of {SURE:.0%} "
        f"({early} before it, {late} after it); its median width is {median(widths):.2f} of the time left"
    )
    return LEAST <= share <= MOST


if __name__ == "__main__":
    raise SystemExit(not run("tuning"))
