"""The fleet exporter while PostgreSQL is stopped, started again, frozen and locked: every scrape is answered."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.metrics.scraped import WEB_1, samples
from tests.servers import PostgresServer, postgres_program
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.deployment]

ROOT = Path(__file__).parents[2]
WITHIN_S = 120.0
RSS = ("fogcompute_memory_rss_mb", *WEB_1)
DETECTIONS = ("fogcompute_memory_leak_detections_total", "severity=high")

ROWS = """
import django; django.setup()
from memwatch.services import counters
from tests.services.stored import NOON, store_process, store_snapshots
store_snapshots(store_process(), NOON, NOON)
counters.add("leak_detections", 3, service="web", severity="high")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of our own: it is stopped and frozen."""
    running = PostgresServer(postgres_program())
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def environment(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("exporter")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": f"local://{folder}/transport",
        "MEMWATCH_AGENT": "off",
        "DATABASE_URL": server.url,
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=180)
    subprocess.run([sys.executable, "-c", ROWS], cwd=ROOT, env=environment, check=True, timeout=120)
    return environment


@pytest.fixture(scope="module")
def port(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The exporter's; it says nothing but what is wrong with the database."""
    log = tmp_path_factory.mktemp("log") / "log"
    command = ["manage.py", "memwatch_exporter", "--interval", "0.2", "--max-age", "2", "--port", "0"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield int(line.rsplit(":", 1)[1].partition("/")[0])
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in log.read_text()


def scrape(port: int) -> dict[tuple[str, ...], float]:
    """Always answered, and not after the database's time."""
    started = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.status == 200
        found = samples(answer.read().decode())
    assert time.monotonic() - started < 20
    return found


def wait_for_up(port: int, value: float) -> dict[tuple[str, ...], float]:
    def shown() -> dict[tuple[str, ...], float]:
        found = scrape(port)
        return found if found["memwatch_up",] == value else {}

    return until(shown, within_s=WITHIN_S)


def check_that_it_is_back(port: int) -> None:
    found = wait_for_up(port, 1)
    assert RSS in found
    assert found[DETECTIONS] == 3


def check_that_only_up_is_left(port: int) -> None:
    assert set(wait_for_up(port, 0)) == {("memwatch_up",)}


def test_stopped_and_started_again(server: PostgresServer, port: int) -> None:
    check_that_it_is_back(port)
    assert server.process is not None
    server.process.send_signal(server.stop_signal)
    server.process.wait(30)
    check_that_only_up_is_left(port)
    server.start()
    check_that_it_is_back(port)


def test_frozen_and_thawed(server: PostgresServer, port: int) -> None:
    check_that_it_is_back(port)
    server.each_process(psutil.Process.suspend)
    try:
        check_that_only_up_is_left(port)
    finally:
        server.each_process(psutil.Process.resume)
    check_that_it_is_back(port)


def test_locked_and_unlocked(server: PostgresServer, port: int) -> None:
    check_that_it_is_back(port)
    with psycopg.connect(server.url) as connection:
        connection.execute("LOCK TABLE memwatch_process IN ACCESS EXCLUSIVE MODE")
        check_that_only_up_is_left(port)
        connection.rollback()
    check_that_it_is_back(port)


def test_killed_in_the_middle(server: PostgresServer, port: int) -> None:
    check_that_it_is_back(port)
    server.kill()
    check_that_only_up_is_left(port)
    server.start()
    check_that_it_is_back(port)
