"""Pairs of releases of a real program under the real agent, compared as a deployment would.

Each pair is a service of its own: four processes of the old release and four of the new one, at the same time. Later
figures are compared at the age that the processes reach here. The limits: the right dependency is named, its memory to
30 %; nothing is said where nothing changed; a leak is told from a larger birth; one worker says nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.releases.packages import install

HERE = Path(__file__).resolve().parent
PROCESSES = 4
INTERVAL_S = 5.0
LEAST_SNAPSHOTS = 14
"""Of each process: five until it has warmed up, and some for a slope."""


@dataclasses.dataclass(frozen=True)
class Dependency:
    """One of a release."""

    name: str
    version: str
    modules: int = 20
    data_mb: int = 0


@dataclasses.dataclass(frozen=True)
class Version:
    """A release of the program."""

    dependencies: tuple[Dependency, ...]
    leak_kb: int = 0
    processes: int = PROCESSES


@dataclasses.dataclass(frozen=True)
class Pair:
    """What was released, and what should be said of it."""

    name: str
    before: Version
    after: Version
    says: str
    """``nothing``, ``growth``, ``unknown``, or the name of the dependency."""


OLD = (Dependency("basis", "1.0", 200), Dependency("helper", "3.1"))
PAIRS = (
    Pair("nothing", Version(OLD), Version(OLD), "nothing"),
    Pair(
        "other-version",
        Version(OLD),
        Version((Dependency("basis", "1.1", 200), Dependency("helper", "3.2"))),
        "nothing",
    ),
    Pair(
        "modules",
        Version(OLD),
        Version((Dependency("basis", "2.0", 1_200, data_mb=80), Dependency("helper", "3.1"))),
        "basis",
    ),
    Pair(
        "modules-alone",
        Version(OLD),
        Version((Dependency("basis", "2.0", 2_200), Dependency("helper", "3.1"))),
        "basis",
    ),
    Pair("new", Version(OLD), Version((*OLD, Dependency("tracer", "4.1", 977, data_mb=60))), "tracer"),
    Pair(
        "data",
        Version(OLD),
        Version((Dependency("basis", "1.0", 200), Dependency("helper", "3.2", data_mb=100))),
        "helper",
    ),
    Pair("leak", Version(OLD), Version(OLD, leak_kb=64), "growth"),
    Pair(
        "one-worker",
        Version(OLD, processes=1),
        Version((*OLD, Dependency("tracer", "4.1", 977)), processes=1),
        "unknown",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.releases", description=__doc__)
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=f"of {', '.join(pair.name for pair in PAIRS)}")
    parser.add_argument("--within", type=float, default=900.0, help="seconds for each pair; default: %(default)s")
    options = parser.parse_args()
    chosen = [pair for pair in PAIRS if not options.pairs or pair.name in options.pairs]
    with tempfile.TemporaryDirectory() as folder:
        _set_up(Path(folder))
        wrong = sum(not _measure(pair, Path(folder), options.within) for pair in chosen)
    print(f"{len(chosen) - wrong} of {len(chosen)} pairs as they should be")
    return int(wrong > 0)


def _set_up(folder: Path) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="project.settings",
        DATABASE_URL=f"sqlite:///{folder}/db.sqlite3",
        MEMWATCH_TRANSPORT=f"local://{folder}/spool",
        MEMWATCH_SNAPSHOT_INTERVAL=str(INTERVAL_S),
        MEMWATCH_AGENT="off",
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _measure(pair: Pair, folder: Path, within_s: float) -> bool:
    from memwatch.services.ingest.reader import ingest_reports

    with contextlib.ExitStack() as running:
        for name, version in (("2.3", pair.before), ("2.4", pair.after)):
            site = folder / pair.name / name
            for each in version.dependencies:
                install(site, each.name, each.version, modules=each.modules, data_mb=each.data_mb)
            running.enter_context(_processes(pair.name, name, version, site))
            time.sleep(1.0)  # so that the releases are seen in this order
        until = time.monotonic() + within_s
        while time.monotonic() < until and not _have_lived(pair):
            time.sleep(2.0)
            ingest_reports(limit=5_000)
    return _judge(pair)


def _have_lived(pair: Pair) -> bool:
    """Whether all have been born, have said what they import, and have sent enough snapshots for a slope."""
    from memwatch.models import Process

    lives = [
        process.installation_id is not None and process.snapshots.count() >= LEAST_SNAPSHOTS
        for process in Process.objects.filter(service__name=pair.name)
    ]
    return len(lives) == pair.before.processes + pair.after.processes and all(lives)


@contextlib.contextmanager
def _processes(service: str, release: str, version: Version, site: Path) -> Iterator[None]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(HERE.parents[1])]),
        "MEMWATCH_AGENT": "on",
        "MEMWATCH_SERVICE": service,
        "MEMWATCH_RELEASE": release,
        "IMPORTS": " ".join(each.name for each in version.dependencies),
        "LEAK_KB": str(version.leak_kb),
    }
    environment.pop("DJANGO_SETTINGS_MODULE")
    command = [sys.executable, "-m", "memwatch", "run", "--", sys.executable, str(HERE / "program.py")]
    started: Sequence[subprocess.Popen[bytes]] = [
        subprocess.Popen(command, env=environment, start_new_session=True) for _ in range(version.processes)
    ]
    try:
        yield
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _judge(pair: Pair) -> bool:
    from django.utils import timezone

    from memwatch.detection.releases.comparison import MORE
    from memwatch.detection.releases.figures import BIRTH, GROWTH
    from memwatch.detection.releases.result import headline
    from memwatch.models import Process, Release
    from memwatch.queries.releases import sides
    from memwatch.queries.releases.compare import compare, newest_running, release_before

    lives = Process.objects.filter(service__name=pair.name).values_list("started_at", "last_seen_at")
    # Those of a deployment are a quarter of an hour and more.
    sides.AGES_S = (0.9 * min([(seen - started).total_seconds() for started, seen in lives], default=1.0),)
    after = newest_running(pair.name)
    before: Release | None = None if after is None else release_before(after)
    if after is None or before is None:
        print(f"{pair.name}: only {Release.objects.filter(service__name=pair.name).count()} release has reported")
        return False
    found = compare(before, after, timezone.now())
    birth, growth, packages = found.figures[BIRTH], found.figures[GROWTH], found.imports.packages
    grown = birth.verdict == MORE
    right: Mapping[str, bool] = {
        "nothing": not grown and growth.verdict != MORE,
        "growth": not grown and growth.verdict == MORE,
        "unknown": not found.is_known,
    }
    share = (packages[0].mb or 0.0) / (birth.shift or 1.0) if packages else 0.0
    named = bool(packages) and packages[0].name == pair.says and grown and 0.7 <= share <= 1.3
    is_right = right.get(pair.says, named)
    print(f"{'ok   ' if is_right else 'WRONG'} {pair.name}: {headline(found)} (birth: {birth.verdict}, p {birth.p}; "
          f"growth: {growth.verdict}, p {growth.p})", flush=True)  # fmt: skip
    return is_right


if __name__ == "__main__":
    raise SystemExit(main())
