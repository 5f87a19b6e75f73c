"""``python -m benchmarks.recommendations``: twelve simulated services, then four real ones."""

from __future__ import annotations

import argparse
import sys
from statistics import fmean

from benchmarks.recommendations import scoring_half, tuning_half
from benchmarks.recommendations.scoring import Score, score

HALVES = {"tuning": tuning_half.SERVICES, "scoring": scoring_half.SERVICES}
LEAST_UNDER, LEAST_FEWER = 0.95, 0.80
HEAD = f"{'service':28} {'says':11} {'jobs':>8} {'KiB':>10} {'under':>6} {'filled':>6} {'fewer':>6}  loop  right"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--half", choices=sorted(HALVES))
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--no-reality", action="store_true")
    asked = options.parse_args()
    passed = True
    for name, services in HALVES.items():
        if asked.half in (None, name):
            print(f"\n{name}: {asked.seeds} histories of each service, 200 lives each\n{HEAD}")
            scores = [score(truth, 10 * seed) for truth in services for seed in range(asked.seeds)]
            for truth in services:
                _print([each for each in scores if each.name == truth.name])
            passed &= _passed(scores)
    if not asked.no_reality:
        from benchmarks.recommendations import reality

        passed &= reality.run()
    return 0 if passed else 1


def _print(scores: list[Score]) -> None:
    first = scores[0]
    fewer = [each.fewer_recycles for each in scores if each.fewer_recycles is not None]
    kib = "-" if first.memory_mb is None else f"{first.memory_mb * 1024:.0f}"
    print(
        f"{first.name:28} {first.state:11} {first.jobs or '-':>8} {kib:>10} "
        f"{fmean(each.under_target for each in scores):6.1%} {fmean(each.filled for each in scores):6.0%} "
        f"{f'{fmean(fewer):6.1%}' if fewer else '     -'}  {'yes' if any(e.kill_loop for e in scores) else 'no':4}  "
        f"{sum(each.right for each in scores)}/{len(scores)}"
    )


def _passed(scores: list[Score]) -> bool:
    under = fmean(each.under_target for each in scores)
    fewer = [each.fewer_recycles for each in scores if each.fewer_recycles is not None]
    loops, right = sum(each.kill_loop for each in scores), fmean(each.right for each in scores)
    print(
        f"lives under the target: {under:.1%} (at least {LEAST_UNDER:.0%}); fewer recycles than every 100 jobs: "
        f"{fmean(fewer):.1%} (at least {LEAST_FEWER:.0%}); kill loops: {loops}; leak or none said rightly: {right:.0%}"
    )
    worst = min(fmean(e.under_target for e in scores if e.name == name) for name in {e.name for e in scores})
    print(f"the service with the fewest lives under the target: {worst:.1%}")
    return under >= LEAST_UNDER and fmean(fewer) >= LEAST_FEWER and not loops


if __name__ == "__main__":
    sys.exit(main())
