"""Outages of a whole deployment: ``python -m benchmarks.outages``; some: ``python -m benchmarks.outages redis clock``.

PostgreSQL, Redis, `run_stack`, ten simulated agents and a watched Django view under load stand side by side; one thing
after the other is stopped, killed, frozen, filled or slowed down. Prints what each did and writes it into
``docs/reliability.md``. Ends with 1 where anything was lost, stored twice or not counted, or made requests wait.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.outages.catalogue import OUTAGES, SECONDS, Outage
from benchmarks.outages.disk import can_mount
from benchmarks.outages.found import HEAD, Found, known, remember, summary, write_page
from benchmarks.outages.latency import change
from benchmarks.outages.stand import Stand

CALM_S = 10.0


class Day:
    """One outage after the other, with calm before, between and after."""

    def __init__(self, stand: Stand, seconds: float) -> None:
        self._stand, self._seconds = stand, seconds
        self._counts = stand.settle()
        self._settled = time.monotonic()
        time.sleep(CALM_S)

    def undergo(self, outage: Outage) -> Found:
        """The calm before it is the one after the last."""
        stand, before, calm_from = self._stand, self._counts, self._settled
        begin = time.monotonic()
        outage.befall(stand, self._seconds)
        end = time.monotonic()
        stand.wait_until_current()
        current = time.monotonic()
        self._counts = stand.settle()
        settled = self._settled = stand.whole_at
        time.sleep(max(0.0, settled + CALM_S - time.monotonic()))
        requests = stand.requests()
        during = requests.between(begin, settled)
        calm = requests.between(calm_from, begin) + requests.between(settled, settled + CALM_S)
        ratio, low, high = change(during, calm)
        return Found.between(
            before, self._counts,
            name=outage.name, lasted_s=end - begin, current_s=current - end, settled_s=settled - end,
            requests=sum(len(side) for block in during for side in block),
            p99_change=ratio, p99_low=low, p99_high=high,
        )  # fmt: skip


def main() -> int:
    """Those chosen; 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outages", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of names, e.g. redis or 'clock back' (default: all)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="each lasts (default: %(default)s)")
    parser.add_argument("--no-write", action="store_true", help="leave docs/reliability.md as it is")
    chosen = parser.parse_args()
    wanted = [o for o in OUTAGES if not chosen.words or any(word.lower() in o.name.lower() for word in chosen.words)]
    if not wanted:
        parser.error(f"no outage is called so; there are: {', '.join(outage.name for outage in OUTAGES)}")
    well = True
    print(HEAD, flush=True)
    for transport in ("redis", "local"):
        these = [outage for outage in wanted if outage.transport == transport]
        if these:
            well &= _run(transport, these, chosen.seconds, write=not chosen.no_write)
    if not chosen.no_write:
        write_page()
        print(summary())
    if not chosen.words:
        missing = [outage.name for outage in OUTAGES if outage.name not in known()]
        if missing:
            print(f"not measured here: {', '.join(missing)}")
    return 0 if well else 1


def _run(transport: str, outages: list[Outage], seconds: float, *, write: bool) -> bool:
    well = True
    with (
        tempfile.TemporaryDirectory(prefix="memwatch-outages-") as made,
        Stand(Path(made), transport=transport) as stand,
    ):
        day = Day(stand, seconds)
        for outage in outages:
            if outage.fills_a_disk and not can_mount():
                print(f"{outage.name}: not run, it takes the right to mount a small disk", flush=True)
                continue
            found = day.undergo(outage)
            print(found.line(outage), flush=True)
            for fault in found.faults:
                print(f"   ! {fault}", flush=True)
                well = False
            if write:
                remember(found)
    return well


if __name__ == "__main__":
    sys.exit(main())
