"""``python -m benchmarks.anomalies``: what is said of generated fleets, against the truth and against other schemes.

24 fleets to tune rules with, and 24 whose seeds no rule was tuned on; eight quiet fleets of 50 workers; forecasts of
exhaustion; the cost of a pass. Ends with 1 where a limit is missed in the scoring half.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.anomalies import cost, forecasts
from benchmarks.anomalies.run import Detectors, Said, Score
from benchmarks.anomalies.world import KINDS, WEEKS, Fleet, Injected

HALVES = {"tuning": range(24), "scoring": range(1_000, 1_024)}
QUIET = {"tuning": range(8), "scoring": range(2_000, 2_008)}
PARTS = ("fleets", "quiet", "forecasts", "cost")
PRECISION, RECALL, FALSE_A_WEEK = 0.9, 0.8, 1.0
OURS = "memwatch"
Result = tuple[list[Injected], dict[str, list[Said]]]


def one(job: tuple[int, bool, bool, tuple[str, ...]]) -> Result:
    """All schemes over one fleet, which is made once."""
    seed, quiet, others, libraries = job
    fleet = Fleet(seed, workers=50 if quiet else None, quiet=quiet)
    ours = Detectors()
    schemes: dict[str, Any] = {}
    if others:
        from benchmarks.anomalies.plain import Netdata, Thresholds

        for factor, service in ((1.3, 1.2), (1.5, 1.25), (2.0, 1.4)):
            schemes[f"thresholds x{factor}"] = Thresholds(factor, service)
        schemes["Netdata's consensus"] = Netdata(fleet.workers)
    if libraries:
        from benchmarks.anomalies.multivariate import Forest, Trees

        schemes |= {name: {"forest": Forest, "trees": Trees}[name]() for name in libraries}
    for now, seen in fleet.run():
        ours.take(now, seen)
        for scheme in schemes.values():
            scheme.take(now, seen)
    said: dict[str, list[Said]] = {OURS: ours.said}
    for name, scheme in schemes.items():
        if hasattr(scheme, "at"):
            said |= {f"{name} > {each.level:.2f}": each.ledger.said for each in scheme.at}
        else:
            said[name] = scheme.said
    return fleet.injected, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], help="all when none is named")
    parser.add_argument("--half", choices=sorted(HALVES))
    parser.add_argument("--fleets", type=int, help="of each half, to be quick")
    parser.add_argument("--alone", action="store_true", help="without the other schemes")
    parser.add_argument("--library", action="append", choices=("forest", "trees"), default=[])
    parser.add_argument("--misses", action="store_true", help="print what was missed and what was false")
    asked = parser.parse_args()
    passed = True
    for half in [asked.half] if asked.half else HALVES:
        for part in asked.parts or PARTS:
            if part == "fleets":
                passed &= _fleets(half, asked) or half == "tuning"
            elif part == "quiet":
                passed &= _quiet(half, asked) or half == "tuning"
            elif part == "forecasts":
                passed &= forecasts.run(half) or half == "tuning"
            elif half == (asked.half or "scoring"):
                passed &= cost.run()
    return 0 if passed else 1


def _all(seeds: range, quiet: bool, asked: argparse.Namespace) -> list[Result]:
    chosen = list(seeds)[: asked.fleets]
    jobs = [(seed, quiet, not asked.alone, tuple(asked.library)) for seed in chosen]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = []
        for seed, result in zip(chosen, pool.map(one, jobs), strict=True):
            results.append(result)
            score = Score()
            score.add(result[0], result[1][OURS])
            counts = f"{len(score.found)} found, {len(score.missed)} missed, {len(score.false)} false"
            print(f"  seed {seed}: {counts}", file=sys.stderr, flush=True)
    return results


def _fleets(half: str, asked: argparse.Namespace) -> bool:
    results = _all(HALVES[half], False, asked)
    workers_only = {name for _, said in results for name in said if " > " in name}
    print(
        f"\n{half}: {len(results)} fleets over {WEEKS} weeks\n{'scheme':24} {'precision':>9} {'recall':>7} {'false':>6}"
    )
    passed = True
    for name in results[0][1]:
        score = Score()
        for truths, said in results:
            mine = [each for each in truths if each.slot is not None] if name in workers_only else truths
            score.add(mine, said[name])
        print(f"{name:24} {score.precision:9.2f} {score.recall:7.2f} {len(score.false):6}")
        if name == OURS:
            passed = score.precision >= PRECISION and score.recall >= RECALL
            found, missed = Counter(e.kind for e in score.found), Counter(e.kind for e in score.missed)
            print("  " + ", ".join(f"{kind} {found[kind]}/{found[kind] + missed[kind]}" for kind in KINDS))
            if asked.misses:
                print("  missed", score.missed, "\n  false", score.false)
    return passed


def _quiet(half: str, asked: argparse.Namespace) -> bool:
    results = _all(QUIET[half], True, asked)
    print(f"\n{half}: {len(results)} quiet fleets of 50 workers, hints a week")
    passed = True
    for name in results[0][1]:
        a_week = sum(len(said[name]) for _, said in results) / len(results) / WEEKS
        print(f"{name:24} {a_week:6.2f}")
        if name == OURS:
            passed = a_week < FALSE_A_WEEK
            if asked.misses:
                print([said[name] for _, said in results])
    return passed


if __name__ == "__main__":
    raise SystemExit(main())
