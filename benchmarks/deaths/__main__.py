"""What is said of processes that end, in a hundred ways: see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.deaths import cgroup, scoring
from benchmarks.deaths.catalogue import PROGRAMS
from benchmarks.deaths.program import HALVES, Program

AT_ONCE = 2
_started: set[subprocess.Popen[str]] = set()
BEGAN = time.monotonic()


def say(text: str) -> None:
    """With the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", file=sys.stderr, flush=True)


def cannot(program: Program, version: int | None) -> str | None:
    """Why the program cannot be run on this machine."""
    if program.limit_mb is not None and version is None:
        return "needs permission to make memory cgroups"
    if program.whole_group and version != 2:
        return "needs version 2 of cgroups"
    return None


def whole(chosen: argparse.Namespace) -> bool:
    """Run them and print the tables; whether both halves are as good as they have to be."""
    where = cgroup.place()
    version = where[0] if where is not None else None
    say(f"memory cgroups: version {version}" if version else "no memory cgroup can be made here; prlimit alone")
    wanted: list[Program] = []
    left_out: list[str] = []
    for program in PROGRAMS.values():
        if chosen.half in (None, program.half) and (not chosen.only or program.name in chosen.only):
            why = cannot(program, version)
            left_out += [f"{program.name}: {why}"] if why else []
            wanted += [] if why else [program]
    outcomes: list[dict[str, Any]] = []
    failed: list[str] = []
    for program, outcome in _all_run(wanted, chosen.at_once):
        done = f"{len(outcomes) + len(failed) + 1} of {len(wanted)}: {program.name}"
        if outcome is None:
            failed.append(program.name)
            say(f"{done}: could not be run")
            continue
        outcomes.append(outcome)
        refused = f"; reports refused: {outcome['rejected']}" if outcome["rejected"] else ""
        say(f"{done}: {'; '.join(scoring.faults(program, outcome)) or 'right'}{refused}")
        if chosen.json is not None:
            chosen.json.write_text(json.dumps(outcomes, indent=1))
    order = list(PROGRAMS)
    outcomes.sort(key=lambda outcome: order.index(outcome["program"]))
    print(scoring.report(PROGRAMS, outcomes), flush=True)
    for each in left_out:
        print(f"   left out: {each}")
    for each in failed:
        print(f"   could not be run: {each}")
    return not failed and all(scoring.score(PROGRAMS, outcomes, half).within for half in HALVES)


def _all_run(wanted: Sequence[Program], at_once: int) -> Iterator[tuple[Program, dict[str, Any] | None]]:
    """As they end."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        under_way = {pool.submit(_run, program): program for program in wanted}
        try:
            for future in as_completed(under_way):
                yield under_way[future], future.result()
        finally:
            for future in under_way:
                future.cancel()
            for process in list(_started):
                process.terminate()


def _run(program: Program) -> dict[str, Any] | None:
    command = [sys.executable, "-m", "benchmarks.deaths.run", program.name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    _started.add(process)
    said, _ = process.communicate()
    _started.discard(process)
    if process.returncode:
        return None
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def main() -> int:
    """All programs, or those named; 1 where a half misses its limits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deaths", description=__doc__)
    parser.add_argument("--half", choices=HALVES, help="of the programs (default: both)")
    parser.add_argument(
        "--only", action="append", choices=PROGRAMS, metavar="PROGRAM", help="several times for several"
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, choices=(1, 2, 3, 4), help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was said, with its evidence, there")
    chosen = parser.parse_args()
    # A kill ends it like Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if whole(chosen) else 1
    except KeyboardInterrupt:
        say("stopped")
        return 1


if __name__ == "__main__":
    sys.exit(main())
