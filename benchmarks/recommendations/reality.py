"""Real servers in real memory cgroups: a minute of history, the numbers, two minutes with them, and two without.

The control recycles nothing and has the same load and limit. It has to pass the target and be killed: else the numbers
were not needed, and staying below the target shows nothing.

A second stands for a minute: leaks are large, lives are short. ``python -m benchmarks.recommendations.reality NAME``
runs one service and prints a line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.deaths import cgroup, judging
from benchmarks.deaths.judging import Desk
from benchmarks.deaths.program import Program
from benchmarks.deaths.serving import SERVICE, Jobs, Site, servers_for
from memwatch.recommendations import plan
from memwatch.sampling.surroundings.cgroup import parse_fields

HISTORY_S, PROOF_S, READY_S = 60.0, 120.0, 120.0
TICK_S = 0.1
FASTER = 60.0
"""By which this world is faster than the one that the rules are for."""
EVERY_100 = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Real:
    """A service of ``benchmarks/deaths/site`` that leaks in each job."""

    server: str
    workers: int
    limit_mb: float
    leak_mb: float
    per_second: float
    """Jobs, of all workers."""
    history: tuple[str, ...]
    """Options that were in force before."""
    quiet_share: float = 0.0
    """Jobs that do not leak."""


SERVICES = {
    "gunicorn": Real(server="sync", workers=2, limit_mb=384, leak_mb=0.4, per_second=10,
                     history=("--max-requests", "60")),
    "gunicorn-preload": Real(server="sync", workers=3, limit_mb=448, leak_mb=0.3, per_second=12,
                             history=("--preload", "--max-requests", "50", "--max-requests-jitter", "10")),
    "celery": Real(server="prefork", workers=2, limit_mb=416, leak_mb=0.5, per_second=8,
                   history=("--max-tasks-per-child", "50")),
    "celery-mixed": Real(server="prefork", workers=2, limit_mb=416, leak_mb=0.8, per_second=10, quiet_share=0.5,
                         history=("--max-tasks-per-child", "60")),
}  # fmt: skip
_CELERY = {
    "worker_max_tasks_per_child": "--max-tasks-per-child",
    "worker_max_memory_per_child": "--max-memory-per-child",
}
_GUNICORN = {"max_requests": "--max-requests", "max_requests_jitter": "--max-requests-jitter"}


def run() -> bool:
    """All of them, two at once. Whether each stayed below its target, and its control did not."""
    if cgroup.place() is None:
        print("\nreality: left out, because no memory cgroup can be made here (it needs root or a delegated one)")
        return True
    print(
        f"\nreality: {HISTORY_S:.0f} s of history, {PROOF_S:.0f} s with the numbers and {PROOF_S:.0f} s without "
        "recycling, in a memory cgroup"
    )
    names, passed = list(SERVICES), True
    for pair in (names[:2], names[2:]):
        started = [
            subprocess.Popen([sys.executable, "-m", __spec__.name, name], stdout=subprocess.PIPE, text=True)
            for name in pair
        ]
        for name, process in zip(pair, started, strict=True):
            output, _errors = process.communicate(timeout=1200)
            if process.returncode:
                print(f"{name:18} failed")
                passed = False
                continue
            found = json.loads(output.splitlines()[-1])
            control = found["control"]
            passed &= found["under_target"] and not found["kills"]
            passed &= not control["under_target"] and control["kills"] > 0
            print(f"{name:18} {_said({key: value for key, value in found.items() if key != 'control'})}")
            print(f"{'  not recycled':18} {_said(control)}")
    return passed


def _said(found: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in found.items())


def _serve(real: Real, folder: Path, group: cgroup.Group, options: tuple[str, ...], broker: str) -> Site:
    program = Program(
        name="", half="", server=real.server, do=(), processes=real.workers, options=options, interval_s=1.0
    )
    site = Site(folder, f"local://{folder}/transport", program, group=group, broker=broker)
    site.serve()
    return site


@contextlib.contextmanager
def _load(real: Real, jobs: Jobs) -> Iterator[None]:
    """Jobs at an even pace."""
    ended, number = threading.Event(), 0

    def work() -> None:
        nonlocal number
        while not ended.wait(1 / real.per_second):
            number += 1
            if number % 10 < 10 * real.quiet_share:
                threading.Thread(target=jobs.home, daemon=True).start()
            else:
                jobs.start("export", "leak", real.leak_mb)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


def _newest() -> int:
    """The id of the newest process. What starts later has a higher one; clocks may be some seconds apart."""
    from memwatch.models import Process

    newest = Process.objects.order_by("-pk").first()
    return 0 if newest is None else newest.pk


def _alive(after: int) -> int:
    from memwatch.models import Process

    return Process.objects.alive().filter(service__name=SERVICE, outside=False, pk__gt=after).count()


def _phase(
    real: Real, site: Site, jobs: Jobs, desk: Desk, *, seconds: float, look: Callable[[], None], after: int
) -> None:
    until = time.monotonic() + READY_S
    while _alive(after) < real.workers:
        desk.work()
        if time.monotonic() > until:
            raise AssertionError(f"not all workers are known: {site.log[-2000:]}")
        time.sleep(TICK_S)
    with _load(real, jobs):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            desk.work()
            look()
            time.sleep(TICK_S)


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Run one service; what came of it."""
    real = SERVICES[name]
    plan.MIN_LIFE_S /= FASTER
    with contextlib.ExitStack() as stack:
        program = Program(name="", half="", server=real.server, do=(), processes=real.workers)
        broker = stack.enter_context(servers_for(program))
        judging.make_database(folder, f"local://{folder}/transport", 1.0)
        group = stack.enter_context(cgroup.group(cgroup.place()))
        assert group is not None
        group.limit(real.limit_mb)
        site = _serve(real, folder, group, real.history, broker)
        stack.callback(site.close)
        desk = Desk(site.hub)
        _phase(real, site, Jobs(site, broker), desk, seconds=HISTORY_S, look=lambda: None, after=0)
        advice, options = _advised(real)
        site.close()
        proof = _run(real, folder, group, options, broker)
        control = _run(real, folder, group, _preload(real), broker)
        asked = ("peak_mb", "target_mb", "limit_mb", "under_target", "kills", "lives")
        return {
            "state": advice, "options": " ".join(options), **proof, "control": {key: control[key] for key in asked},
        }  # fmt: skip


def _preload(real: Real) -> tuple[str, ...]:
    """The one option that stays when nothing is recycled."""
    return ("--preload",) if "--preload" in real.history else ()


def _advised(real: Real) -> tuple[str, tuple[str, ...]]:
    from datetime import UTC, datetime

    from memwatch.models import Service
    from memwatch.queries.recommendations import advice_of

    advice = advice_of(Service.objects.get(name=SERVICE), datetime.now(UTC))
    words = _CELERY if real.server == "prefork" else _GUNICORN
    options = [
        (option, str(row.recommended))
        for row in advice.settings
        if (option := words.get(row.name)) and row.recommended
    ]  # fmt: skip
    print("\n".join(advice.steps), file=sys.stderr)
    return advice.state, (*_preload(real), *(word for pair in options for word in pair))


def _run(real: Real, folder: Path, group: cgroup.Group, options: tuple[str, ...], broker: str) -> dict[str, Any]:
    from memwatch.models import Process

    before, highest, kills = _newest(), 0.0, group.kills
    site = _serve(real, folder, group, options, broker)

    def look() -> None:
        nonlocal highest
        fields = parse_fields((group.folder / "memory.stat").read_bytes())
        highest = max(highest, (fields.get("total_rss") or fields.get("anon") or 0) / 2**20)

    try:
        _phase(real, site, Jobs(site, broker), Desk(site.hub), seconds=PROOF_S, look=look, after=before)
    finally:
        site.close()
    mine = Process.objects.filter(service__name=SERVICE, pk__gt=before, outside=False)
    workers = mine.exclude(program="celery main")
    counted = "last_snapshot__tasks_handled" if real.server == "prefork" else "last_snapshot__requests_handled"
    lives = list(workers.filter(end_reason=Process.End.RECYCLED).values_list(counted, flat=True))
    return {
        "peak_mb": round(highest),
        "target_mb": round(0.8 * real.limit_mb),
        "limit_mb": round(real.limit_mb),
        "under_target": highest <= 0.8 * real.limit_mb,
        "kills": group.kills - kills,
        "lives": workers.count(),
        "recycled": len(lives),
        "shortest_life_jobs": min((jobs for jobs in lives if jobs), default=None),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommendations.reality", description=__doc__)
    parser.add_argument("name", choices=SERVICES)
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as folder:
        print(json.dumps(measure(parser.parse_args().name, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
