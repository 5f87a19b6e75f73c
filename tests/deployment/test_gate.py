"""``memwatch_gate`` against servers of a real site: one leaks, one does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.deployment.tiny import TinySite
from tests.servers import free_port
from tests.waiting import until

pytestmark = pytest.mark.deployment

QUICK = {"MEMWATCH_SNAPSHOT_INTERVAL": "1"}
MINUTES = "1.5"
URLS = """
import collections, os, time

KEPT, RECENT = [], collections.deque(maxlen=500)

class Entry:
    pass

def order(request):
    time.sleep(0.1)  # as if for a database: this test is not to take the processor from the others
    for kept in (KEPT, RECENT) if os.environ["MEMWATCH_SERVICE"] == "leaky" else (RECENT,):
        kept.extend(Entry() for _ in range(20))
    return HttpResponse("order")

urlpatterns.append(path("order/", order))
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = TinySite(tmp_path_factory.mktemp("migrated"))
    assert site.manage("migrate", "--no-input").returncode == 0
    return site.folder / "db.sqlite3"


@pytest.fixture
def site(tmp_path: Path, migrated: Path) -> TinySite:
    return TinySite(tmp_path, urls=URLS, database=migrated)


@pytest.fixture
def serve(site: TinySite) -> Iterator[Callable[[str], str]]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(service: str) -> str:
        """The address of a server of this service."""
        port = free_port()
        environment = {**QUICK, "MEMWATCH_SERVICE": service, "MEMWATCH_AGENT": "on"}
        started.append(site.start("runserver", "--noreload", f"127.0.0.1:{port}", environment=environment))
        address = f"http://127.0.0.1:{port}/order/"
        until(lambda: urlopen(address).status == 200, within_s=120)
        return address

    yield begin
    for server in started:
        server.kill()
        server.wait()


def gate(site: TinySite, service: str, address: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "django", "memwatch_gate", address, "--minutes", MINUTES, "--service", service]
    return subprocess.Popen(
        [*command, *options], cwd=site.folder, env=site.environment(QUICK), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_site_that_leaks_fails_and_one_that_does_not_passes(site: TinySite, serve: Callable[[str], str]) -> None:
    leaky = gate(site, "leaky", serve("leaky"), "--format", "json")
    fine = gate(site, "fine", serve("fine"))
    told, progress = leaky.communicate(timeout=400)
    assert leaky.returncode == 1, told + progress
    outcome = json.loads(told)
    assert outcome["state"] == "failed"
    assert "urls.Entry" in {each["subject"] for each in outcome["findings"]}, told
    assert " of 1:30: " in progress, "it says how far it is"
    told, progress = fine.communicate(timeout=400)
    assert fine.returncode == 0, told + progress
    assert told.startswith("Passed, after 1 min: ")
    assert "fine: 1 process, " in told


def test_a_service_that_nobody_runs_cannot_be_judged(site: TinySite, serve: Callable[[str], str]) -> None:
    command = ("memwatch_gate", serve("fine"), "--minutes", "0.02", "--service", "nobody")
    done = site.manage(*command, environment=QUICK)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "No process of service 'nobody' has reported: manage.py memwatch_doctor says why." in done.stdout
