"""A job that takes 300 MB for 50 ms, wherever one job runs at a time: whether the reports say so within 5 %."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from celery import Celery

from benchmarks.work.serving import Site, broker_for
from memwatch.records.work import WorkFigures
from tests.waiting import until

HOG_MB, WITHIN = 300.0, 0.05
ROUNDS = 3
REPORTED_WITHIN_S = 40.0
NAMES = {"sync": "hog", "prefork": "worksite.hog", "solo": "worksite.hog", "command": "hog"}
INTERVAL_S = 1.0


def report(folder: Path) -> bool:
    """Each where; whether all are near enough."""
    fine = True
    print(f"   a job takes {HOG_MB:g} MB; the highest peak that is reported, {ROUNDS} jobs each:")
    for where in NAMES:
        within = folder / where
        within.mkdir()
        found = _command_peak(within) if where == "command" else _served_peak(within, where)
        near = found is not None and abs(found / HOG_MB - 1) <= WITHIN
        fine &= near
        said = "nothing" if found is None else f"{found:7.1f} MB ({found / HOG_MB - 1:+.1%})"
        print(f"      {where:8} {said}{'' if near else '   NOT SEEN'}", flush=True)
    print(f"      within {WITHIN:.0%}")
    return fine


def _served_peak(folder: Path, server: str) -> float | None:
    with broker_for(server) as broker, contextlib.closing(_site(folder, broker)) as site:
        site.serve(server, 1)
        send = _asking(site) if server == "sync" else _sending(broker)
        for _ in range(ROUNDS):
            send()
        return _peak_mb(site, NAMES[server], ROUNDS)


def _asking(site: Site) -> Callable[[], object]:
    return lambda: site.get("hog")


def _sending(broker: str) -> Callable[[], object]:
    app = Celery("sender", broker=broker, set_as_current=False)
    return lambda: app.send_task(NAMES["solo"], ignore_result=True)


def _command_peak(folder: Path) -> float | None:
    """The command's own job ends with the process: what it took is in its last report."""
    with contextlib.closing(_site(folder, "")) as site:
        site.start("manage.py", "hog")
        return _peak_mb(site, NAMES["command"], 1)


def _site(folder: Path, broker: str) -> Site:
    return Site(folder, f"local://{folder}/transport", interval_s=INTERVAL_S, broker=broker)


def _peak_mb(site: Site, name: str, jobs: int) -> float | None:
    """The highest of all, once so many jobs of the name are reported; ``None`` where that does not come to pass."""
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
    measured = [work.peak_kib_max / 1024 for work in found if work.peak_calls]
    return max(measured, default=None)


def main() -> int:
    """1 where one is not seen."""
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as folder:
        return 0 if report(Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
