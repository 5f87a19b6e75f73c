"""One program from its start to its end, in a process of its own: ``python -m benchmarks.work.run NAME …``.

What came of it is a line of JSON on standard output; how far it is goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.sites.load import Load
from benchmarks.work import judging
from benchmarks.work.catalogue import PROGRAMS
from benchmarks.work.program import INTERVALS, Program
from benchmarks.work.serving import Site, broker_for, visited

STORE_EVERY_S = 2.0
JUDGE_EVERY_S = 5.0
"""As beat does at so short an interval."""


@dataclasses.dataclass(frozen=True, slots=True)
class Arrived:
    """Reports that were read at once."""

    at: datetime
    payloads: list[bytes]


def driven(
    program: Program, folder: Path, *, intervals: int, interval_s: float
) -> Iterator[tuple[Arrived, list[Load]]]:
    """Its reports as they arrive, while it runs for so many intervals."""
    transport = f"local://{folder}/transport"
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(broker_for(program.server))
        given = program.for_the_site()
        site = Site(folder, transport, program=given, interval_s=interval_s, broker=broker)
        stack.callback(site.close)
        site.make_tables()
        site.serve(program.server, program.processes)
        loads = stack.enter_context(visited(program, site.port, broker))
        until = time.monotonic() + intervals * interval_s
        while time.monotonic() < until:
            time.sleep(STORE_EVERY_S)
            site.must_run()
            deliveries = site.hub.read(limit=1000)
            site.hub.acknowledge(deliveries)
            yield Arrived(datetime.now(UTC), [delivery.payload for delivery in deliveries]), loads


def replayed(file: Path) -> Iterator[Arrived]:
    """What :func:`keep` wrote."""
    for line in file.read_text().splitlines():
        row = json.loads(line)
        yield Arrived(datetime.fromisoformat(row["at"]), [text.encode() for text in row["payloads"]])


def keep(file: Path, arrived: Arrived) -> None:
    """To judge them again later."""
    row = {"at": arrived.at.isoformat(), "payloads": [payload.decode() for payload in arrived.payloads]}
    with file.open("a") as kept:
        kept.write(json.dumps(row) + "\n")


def judged(
    program: Program, folder: Path, *, intervals: int, interval_s: float, saved: Path | None, save: Path | None
) -> dict[str, Any]:
    """Run it (or take what was saved), and ask for the verdict at the end."""
    judging.make_database(folder, f"local://{folder}/transport", interval_s, looks=saved is None)
    judge_at, began, visits, failed = 0.0, None, 0, 0
    source: Iterator[tuple[Arrived, list[Load]]]
    if saved is not None:
        source = ((arrived, []) for arrived in replayed(saved))
    else:
        source = driven(program, folder, intervals=intervals, interval_s=interval_s)
    last = None
    for arrived, loads in source:
        judging.store(arrived.payloads, arrived.at)
        began, last = began or arrived.at, arrived.at
        passed = (arrived.at - began).total_seconds()
        if passed >= judge_at:
            judge_at = passed + JUDGE_EVERY_S
            judging.judge(arrived.at)
            if saved is None:
                _say(
                    program,
                    f"{passed / interval_s:.0f} of {intervals} intervals, {len(judging.open_leaks(program))} leaks",
                )
        if save is not None:
            keep(save, arrived)
        done = [request for load in loads for request in load.done]
        visits, failed = len(done), sum(request.status != 200 for request in done)
    if last is not None:
        judging.judge(last)
        judging.name_work_again(last)
    return {
        "program": program.name, "visits": visits, "failed": failed, "rejected": judging.rejected(),
        **judging.outcome(program),
    }  # fmt: skip


def _say(program: Program, text: str) -> None:
    print(f"      {program.name}: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.work.run", description=__doc__)
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--intervals", type=int, default=INTERVALS)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds (default: %(default)g)")
    parser.add_argument("--save", type=Path, help="keep the reports in this file")
    parser.add_argument("--saved", type=Path, help="judge the reports of this file, and run nothing")
    chosen = parser.parse_args()
    # What was started is stopped by the context managers, also where this is killed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if chosen.save is not None:
        chosen.save.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as folder:
        found = judged(
            PROGRAMS[chosen.program], Path(folder), intervals=chosen.intervals, interval_s=chosen.interval,
            saved=chosen.saved, save=chosen.save,
        )  # fmt: skip
    print(json.dumps(found, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
