"""Harmless tests, marked, again and again: how many fail? ``python -m benchmarks.gate.harmless --runs 1000``.

``--loaded`` keeps every core busy beside them, ``--coverage`` runs them under coverage. It ends with 1 on any failure.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.leaks.environments import ROOT, environment

_TESTS = Path(__file__).with_name("harmless_tests.py")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.harmless", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--loaded", action="store_true")
    parser.add_argument("--coverage", action="store_true")
    options = parser.parse_args()
    failures: Counter[str] = Counter()
    unsure = 0
    with _load() if options.loaded else contextlib.nullcontext():
        for number in range(1, options.runs + 1):
            failed, undecided = _run(coverage=options.coverage)
            failures.update(failed)
            unsure += undecided
            print(f"   run {number}: {len(failed)} failed, {undecided} undecided", flush=True)
    print(
        f"{options.runs} runs of 20 tests: {failures.total()} failures, {unsure} undecided",
        *failures.items(),
        sep="\n   ",
    )
    return int(bool(failures))


def _run(*, coverage: bool) -> tuple[list[str], int]:
    command = [sys.executable, "-m"] + (["coverage", "run", "-m"] if coverage else [])
    command += ["pytest", "-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider", "-q", "--tb=line", "-rf"]
    command += ["-c", "/dev/null", f"--rootdir={ROOT}", str(_TESTS)]
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with tempfile.TemporaryDirectory() as folder:  # coverage removes an old data file: not /dev/null
        own["COVERAGE_FILE"] = f"{folder}/data"
        done = subprocess.run(command, env=environment() | own, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest ended with {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}")
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    return failed, sum("took too long" in line or "too slow" in line for line in lines)


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
