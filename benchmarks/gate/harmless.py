"""Harmless tests, marked, again and again: how many fail? ``python -m benchmarks.gate.harmless --runs 1000``.

``--loaded`` keeps every core busy beside them, ``--coverage`` runs them under coverage. ``--record`` adds each run to a
file as a line of JSON, and makes only those of the ``--runs`` that the file lacks. It ends with 1 on any failure.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.leaks.environments import ROOT, environment

_TESTS = Path(__file__).with_name("harmless_tests.py")


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """One run, as a line of the record holds it."""

    failed: list[str]
    undecided: list[str]
    seconds: float
    load: float
    """The machine's load average over a minute, at its end."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.harmless", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--loaded", action="store_true")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--record", type=Path, metavar="FILE", help="goes on with the runs of this file")
    options = parser.parse_args()
    runs = _recorded(options.record)
    with _load() if options.loaded else contextlib.nullcontext():
        for number in range(len(runs) + 1, options.runs + 1):
            made = _run(coverage=options.coverage)
            runs.append(made)
            if options.record:
                with options.record.open("a") as file:
                    print(json.dumps(dataclasses.asdict(made)), file=file)
            print(f"   run {number}: {len(made.failed)} failed, {len(made.undecided)} undecided", flush=True)
    failures = Counter(each for made in runs for each in made.failed)
    print(*_said(runs, failures), sep="\n   ")
    return int(bool(failures))


def _recorded(record: Path | None) -> list[Made]:
    if record is None or not record.exists():
        return []
    return [Made(**json.loads(line)) for line in record.read_text().splitlines()]


def _said(runs: list[Made], failures: Counter[str]) -> Iterator[str]:
    undecided = Counter(each for made in runs for each in made.undecided)
    yield f"{len(runs)} runs of 20 tests: {failures.total()} failures, {undecided.total()} undecided"
    if runs:
        seconds, loads = (sorted(getattr(made, name) for made in runs) for name in ("seconds", "load"))
        yield f"{seconds[len(runs) // 2]:.0f} s each (median), at load {loads[0]:.1f} to {loads[-1]:.1f}"
    for each, times in (failures + undecided).most_common():
        yield f"{times} times: {each}"


def _run(*, coverage: bool) -> Made:
    command = [sys.executable, "-m"] + (["coverage", "run", "-m"] if coverage else [])
    command += ["pytest", "-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider", "-q", "--tb=line", "-rf"]
    command += ["-c", "/dev/null", f"--rootdir={ROOT}", str(_TESTS)]
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:  # coverage removes an old data file: not /dev/null
        own["COVERAGE_FILE"] = f"{folder}/data"
        done = subprocess.run(command, env=environment() | own, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest ended with {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}")
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    undecided = [line.strip() for line in lines if "took too long" in line or "too slow" in line]
    return Made(failed, undecided, time.monotonic() - began, os.getloadavg()[0])


@contextlib.contextmanager
def _load() -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


if __name__ == "__main__":
    sys.exit(main())
