"""Real processes with a known answer: the contract's rule and memwatch's side by side.

``python -m benchmarks.leaks.processes`` runs and scores the scoring half; ``--half tuning`` the other one, ``--half
both`` everything; ``--quick`` a tenth of the steps. Each program is judged from its first 20, 30 and 40 snapshots, as
they were taken and with times a minute apart, and with and without the snapshot before the first request.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmarks.leaks.case import GROUPS, HALVES, Case
from benchmarks.leaks.environments import DEFAULT_FOLDER
from benchmarks.leaks.runs import Run, all_measured, planned, save, saved
from benchmarks.leaks.score import Score, tally
from memwatch.detection import detect_leaks
from memwatch.records import Leak

LENGTHS = (20, 30, 40)
START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("objects", "untracked", "native")

F1_TARGET, NAMED_TARGET = 0.95, 0.9


@dataclass(frozen=True, slots=True)
class View:
    """A way to hand the snapshots over."""

    minutes: bool
    """Whether times are made a minute apart, in place of the fraction of a second that they are."""
    from_setup: bool
    """Whether the snapshot before the first request is among them."""

    def of(self, run: Run, length: int) -> list[dict[str, Any]]:
        start = 0 if self.from_setup else 1
        rows = run.snapshots[start : start + length]
        if not self.minutes:
            return list(rows)
        return [row | {"timestamp": (START + timedelta(minutes=i)).isoformat()} for i, row in enumerate(rows)]


VIEWS = tuple(View(minutes, from_setup) for minutes in (False, True) for from_setup in (True, False))


def contract(rows: Sequence[dict[str, Any]]) -> bool:
    """The reference's rule: some type's last count against its first: over 50 % and over 100 more."""
    first, last = rows[0]["top_objects"], rows[-1]["top_objects"]
    return any(
        name in first and count - first[name] > 100 and (count - first[name]) * 2 > first[name]
        for name, count in last.items()
    )


def names_culprit(case: Case, leaks: Iterable[Leak]) -> bool:
    """Whether one of them is of the right kind, or holds the name that tells where to look."""
    for leak in leaks:
        container = leak.evidence.get("container") or {}
        told = [leak.object_type, *leak.evidence.get("grows_with", ()), container.get("name") or ""]
        if any(fnmatchcase(name, pattern) or name.endswith(f".{pattern}") for name in told for pattern in case.culprit):
            return True
        if leak.kind == case.leaks and (leak.kind == "native" or not case.culprit):
            return True
    return False


def looked_at(judged: Iterable[Judged]) -> Iterator[str]:
    """The same of what the profiler itself found, which looks into the heap before it calls growth a leak."""
    score, named, told = Score(), [], []
    for item in judged:
        if item.run.confirmed is None:
            continue
        leaks = [Leak.from_dict(each) for each in item.run.confirmed]
        score += tally(item.run.leaking, bool(leaks))
        if item.run.leaking:
            named.append(names_culprit(item.run.case, leaks))
        if bool(leaks) != item.run.leaking:
            told.append(f"{item.run.label}: {', '.join(leak.object_type for leak in leaks) or 'nothing'}")
    if named:
        yield f" with looks{'':>31}{_figures(score)}   {sum(named) / len(named):5.0%}"
        yield from (f"   wrong: {line}" for line in told)


def holders(judged: Iterable[Judged]) -> Iterator[str]:
    """Of the leaks that a container holds: how often a recording names it, and what it names where it does not."""
    right, wrong = 0, []
    for run in (item.run for item in judged if item.run.leaking and item.run.case.holder):
        if any(holds(run.case, found) for found in run.held):
            right += 1
            continue
        told = (
            found.get("refused") or f"{found.get('name')}{' for sure' * bool(found.get('sure'))}" for found in run.held
        )
        wrong.append(f"{run.label}: {', '.join(told) or 'nothing'}")
    if right or wrong:
        yield f"   holder named by a recording: {right} of {right + len(wrong)}"
        yield from (f"   wrong: {line}" for line in wrong)


def holds(case: Case, found: Mapping[str, Any]) -> bool:
    """Whether it is a holder that a person would name."""
    names = (found.get("name") or "", found.get("attribute") or "")
    return any(fnmatchcase(name, pattern) for name in names for pattern in case.holder)


def time_to_detection(run: Run) -> int | None:
    """The number of snapshots from which on every longer series shows the leak."""
    first = None
    for length in range(len(run.snapshots), 2, -1):
        if not detect_leaks(run.snapshots[:length]):
            break
        first = length
    return first


@dataclass(slots=True)
class Judged:
    """A run, and what was said of it under every view and length."""

    run: Run
    ours: dict[tuple[View, int], list[Leak]]
    theirs: dict[tuple[View, int], bool]
    detected_at: int | None

    @classmethod
    def of(cls, run: Run, lengths: Sequence[int]) -> Judged:
        keys = [(view, length) for view in VIEWS for length in lengths]
        given = {(view, length): view.of(run, length) for view, length in keys}
        ours = {key: detect_leaks(rows) for key, rows in given.items()}
        theirs = {key: contract(rows) for key, rows in given.items()}
        return cls(run, ours, theirs, time_to_detection(run) if run.leaking else None)

    def named(self, key: tuple[View, int]) -> bool:
        return names_culprit(self.run.case, self.ours[key])


def table(judged: Sequence[Judged], lengths: Sequence[int]) -> Iterator[str]:
    """The scores: per length, ours and theirs; per kind; the culprits."""
    yield f"{'snapshots':>9}   {'contract: P':>11} {'R':>6} {'F1':>6}   {'memwatch: P':>11} {'R':>6} {'F1':>6}   named"
    for length in lengths:
        theirs = _sum(judged, lambda item, key: item.theirs[key], [length])
        mine = _sum(judged, lambda item, key: bool(item.ours[key]), [length])
        named = _named(judged, [length])
        yield f"{length:>9}   {_figures(theirs)}   {_figures(mine)}   {named:5.0%}"
    for kind in KINDS:
        leaking = [item for item in judged if item.run.case.leaks == kind and item.run.leaking]
        mine = _sum(leaking, lambda item, key: bool(item.ours[key]), lengths)
        theirs = _sum(leaking, lambda item, key: item.theirs[key], lengths)
        at = sorted(item.detected_at or 99 for item in leaking)
        if leaking:
            yield (
                f"{kind:>9}   {len(leaking)} programs: recall {theirs.recall:.3f} and {mine.recall:.3f}, "
                f"culprit named in {_named(leaking, lengths):.0%}, found after {at[len(at) // 2]} snapshots (median)"
            )


def _figures(score: Score) -> str:
    return f"{score.precision:11.3f} {score.recall:6.3f} {score.f1:6.3f}"


def _sum(judged: Iterable[Judged], said: Callable[[Judged, tuple[View, int]], bool], lengths: Sequence[int]) -> Score:
    total = Score()
    for item in judged:
        for view in VIEWS:
            for length in lengths:
                total += tally(item.run.leaking, said(item, (view, length)))
    return total


def _named(judged: Iterable[Judged], lengths: Sequence[int]) -> float:
    answers = [
        item.named((view, length)) for item in judged if item.run.leaking for view in VIEWS for length in lengths
    ]
    return sum(answers) / len(answers) if answers else 1.0


def mistakes(judged: Iterable[Judged]) -> Iterator[str]:
    """Where memwatch was wrong, named no culprit, or said otherwise under another spacing of times."""
    for item in judged:
        for (view, length), leaks in item.ours.items():
            how = f"{length} snapshots{', a minute apart' if view.minutes else ''}{'' if view.from_setup else ', warm'}"
            told = ", ".join(f"{leak.kind} {leak.object_type}" for leak in leaks) or "nothing"
            if bool(leaks) != item.run.leaking or (leaks and not item.named((view, length))):
                yield f"{item.run.label}, {how}: {told}"


def spacings_differ(judged: Iterable[Judged]) -> int:
    """Series of which another spacing of times gave another answer."""
    return sum(
        bool(leaks) != bool(item.ours[View(not view.minutes, view.from_setup), length])
        for item in judged
        for (view, length), leaks in item.ours.items()
        if view.minutes
    )


def main(arguments: list[str] | None = None) -> int:
    """Run, score, print; 1 when a target is missed on the scoring half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", choices=(*HALVES, "both"), default="scoring")
    parser.add_argument("--group", choices=GROUPS, help="only the cases written with this set")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE")
    parser.add_argument("--quick", action="store_true", help="200 steps between snapshots, 20 of them; no targets")
    parser.add_argument("--steps", type=int, default=2000, help="requests between two snapshots")
    parser.add_argument("--environments", type=Path, default=DEFAULT_FOLDER, help="where releases are installed")
    parser.add_argument("--save", type=Path, help="keep the snapshots in this file")
    parser.add_argument("--saved", type=Path, help="judge the snapshots of this file, and run nothing")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    lengths = LENGTHS[:1] if options.quick else LENGTHS
    runs = planned(None if options.half == "both" else options.half, options.only, options.group)
    if options.saved is not None:
        known = {(run.name, run.release): run for run in saved(options.saved)}
        done = [known[run.name, run.release] for run in runs if (run.name, run.release) in known]
    else:
        steps = 200 if options.quick else options.steps
        ending = all_measured(runs, snapshots=lengths[-1] + 1, steps=steps, folder=options.environments)
        done = list(_shown(ending, len(runs)))
    if options.save is not None:
        save(done, options.save)
    judged = sorted((Judged.of(run, lengths) for run in done), key=lambda item: item.run.label)
    group = f", {options.group}" if options.group else ""
    print(f"{options.half} half{group}: {len(judged)} programs; {time.perf_counter() - started:.0f} s")
    print(*table(judged, lengths), *looked_at(judged), *holders(judged), sep="\n")
    print(f"   series that another spacing of times judged otherwise: {spacings_differ(judged)}")
    wrong = list(mistakes(judged))
    print("mistakes:", *(f"\n   {line}" for line in wrong)) if wrong else print("   no mistakes")
    return 0 if options.quick or options.half == "tuning" or options.only else int(_short(judged, lengths))


def _short(judged: Sequence[Judged], lengths: Sequence[int]) -> bool:
    """Whether a target is missed: F1 and culprits at each length, and no fixed release flagged."""
    flagged = [
        item.run.label for item in judged if item.run.release and not item.run.leaking and any(item.ours.values())
    ]
    missed = bool(flagged)
    for length in lengths:
        mine = _sum(judged, lambda item, key: bool(item.ours[key]), [length])
        missed |= mine.f1 < F1_TARGET or _named(judged, [length]) < NAMED_TARGET
    print(f"   target: F1 {F1_TARGET}, culprit named in {NAMED_TARGET:.0%}, no fixed release flagged", end="")
    print(" MISSED" if missed else " reached")
    return missed


def _shown(ending: Iterator[Run], total: int) -> Iterator[Run]:
    """Passes the runs on and shows how far it is: a bar on a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(ending, description="running", total=total, console=Console(stderr=True))
        return
    for number, run in enumerate(ending, start=1):
        print(f"   {number}/{total} {run.label}", file=sys.stderr, flush=True)
        yield run


if __name__ == "__main__":
    sys.exit(main())
