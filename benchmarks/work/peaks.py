"""A job that takes 300 MB for 50 ms, wherever one job runs at a time: whether the reports say so within 5 %.

Alone, and among many short jobs, which have used up what measuring may cost.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from celery import Celery

from benchmarks.work.serving import Client, Site, broker_for
from memwatch.records.work import WorkFigures
from tests.waiting import until

HOG_MB, WITHIN = 300.0, 0.05
ROUNDS, SHORT = 3, 400
"""Jobs with a peak, and short jobs before each of them."""
REPORTED_WITHIN_S = 40.0
WHERE = ("sync", "prefork", "solo", "command")
PEAK, IDLE = ("hog", "worksite.hog"), ("ready", "worksite.ready")
"""Names of the view (and of the command) and of the task."""


def report(folder: Path) -> bool:
    """Each where; whether all are near enough."""
    fine = True
    print(f"   jobs that take {HOG_MB:g} MB for 50 ms; the highest peak that is reported, within {WITHIN:.0%}:")
    for where in WHERE:
        for short in (0, SHORT) if where != "command" else (0,):
            within = folder / f"{where}{short}"
            within.mkdir()
            found = _command(within) if where == "command" else _served(within, where, short)
            peaks = [work.peak_kib_max / 1024 for work in found if work.peak_calls]
            near = bool(peaks) and abs(max(peaks) / HOG_MB - 1) <= WITHIN
            fine &= near
            said = f"{max(peaks):6.1f} MB ({max(peaks) / HOG_MB - 1:+.1%})" if peaks else "nothing"
            calls, measured = sum(work.calls for work in found), sum(work.peak_calls for work in found)
            among = f"{where} among short jobs" if short else where
            print(f"      {among:25} {said}, {measured} of {calls} measured{'' if near else '   NOT SEEN'}", flush=True)
    return fine


def _served(folder: Path, server: str, short: int) -> list[WorkFigures]:
    with broker_for(server) as broker, contextlib.closing(_site(folder, broker)) as site:
        site.serve(server, 1)
        visit = _sending(broker) if broker else Client(site.port).visit
        name, idle = (names[bool(broker)] for names in (PEAK, IDLE))
        for _ in range(ROUNDS):
            for _ in range(short):
                visit(idle)
            visit(name)
        return _reported(site, name, ROUNDS)


def _sending(broker: str) -> Callable[[str], object]:
    app = Celery("sender", broker=broker, set_as_current=False)
    return lambda name: app.send_task(name, ignore_result=True)


def _command(folder: Path) -> list[WorkFigures]:
    """The command's own job ends with the process: what it took is in its last report."""
    with contextlib.closing(_site(folder, "")) as site:
        site.start("manage.py", "hog")
        return _reported(site, PEAK[0], 1)


def _site(folder: Path, broker: str) -> Site:
    return Site(folder, f"local://{folder}/transport", broker=broker)


def _reported(site: Site, name: str, jobs: int) -> list[WorkFigures]:
    """Figures of the name, once so many jobs of it are reported, or after a while."""
    found: list[WorkFigures] = []

    def look() -> bool:
        found[:] = [
            work
            for report in site.collect()
            for _seq, snapshot in report.snapshots
            for work in snapshot.work or ()
            if work.name == name
        ]
        return sum(work.calls for work in found) >= jobs

    with contextlib.suppress(AssertionError):
        until(look, within_s=REPORTED_WITHIN_S, every_s=0.2)
    return found


def main() -> int:
    """1 where one is not seen."""
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as folder:
        return 0 if report(Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
