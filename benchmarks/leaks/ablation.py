"""What each rule of the verdicts is worth: everything judged again without it, one rule at a time.

``python -m benchmarks.leaks.ablation [--half scoring] [--saved FILE …]``. Generated series, fleets of recycled workers,
garbage, days of the watch and processes of 0.9 million objects are judged, and the snapshots of programs that
``processes --save`` has kept. Told are the mistakes that each rule's removal adds (or takes away) in each set:
``false`` for what is harmless and flagged, ``missed`` for leaks. A rule without a cost in any set may go.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

from benchmarks.leaks import days, garbage, lives, onset, shapes
from benchmarks.leaks.processes import LENGTHS, VIEWS
from benchmarks.leaks.runs import saved
from memwatch.detection import detect_leaks
from memwatch.detection.lives import pool_rows
from memwatch.detection.rules import registry
from memwatch.detection.rules.recycled_workers import POOL_RULES

NOTHING = ""
"""In place of a rule's name: none is removed."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Of one set, under one choice of rules."""

    false: int = 0
    missed: int = 0

    def __add__(self, other: Mistakes) -> Mistakes:
        return Mistakes(self.false + other.false, self.missed + other.missed)

    def __sub__(self, other: Mistakes) -> Mistakes:
        return Mistakes(self.false - other.false, self.missed - other.missed)

    @classmethod
    def of(cls, leaking: bool, said: bool) -> Mistakes:
        """What one answer adds."""
        return cls(int(said and not leaking), int(leaking and not said))


def _total(answers: Iterator[tuple[bool, bool]]) -> Mistakes:
    return sum((Mistakes.of(*answer) for answer in answers), Mistakes())


def _shapes(half: str, seeds: int) -> Iterator[tuple[bool, bool]]:
    for noise in shapes.NOISE[1:]:
        for points in shapes.POINTS:
            for shape, history in shapes.cases(half, points, noise, seeds):
                yield shape.leaking, shapes.ours(history)[0]


def _lives(half: str, seeds: int) -> Iterator[tuple[bool, bool]]:
    for leaking, kinds in ((True, lives.LEAKING), (False, lives.HARMLESS)):
        for number, shape in enumerate(kinds.values()):
            for seed in range(seeds):
                draw = Random(lives.HALVES[half] + 1_000 * number + seed)
                yield leaking, lives.found(lives.fleet(draw, shape))


def _garbage(half: str, seeds: int) -> Iterator[tuple[bool, bool]]:
    for kept in garbage.KEPT:
        for tooth in garbage.TEETH:
            for seed in range(seeds):
                history, second = garbage.process(Random(garbage.HALVES[half] + 1_000 * tooth + seed), tooth, kept)
                yield kept > 0, any(length > second for length in garbage.flagged(history))


def _days(half: str, seeds: int) -> Iterator[tuple[bool, bool]]:
    for number, kind in enumerate(days.KINDS.values()):
        for seed in range(seeds):
            draw = Random(days.HALVES[half] + 1_000 * number + seed)
            traffic = days.traffic_of(draw)
            life = kind(draw, traffic)
            for _ in range(days.openings(days.looks(life, traffic, leak=False)[1])):
                yield False, True
            begun = [minute - days.LEAK_FROM for minute in days.looks(life, traffic, leak=True)[1]]
            yield True, any(0 < after <= days.FOUND_WITHIN for after in begun)


def _onset(half: str, seeds: int) -> Iterator[tuple[bool, bool]]:
    for number, begin in enumerate(onset.BEGINS.values()):
        for place, leak in enumerate(onset.LEAKS.values()):
            for seed in range(seeds):
                draw = Random(onset.HALVES[half] + 10_000 * number + 1_000 * place + seed)
                history = onset.life(draw, leak, begin, begin + onset.GIVE_UP)
                yield True, onset.named_after(history, begin) <= onset.WITHIN
    for seed in range(seeds):
        draw = Random(onset.HALVES[half] + 90_000 + seed)
        for _ in onset.false_names(onset.life(draw, None, 0, onset.LIFE)):
            yield False, True


def _programs(files: Sequence[Path], half: str) -> Iterator[tuple[bool, bool]]:
    for file in files:
        for run in saved(file):
            if run.case.half == half:
                for view in VIEWS:
                    for length in LENGTHS:
                        yield run.leaking, bool(detect_leaks(view.of(run, length)))


def sets(half: str, seeds: int, files: Sequence[Path]) -> Mapping[str, Callable[[], Iterator[tuple[bool, bool]]]]:
    """Answers as pairs of what is true and what is said, by the name of the set."""
    return {
        "shapes": partial(_shapes, half, 2 * seeds),
        "recycled workers": partial(_lives, half, 6 * seeds),
        "garbage": partial(_garbage, half, 2 * seeds),
        "days": partial(_days, half, seeds),
        "onset": partial(_onset, half, seeds),
        "programs": partial(_programs, files, half),
    }


@contextmanager
def without(rule: str) -> Iterator[None]:
    """In this process: of single series and of recycled workers."""
    left = tuple(each for each in registry.RULES if each.name != rule)
    pooled = tuple(each for each in POOL_RULES if each.asks.name != rule)
    with mock.patch.object(registry, "RULES", left), mock.patch.object(pool_rows, "POOL_RULES", pooled):
        yield


def judged(rule: str, half: str, seeds: int, files: Sequence[Path]) -> dict[str, Mistakes]:
    """The mistakes of each set without the rule."""
    with without(rule):
        return {name: _total(answers()) for name, answers in sets(half, seeds, files).items()}


def main() -> int:
    """Print a table in Markdown, a line as each rule is done; always 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", choices=("tuning", "scoring"), default="scoring")
    parser.add_argument("--seeds", type=int, default=2, help="of what takes longest; shapes and fleets have more")
    parser.add_argument("--saved", type=Path, nargs="*", default=[], help="what processes --save has kept")
    parser.add_argument("--only", nargs="*", default=[], metavar="RULE")
    options = parser.parse_args()
    rules = dict.fromkeys([*(rule.name for rule in registry.RULES), *(rule.asks.name for rule in POOL_RULES)])
    asked = [NOTHING, *(options.only or rules)]
    names = list(sets(options.half, options.seeds, options.saved))
    print(f"| without | {' | '.join(names)} |", f"|---|{'---|' * len(names)}", sep="\n")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        work = partial(judged, half=options.half, seeds=options.seeds, files=options.saved)
        whole: dict[str, Mistakes] = {}
        for rule, found in zip(asked, pool.map(work, asked), strict=True):
            whole = whole or found
            cells = (_cell(found[name] if rule == NOTHING else found[name] - whole[name]) for name in names)
            print(f"| {f'`{rule}`' if rule else 'nothing'} | {' | '.join(cells)} |", flush=True)
    return 0


def _cell(mistakes: Mistakes) -> str:
    told = {"false": mistakes.false, "missed": mistakes.missed}
    return ", ".join(f"{number:+} {what}" for what, number in told.items() if number) or "0"


if __name__ == "__main__":
    sys.exit(main())
