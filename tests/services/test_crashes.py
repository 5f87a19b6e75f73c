from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from memwatch.transport import open_hub, open_uplink
from tests.reports import process, report, snapshot
from tests.servers import PostgresServer

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).resolve().parents[2]


class Site:
    """A database and a spool of their own, worked on by processes of their own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.transport = f"local://{folder}/transport"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MEMWATCH_")},
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url,
            "MEMWATCH_VAR": str(folder / "var"),
            "MEMWATCH_TRANSPORT": self.transport,
            "MEMWATCH_AGENT": "off",  # on a slow machine the workers would live long enough to report themselves
        }

    def start(self, what: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.services.ingester", what],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, what: str) -> Any:
        return self.result(self.start(what))

    def result(self, worker: subprocess.Popen[bytes]) -> Any:
        output, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors.decode()[-3000:]
        return json.loads(output) if output else None

    def killed(self, what: str) -> None:
        worker = self.start(what)
        _output, errors = worker.communicate(timeout=120)
        assert worker.returncode == -signal.SIGKILL, errors.decode()[-3000:]


@pytest.fixture
def sqlite(migrated: Path) -> Callable[[Path], str]:
    """Makes databases with every table, copies of one."""

    def copy(folder: Path) -> str:
        shutil.copy(migrated, folder / "db.sqlite3")
        return f"sqlite:///{folder}/db.sqlite3"

    return copy


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Callable[[Path], str]:
    """As :func:`sqlite`."""
    server, made = postgres_server.url.rpartition("/")[0], f"crashes_{secrets.token_hex(4)}"

    def create(options: str) -> None:
        with psycopg.connect(postgres_server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {options}")

    create(made)
    Site(tmp_path_factory.mktemp("postgresql"), f"{server}/{made}").run("migrate")

    def copy(_folder: Path) -> str:
        name = f"crashes_{secrets.token_hex(4)}"
        create(f"{name} TEMPLATE {made}")
        return f"{server}/{name}"

    return copy


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(tmp_path, request.getfixturevalue(request.param)(tmp_path))


def send(site: Site, processes: range, seqs: range) -> int:
    """Each process's snapshots in reports of two; how many snapshots."""
    uplink = open_uplink(site.transport, "sender")
    for start in range(0, len(seqs), 2):
        for pid in processes:
            counts = {"dict": 9_000, f"shop.T{pid}": pid}
            taken = {seq: snapshot(60 * seq, counts=counts) for seq in seqs[start : start + 2]}
            uplink.send(report(process(pid), taken, dropped=3).encode())
    uplink.close()
    return len(processes) * len(seqs)


@pytest.mark.parametrize("when", ["die-before-commit", "die-before-acknowledge"])
def test_a_worker_killed_in_the_middle_loses_nothing_and_stores_nothing_twice(site: Site, when: str) -> None:
    sent = send(site, range(1, 6), range(10))
    site.killed(when)
    expected = 0 if when == "die-before-commit" else sent
    assert open_hub(site.transport).state().backlog > 0

    successor = site.run("ingest-after-crash")

    counts = successor.pop("after")
    assert successor.pop("before")["stored"] == expected
    assert successor == {"snapshots": sent - expected, "duplicates": expected}
    assert (counts["stored"], counts["counted"], counts["dropped"]) == (sent, sent, 15)
    assert (counts["baselines"], counts["rejected"], counts["behind"]) == (5, 0, 0)
    assert open_hub(site.transport).state().backlog == 0


def test_workers_that_store_at_the_same_time_do_not_clash(site: Site) -> None:
    """Both fetch from one spool, and each snapshot was sent twice: whoever comes second sees a duplicate."""
    sent = send(site, range(1, 41), range(20))
    send(site, range(40, 0, -1), range(20))
    workers = [site.start("ingest") for _ in range(3)]
    results = [site.result(worker) for worker in workers]
    assert sum(result["snapshots"] for result in results) == sent
    assert sum(result["duplicates"] for result in results) == sent
    counts = site.run("counts")
    assert (counts["stored"], counts["counted"]) == (sent, sent)
    # Two workers that enrol one process at once leave a number free, which the next process takes.
    assert len(counts["slots"]) == len(set(counts["slots"])) == 40
    assert max(counts["slots"]) <= 45
    assert counts["behind"] == 0
    assert counts["dropped"] == 120
