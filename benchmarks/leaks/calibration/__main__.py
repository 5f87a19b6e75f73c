"""Does a probability mean what it says? Fits it on the tuning halves and checks it on the scoring halves.

``python -m benchmarks.leaks.calibration [--seeds 6] [--saved FILE] [--write]``. What memwatch calls a leak in generated
series, in streams looked at every minute, in fleets of recycled workers and in real programs is taken together;
in each source half of the cases count as leaking. The weights are fitted on the tuning halves alone, and ``--write``
puts them into ``memwatch/detection/confidence/calibration.py``. Ends with 1 where the expected calibration error of
the weights that memwatch has is over .05 on the scoring halves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.leaks.calibration import samples
from benchmarks.leaks.calibration.fitting import fit, quality, written
from benchmarks.leaks.calibration.samples import Told
from benchmarks.leaks.environments import DEFAULT_FOLDER, ROOT
from benchmarks.leaks.runs import Run, all_measured, planned, saved
from memwatch.detection.confidence import calibration
from memwatch.detection.confidence.probability import weighed

MODULE = ROOT / "memwatch" / "detection" / "confidence" / "calibration.py"
ERROR_TARGET = 0.05
HALVES = ("tuning", "scoring")


def collected(half: str, seeds: int, runs: Sequence[Run]) -> list[Told]:
    """The verdicts of all sources."""
    sources = (
        samples.of_shapes(half, seeds),
        samples.of_streams(half, max(1, seeds // 2)),
        samples.of_lives(half, 10 * seeds),
        samples.of_programs(half, runs),
    )
    for source in sources:
        print(
            f"   {half} {source.name}: {source.cases[True]} leaking and {source.cases[False]} harmless cases, "
            f"{len(source.told)} verdicts, {sum(not one.is_leak for one in source.told)} of them wrong",
            flush=True,
        )
    return [one for source in sources for one in source.weighed()]


def fitted(told: Sequence[Told]) -> dict[str, dict[str, float]]:
    """Weights by kind of judgement."""
    kinds = sorted({one.kind for one in told})
    return {kind: fit([one for one in told if one.kind == kind]) for kind in kinds}


def table(told: Sequence[Told], weights: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Reliability of all, then the errors by kind and source."""
    every = quality(told, [weighed(one.features, weights[one.kind]) for one in told])
    yield f"{'told':>8} {'leaks':>8} {'verdicts':>9}"
    yield from (f"{each.told:>8.3f} {each.true:>8.3f} {each.count:>9}" for each in every.bins)
    yield f"{'':30}{'verdicts':>9} {'Brier':>8} {'constant':>9} {'error':>7}"
    groups: list[tuple[str, list[Told]]] = [("all", list(told))]
    groups += [(kind, [one for one in told if one.kind == kind]) for kind in sorted({one.kind for one in told})]
    groups += [
        (f"{source}, {kind}", some)
        for source in sorted({one.source for one in told})
        for kind in sorted(weights)
        if (some := [one for one in told if (one.source, one.kind) == (source, kind)])
    ]
    for name, some in groups:
        found = quality(some, [weighed(one.features, weights[one.kind]) for one in some])
        yield f"{name:30}{len(some):>9} {found.brier:>8.4f} {found.base:>9.4f} {found.error:>7.3f}"


def by_word(told: Sequence[Told]) -> Iterator[str]:
    """What the words mean."""
    for word in ("low", "medium", "high"):
        some = [one for one in told if one.confidence == word]
        if some:
            share = sum(one.weight * one.is_leak for one in some) / sum(one.weight for one in some)
            yield f"   confidence {word}: {share:.1%} of {len(some)} verdicts are leaks"


def main() -> int:
    """Print the tables; 1 where the error is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--saved", type=Path, nargs="*", help="snapshots of programs, kept by processes --save")
    parser.add_argument("--write", action="store_true", help="put the fitted weights into memwatch/detection")
    options = parser.parse_args()
    if options.saved is None:
        runs = list(all_measured(planned(None), snapshots=41, steps=2000, folder=DEFAULT_FOLDER))
    else:
        runs = [run for file in options.saved for run in saved(file)]
    told = {half: collected(half, options.seeds, runs) for half in HALVES}
    weights = fitted(told["tuning"])
    for kind, row in weights.items():
        print(f"   {kind}: {row}")
    if options.write:
        source = f"tuning halves of benchmarks.leaks: {len(told['tuning']):,} verdicts of leaks"
        MODULE.write_text("\n".join(written(weights, source)) + "\n")
        print(f"   written: {MODULE.relative_to(ROOT)}")
    else:
        weights = {kind: dict(row) for kind, row in calibration.WEIGHTS.items()}
    print("scoring half:", *table(told["scoring"], weights), *by_word(told["scoring"]), sep="\n")
    error = quality(told["scoring"], [weighed(one.features, weights[one.kind]) for one in told["scoring"]]).error
    print(f"   expected calibration error {error:.3f}, asked for: {ERROR_TARGET}")
    return int(error > ERROR_TARGET)


if __name__ == "__main__":
    sys.exit(main())
