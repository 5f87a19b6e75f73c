"""``manage.py memwatch_work`` as a process of its own, in a site without Celery."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwatch.timetable.steps import STEPS
from memwatch.transport import open_uplink
from tests.deployment.tiny import TinySite
from tests.reports import process, report, snapshot
from tests.servers import free_port
from tests.waiting import until

pytestmark = pytest.mark.deployment

WITHOUT = ("celery", "kombu")
QUICK = {"MEMWATCH_SNAPSHOT_INTERVAL": "1"}
SET_UP = "import django; django.setup(); "
ASK = (
    f"{SET_UP}import json; from memwatch.models import Lease, Snapshot; "
    "from memwatch.queries.deployment.site import last_runs, timetable_runs; "
    "print(json.dumps([Snapshot.objects.count(), sorted(last_runs()), timetable_runs()]))"
)
BROKEN = """
from memwatch.services.leaks import judging
def _fail():
    raise RuntimeError("the series are gone")
judging.detect = _fail
"""
SLOW = """
import time
from memwatch.services import retention
def _prune():
    print("pruning begins", flush=True)
    time.sleep(600)
retention.prune = _prune
"""
PATCHED = '\nINSTALLED_APPS += ["patched.Patched"]\n'
READY = """
from django.apps import AppConfig
class Patched(AppConfig):
    name = "patched"
    path = "."
    def ready(self):
{body}
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = TinySite(tmp_path_factory.mktemp("migrated"))
    assert site.manage("migrate", "--no-input").returncode == 0
    return site.folder / "db.sqlite3"


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(site: TinySite, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        started.append(site.start("memwatch_work", *arguments, environment=QUICK, without=WITHOUT, **options))
        return started[-1]

    yield begin
    for program in started:
        program.kill()
        program.wait()


def patched(body: str) -> dict[str, str]:
    """A module of the site that changes memwatch once its models are there."""
    return {"patched": READY.format(body="\n".join(f"        {line}" for line in body.strip().splitlines()))}


def said(site: TinySite) -> str:
    return (site.folder / "said").read_text()


def stop(site: TinySite, program: subprocess.Popen[bytes], number: signal.Signals) -> str:
    """What it has said."""
    program.send_signal(number)
    assert program.wait(timeout=30) == 0, said(site)
    return said(site)


def send(site: TinySite) -> None:
    uplink = open_uplink(f"local://{site.folder}/transport", "sender")
    uplink.send(report(process(7, host="here"), {0: snapshot()}).encode())
    uplink.close()


def state(site: TinySite) -> tuple[int, list[str], str]:
    """Snapshots, the work that was done, and where the timetable runs."""
    said = site.run("-c", ASK, without=WITHOUT)
    assert said.returncode == 0, said.stderr
    snapshots, done, where = json.loads(said.stdout)
    return snapshots, done, where


def test_reports_are_stored_and_judged_without_celery_and_it_stops_clean(
    tmp_path: Path, migrated: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    site = TinySite(tmp_path, database=migrated)
    send(site)
    program = start(site, "--tick-file", str(tmp_path / "tick"))

    def worked() -> tuple[int, list[str], str] | None:
        found = state(site)
        return found if found[0] == 1 and {"detect_leaks", "prune", "check_alerts"} <= set(found[1]) else None

    _, _, where = until(worked, within_s=60, every_s=1, seen=lambda: said(site))
    assert where.endswith(f":{program.pid}")
    assert (tmp_path / "tick").exists()
    doctor = site.manage("memwatch_doctor", without=WITHOUT).stdout
    assert f"✓ memwatch_work runs the timetable on {where}, without Celery" in doctor
    assert "✓ memwatch's tasks run on time" in doctor
    assert "broker" not in doctor
    checked = site.manage("check", "--database", "default", without=WITHOUT)
    assert "W004" not in checked.stderr
    log = stop(site, program, signal.SIGTERM)
    assert f"memwatch work: {len(STEPS)} steps in this process" in log
    assert log.endswith("memwatch work: stopped\n")
    assert "failed" not in log
    assert state(site)[2] == ""


def test_it_serves_the_metrics_as_well(
    tmp_path: Path, migrated: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    site, port = TinySite(tmp_path, database=migrated), free_port()
    send(site)
    program = start(site, "--metrics-port", str(port))

    def served() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    until(lambda: "memwatch_" in served(), within_s=60, every_s=1, seen=lambda: said(site))
    log = stop(site, program, signal.SIGTERM)
    assert f"memwatch exporter: http://127.0.0.1:{port}/metrics" in log
    with pytest.raises(urllib.error.URLError):
        served()


def test_metrics_for_everybody_need_a_token(
    tmp_path: Path, migrated: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    site = TinySite(tmp_path, database=migrated)
    program = start(site, "--metrics-port", str(free_port()), "--metrics-address", "0.0.0.0")
    assert program.wait(60) == 1
    assert "METRICS_TOKEN" in said(site)


def test_a_step_that_fails_stops_no_other(
    tmp_path: Path, migrated: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    site = TinySite(tmp_path, settings=PATCHED, database=migrated, **patched(BROKEN))
    program = start(site)
    send(site)
    until(lambda: state(site)[0] == 1, within_s=60, every_s=1, seen=lambda: said(site))
    log = stop(site, program, signal.SIGINT)
    assert "memwatch: detect_leaks failed: RuntimeError: the series are gone" in log


def test_a_long_step_holds_up_neither_the_others_nor_the_end(
    tmp_path: Path, migrated: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    site = TinySite(tmp_path, settings=PATCHED, database=migrated, **patched(SLOW))
    program = start(site)
    until(lambda: "pruning begins" in said(site), within_s=60, seen=lambda: said(site))
    send(site)
    until(lambda: state(site)[0] == 1, within_s=60, every_s=1)
    assert "memwatch: stopped amid prune" in stop(site, program, signal.SIGTERM)


def test_once_does_what_is_due_and_ends(tmp_path: Path, migrated: Path) -> None:
    site = TinySite(tmp_path, database=migrated)
    send(site)
    done = site.manage("memwatch_work", "--once", without=WITHOUT)
    assert (done.returncode, done.stderr) == (0, "")
    snapshots, steps, where = state(site)
    assert snapshots == 1
    assert {"prune", "detect_leaks"} <= set(steps)
    assert where, "others see that a timer runs it"


def test_once_says_what_failed(tmp_path: Path, migrated: Path) -> None:
    site = TinySite(tmp_path, settings=PATCHED, database=migrated, **patched(BROKEN))
    done = site.manage("memwatch_work", "--once", without=WITHOUT)
    assert done.returncode == 1
    assert done.stderr.endswith("CommandError: failed: detect_leaks. The log says why\n")


def test_once_without_tables_says_what_to_run(tmp_path: Path) -> None:
    done = TinySite(tmp_path).manage("memwatch_work", "--once", without=WITHOUT)
    assert done.returncode == 1
    assert "run manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
