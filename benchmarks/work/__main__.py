"""Which view or task leaks, what counting jobs costs, and whether peaks are seen: see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.work import overhead, peaks, scoring
from benchmarks.work.catalogue import PROGRAMS
from benchmarks.work.program import HALVES, INTERVALS, Program

AT_ONCE = 2
_started: set[subprocess.Popen[str]] = set()
BEGAN = time.monotonic()


def say(text: str) -> None:
    """With the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", file=sys.stderr, flush=True)


def programs(chosen: argparse.Namespace) -> bool:
    """Run them and print the tables; whether all halves are as good as they have to be."""
    wanted = [program for program in PROGRAMS.values() if _is_wanted(program, chosen)]
    outcomes: list[dict[str, Any]] = []
    failed = 0
    for program, outcome in _all_run(wanted, chosen):
        done = f"{len(outcomes) + failed + 1} of {len(wanted)}: {program.name}"
        if outcome is None:
            failed += 1
            say(f"{done} could not be run")
            continue
        outcomes.append(outcome)
        calls = f"{outcome['visits']} visits, {outcome['failed']} failed, {outcome['calls']} calls reported"
        counted = ", ".join(outcome["counted"])
        say(f"{done}: {calls}, objects counted by {counted}; {outcome['rejected'] or 'no report refused'}")
    order = list(PROGRAMS)
    outcomes.sort(key=lambda outcome: order.index(outcome["program"]))
    print(scoring.report(PROGRAMS, outcomes), flush=True)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(outcomes, indent=1))
    return not failed and all(scoring.score(PROGRAMS, outcomes, half).within for half in HALVES)


def _is_wanted(program: Program, chosen: argparse.Namespace) -> bool:
    return (chosen.half in (None, program.half)) and (not chosen.only or program.name in chosen.only)


def _all_run(wanted: Sequence[Program], chosen: argparse.Namespace) -> Iterator[tuple[Program, dict[str, Any] | None]]:
    """As they end."""
    with ThreadPoolExecutor(max_workers=chosen.at_once) as pool:
        under_way = {pool.submit(_run, program, chosen): program for program in wanted}
        try:
            for future in as_completed(under_way):
                yield under_way[future], future.result()
        finally:
            for future in under_way:
                future.cancel()
            for process in list(_started):
                process.terminate()


def _run(program: Program, chosen: argparse.Namespace) -> dict[str, Any] | None:
    command = [sys.executable, "-m", "benchmarks.work.run", program.name, "--intervals", str(chosen.intervals)]
    file = f"{re.sub(r'[^a-z]+', '-', program.name)}.json"
    for folder, option in ((chosen.save, "--save"), (chosen.saved, "--saved")):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            command += [option, str(folder / file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    _started.add(process)
    said, _ = process.communicate()
    _started.discard(process)
    if process.returncode:
        return None
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


RUN: dict[str, Callable[[argparse.Namespace], bool]] = {
    "programs": programs,
    "overhead": lambda _chosen: not overhead.main([]),
    "peaks": lambda _chosen: not peaks.main(),
}


def main() -> int:
    """All parts, or those named; 1 where one misses its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.work", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(RUN)}; all when none is given")
    parser.add_argument("--half", choices=HALVES, help="of the programs (default: all)")
    parser.add_argument(
        "--only", action="append", choices=PROGRAMS, metavar="PROGRAM", help="several times for several"
    )
    parser.add_argument("--intervals", type=int, default=INTERVALS, help="of each program (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, choices=(1, 2), help="programs (default: %(default)s)")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="keep the programs' reports in this folder")
    parser.add_argument("--saved", type=Path, metavar="FOLDER", help="judge the reports kept there, and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was said into this file")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - set(RUN)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(RUN)}")
    # A kill ends it like Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parts = chosen.parts or RUN
    within = []
    try:
        for part, run in RUN.items():
            if part in parts:
                say(part)
                within.append(run(chosen))
    except KeyboardInterrupt:
        say("stopped")
        return 1
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
