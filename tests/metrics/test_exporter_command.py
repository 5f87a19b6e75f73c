"""``manage.py memwatch_exporter``, as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memwatch.metrics.server import CLIENT_TIMEOUT_S
from tests.metrics.scraped import samples
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
Exporter = tuple["subprocess.Popen[str]", int]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A deployment of its own: SQLite and spool in the test's folder."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MEMWATCH_VAR": str(tmp_path / "var"),
        "MEMWATCH_TRANSPORT": f"local://{tmp_path}/transport",
        "MEMWATCH_AGENT": "off",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
    }


@pytest.fixture
def exporter(environment: dict[str, str]) -> Iterator[Callable[..., Exporter]]:
    """Starts exporters; the port is read from what they say."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Exporter:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "memwatch_exporter", "--interval", "0.2", "--port", "0", *arguments],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("memwatch exporter: http://"), process.communicate()
        return process, int(line.rsplit(":", 1)[1].partition("/")[0])

    yield start
    for process in started:
        process.kill()
        process.communicate()


def scrape(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.status == 200
        return samples(answer.read().decode())


def ask(port: int, headers: dict[str, str]) -> bytes:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        body: bytes = answer.read()
        return body


def wait_for_up(port: int, value: float) -> dict[tuple[str, ...], float]:
    def shown() -> dict[tuple[str, ...], float]:
        found = scrape(port)
        return found if found["memwatch_up",] == value else {}

    return until(shown, within_s=60)


@pytest.mark.deployment
def test_it_serves_the_fleet_and_survives_a_database_that_goes_and_comes_back(
    exporter: Callable[..., Exporter], tmp_path: Path, migrated: Path
) -> None:
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    _process, port = exporter()
    found = wait_for_up(port, 1)
    assert found["fogcompute_memory_leak_detections_total", "severity=high"] == 0
    assert found["memwatch_exporter_source", "source=fleet"] == 1
    database, kept, garbage = tmp_path / "db.sqlite3", tmp_path / "kept", tmp_path / "garbage"
    shutil.copy(database, kept)
    garbage.write_bytes(b"no database at all" * 100)
    garbage.replace(database)
    assert set(wait_for_up(port, 0)) == {("memwatch_up",)}
    kept.replace(database)
    assert wait_for_up(port, 1)["fogcompute_memory_leak_detections_total", "severity=high"] == 0


@pytest.mark.deployment
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_exporter_at_once_without_a_traceback(
    number: signal.Signals, exporter: Callable[..., Exporter]
) -> None:
    process, port = exporter()
    with socket.create_connection(("127.0.0.1", port)):  # a client that hangs delays nothing
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 0
    assert time.monotonic() - started < CLIENT_TIMEOUT_S
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


@pytest.mark.deployment
def test_who_reaches_it_from_elsewhere_sends_the_token(
    environment: dict[str, str], exporter: Callable[..., Exporter]
) -> None:
    environment["MEMWATCH_METRICS_TOKEN"] = "a token of the tests"
    _process, port = exporter("--address", "0.0.0.0")
    for header in ({}, {"Authorization": "Bearer another"}):
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            ask(port, header)
        with refused.value as answer:
            assert b"memwatch_up" not in answer.read()
    assert b"memwatch_up" in ask(port, {"Authorization": "Bearer a token of the tests"})


@pytest.mark.deployment
def test_it_does_not_listen_for_others_without_a_token(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "memwatch_exporter", "--address", "0.0.0.0", "--port", "0"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "METRICS_TOKEN" in done.stderr


@pytest.mark.deployment
def test_a_port_that_is_taken_gives_one_plain_line(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "manage.py", "memwatch_exporter", "--port", str(port)],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"CommandError: port {port} on 127.0.0.1 is taken: stop what listens there, or give another port"
    ]
