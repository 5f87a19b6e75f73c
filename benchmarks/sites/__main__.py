"""Real sites with planted leaks, watched from outside: see README.md beside this file."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.sites.deployment import DEFAULT_INTERVAL_S, deployed, machine
from benchmarks.sites.recipes import SITES
from benchmarks.sites.report import tables
from benchmarks.sites.run import PER_SECOND, run
from benchmarks.sites.scoring import NAMED_WITHIN
from benchmarks.sites.truth import RUNS
from tests.sites.foreign import ROOT, build_wheel

BEGAN = time.monotonic()


def say(text: str) -> None:
    """With the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:5.0f} s] {text}", flush=True)


def main() -> int:
    """Runs each leak in each site; 1 where one of them could not be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sites", description=__doc__)
    parser.add_argument("--site", action="append", choices=SITES, help="several times for several (default: all)")
    parser.add_argument("--leak", action="append", choices=RUNS, help="several times for several (default: all)")
    parser.add_argument("--interval", type=float, default=DEFAULT_INTERVAL_S, help="seconds (default: %(default)g)")
    parser.add_argument("--rate", type=float, default=PER_SECOND, help="requests a second (default: %(default)g)")
    parser.add_argument("--minutes", type=float, help=f"of each run (default: {NAMED_WITHIN + 1} intervals)")
    parser.add_argument("--wheel", type=Path, help="memwatch's wheel (default: built from this tree)")
    parser.add_argument("--results", type=Path, default=ROOT / "var" / "bench-sites", help="folder of the results")
    chosen = parser.parse_args()
    minutes = chosen.minutes or (NAMED_WITHIN + 1) * chosen.interval / 60
    # Ctrl-C and a kill end it alike: what was started is stopped by the context managers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    results: list[dict[str, Any]] = []
    failed = 0
    chosen.results.mkdir(parents=True, exist_ok=True)
    file = chosen.results / f"{datetime.datetime.now(tz=datetime.UTC):%Y%m%d-%H%M%S}-{os.getpid()}.json"
    try:
        with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as made:
            wheel = chosen.wheel or build_wheel(Path(made))
            for name in chosen.site or SITES:
                say(f"{name}: is made")
                with deployed(SITES[name], wheel, Path(made) / name, chosen.interval) as deployment:
                    for leak in chosen.leak or RUNS:
                        try:
                            results.append(
                                run(name, deployment, leak, minutes=minutes, per_second=chosen.rate, say=say)
                            )
                        except Exception:  # noqa: BLE001  the next one may run
                            failed += 1
                            say(f"{name} {leak}: could not be run\n{traceback.format_exc()[-3000:]}")
                            continue
                        _write(file, results)
                        say(json.dumps({key: results[-1].get(key) for key in SHOWN}))
    except KeyboardInterrupt:
        say("stopped")
        failed += 1
    if results:
        print(f"\n{tables(results)}\n\n{file}")
    return bool(failed)


SHOWN = ("site", "leak", "growth_after", "named_after", "holder", "wrong_holder", "line")


def _write(file: Path, results: list[dict[str, Any]]) -> None:
    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    about = {"commit": commit.stdout.strip(), "machine": machine(), "results": results}
    file.write_text(json.dumps(about, indent=1, default=str))


if __name__ == "__main__":
    sys.exit(main())
