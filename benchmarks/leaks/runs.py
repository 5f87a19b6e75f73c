"""Runs of the cases: which are to be made, each in a fresh process, their snapshots."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.leaks.case import Case, group_of, load, names
from benchmarks.leaks.environments import DEFAULT_FOLDER, ROOT, environment, python_with

TIMEOUT_S = 1200.0


class CaseFailedError(Exception):
    """A case's program ended with an error."""


@dataclass(frozen=True, slots=True)
class Run:
    """One program under one release, and what was seen of it."""

    name: str
    release: str
    """What was installed for it; empty for a program of its own."""
    leaking: bool
    snapshots: tuple[dict[str, Any], ...] = ()
    confirmed: tuple[dict[str, Any], ...] | None = None
    """What the profiler found at the end, after a look into the heap; ``None`` where that was not asked."""
    held: tuple[dict[str, Any], ...] = ()
    """Of each of these the likeliest holder, as a recording names it; without those for which there is no recording."""

    @property
    def case(self) -> Case:
        return load(self.name).CASE

    @property
    def label(self) -> str:
        return f"{self.name} ({self.release})" if self.release else self.name


def planned(half: str | None, only: Iterable[str] = (), group: str | None = None) -> list[Run]:
    """Every case of the half and group (of all when ``None``); those of a package twice, with the bug and without."""
    wanted = set(only)
    found = []
    for name in names():
        case = load(name).CASE
        if (wanted and name not in wanted) or (group is not None and group_of(name) != group):
            continue
        if half is not None and case.half != half:
            continue
        found.append(Run(name, case.installed(case.leaking_release), case.leaks is not None))
        if case.released:
            found.append(Run(name, case.installed(case.fixed_release), leaking=False))
    return found


def measured(run: Run, *, snapshots: int, steps: int, folder: Path = DEFAULT_FOLDER) -> Run:
    """The run with its snapshots. Installs the release where it must be; raises :class:`CaseFailedError`."""
    python = str(python_with(run.release, folder)) if run.release else sys.executable
    command = [python, "-m", "benchmarks.leaks.measure", run.name]
    command += ["--snapshots", str(snapshots), "--steps", str(steps)]
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    if done.returncode:
        raise CaseFailedError(f"{run.label} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    *rows, last = (json.loads(line) for line in done.stdout.splitlines())
    return Run(run.name, run.release, run.leaking, tuple(rows), tuple(last["confirmed"]), tuple(last["held"]))


def all_measured(runs: Iterable[Run], *, snapshots: int, steps: int, folder: Path, jobs: int = 0) -> Iterator[Run]:
    """As they end, as many at a time as there are processors."""
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool:
        under_way = [pool.submit(measured, run, snapshots=snapshots, steps=steps, folder=folder) for run in runs]
        try:
            for future in as_completed(under_way):
                yield future.result()
        finally:
            for future in under_way:
                future.cancel()


def save(runs: Iterable[Run], file: Path) -> None:
    """To judge them again later."""
    file.write_text(json.dumps([dataclasses.asdict(run) for run in runs]))


def saved(file: Path) -> list[Run]:
    """What :func:`save` wrote."""
    rows = json.loads(file.read_text())
    return [Run(**{**row, "snapshots": tuple(row["snapshots"]), "held": tuple(row.get("held", ()))}) for row in rows]
