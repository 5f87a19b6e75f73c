"""Processes whose requests leave cycles, looked at again and again as a standing watch does.

``python -m benchmarks.leaks.garbage [--half scoring] [--seeds 12]``. Rows that wait for a full collection rise like a
leak and fall like a saw-tooth, in teeth of 6 to 40 snapshots; traffic comes and goes, censuses are skipped. In some
rows are kept too, beside the garbage: those must be found, the others not be flagged from the second full
collection on. Before it nothing tells them from a leak that is steady; what was flagged until then is told. Ends with 1
where garbage alone is flagged, or fewer than 95 % of the leaks are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from random import Random

from memwatch.detection import History, judge

HALVES = {"tuning": 0, "scoring": 1_000_000}
NAME = "app.models.Row"
POINTS, EVERY_S = 160, 2.0
TEETH = (6, 10, 16, 25, 40)
"""Snapshots between two full collections, at the mean traffic."""
KEPT = (0, 50, 150, 300)
"""Rows kept between two snapshots, beside a hundred that become garbage."""
FIRST_LOOK, LOOK_EACH = 16, 3
FOUND_TARGET = 0.95


def process(draw: Random, tooth: float, kept_each: float) -> tuple[History, int]:
    """Its whole history, and at which snapshot the second full collection had been."""
    young = old = kept = 0.0
    traffic, level, left = 1.0, draw.choice((10, 2_000)), tooth * draw.uniform(0.3, 1)
    full, skipped, second = 0, 0, POINTS
    rows: list[int | None] = []
    collections: list[float] = []
    blocks: list[float] = []
    for i in range(POINTS):
        traffic = min(2.5, max(0.2, traffic * draw.uniform(0.8, 1.25)))
        kept += kept_each * traffic
        young += 100 * traffic * draw.uniform(0.5, 1.5)
        left -= traffic
        if left <= 0:
            young = old = 0
            left = tooth * draw.uniform(0.85, 1.15)
            full += 1
            second = i if full == 2 else second
            skipped = draw.choice((0, 0, 1, 3, 6))  # what the collection cost is cut from the budget
        elif draw.random() < 0.4:  # a young collection: what it meets in use grows old
            old += 0.6 * young
            young *= draw.uniform(0, 0.4)
        in_use = draw.choice((0, 0, 0, 20, 50))
        seen = skipped == 0 and draw.random() < 0.65
        skipped = max(0, skipped - 1)
        there = round(level + kept + old + young + in_use)
        rows.append(there if seen or i == 0 else None)
        blocks.append(500_000 + 12 * there)
        collections.append(full)
    figures: dict[str, list[float]] = {"gc_collections_gen2": collections, "allocated_blocks": blocks}
    times = tuple(EVERY_S * i for i in range(POINTS))
    return History(times=times, figures=figures, counts={NAME: rows}), second


def until(history: History, length: int) -> History:
    """What was known of it after so many snapshots."""
    return History(
        times=history.times[:length],
        figures={name: column[:length] for name, column in history.figures.items()},
        counts={name: column[:length] for name, column in history.counts.items()},
    )


def flagged(history: History) -> Iterator[int]:
    """The lengths at which the watch of an hour calls the rows a leak."""
    for length in range(FIRST_LOOK, len(history) + 1, LOOK_EACH):
        if any(verdict.is_leak for verdict in judge(until(history, length), window="hour")):
            yield length


def main() -> int:
    """Print the table; 1 for any mistake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES, default="scoring")
    parser.add_argument("--seeds", type=int, default=12, help="processes of each kind")
    options = parser.parse_args()
    found = mistaken = 0
    for kept in KEPT:
        for tooth in TEETH:
            after = early = 0
            for seed in range(options.seeds):
                history, second = process(Random(HALVES[options.half] + 1_000 * tooth + seed), tooth, kept)
                looks = list(flagged(history))
                after += any(length > second for length in looks)
                early += any(length <= second for length in looks)
            found += after if kept else 0
            mistaken += 0 if kept else after
            what = f"{kept:3} kept of {kept + 100}" if kept else "garbage alone"
            print(f"{what:22} teeth of {tooth:2}: {after:2} of {options.seeds} flagged; before the second: {early}")
    leaks = (len(KEPT) - 1) * len(TEETH) * options.seeds
    print(f"garbage alone: {mistaken} of {len(TEETH) * options.seeds} flagged; beside a leak: {found} of {leaks} found")
    return int(mistaken > 0 or found < FOUND_TARGET * leaks)


if __name__ == "__main__":
    sys.exit(main())
