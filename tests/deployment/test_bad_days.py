"""Kills, absent transports, unwritable folders, large heaps under gevent: the host does not notice."""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from memwatch.transport.wire import Report
from tests.deployment.conftest import MakeGuest
from tests.servers import RedisServer, redis_program
from tests.waiting import until

pytestmark = pytest.mark.deployment

GUNICORN = ("gunicorn", "guest.wsgi", "--bind", "127.0.0.1:{port}", "--log-level", "warning", "--workers")


def sequences(reports: list[Report]) -> dict[int, set[int]]:
    """The numbers of the snapshots that arrived, by pid."""
    found: dict[int, set[int]] = defaultdict(set)
    for report in reports:
        found[report.process.pid] |= {seq for seq, _ in report.snapshots}
    return found


@pytest.mark.parametrize("server", ["gunicorn", "celery"])
def test_a_worker_killed_outright_is_replaced_by_one_that_is_watched(
    server: str, local_url: str, make_guest: MakeGuest
) -> None:
    guest = make_guest(local_url)
    if server == "gunicorn":
        guest.start(*GUNICORN, "2")
    else:
        guest.start("celery", "-A", "guest.celery", "worker", "--loglevel", "WARNING", "--concurrency", "2")
    first = guest.wait_for_snapshots(guest.children, at_least=2)
    victim = min(first)
    psutil.Process(victim).kill()
    guest.wait_for_snapshots(lambda: guest.children() - {victim}, at_least=2)
    assert not any(report.goodbye for report in guest.reports if report.process.pid == victim)
    assert victim not in guest.children()


def test_snapshots_of_an_outage_arrive_when_redis_is_back(tmp_path: Path, make_guest: MakeGuest) -> None:
    redis = RedisServer(redis_program())
    redis.start()
    try:
        guest = make_guest(redis.url, MEMWATCH_SNAPSHOT_INTERVAL="0.5")
        guest.start(*GUNICORN, "2")
        first = guest.wait_for_snapshots(guest.children, at_least=2)
        redis.pause()
        slowest = 0.0
        until = time.monotonic() + 5
        while time.monotonic() < until:
            asked = time.monotonic()
            guest.get("pid")
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.02)
        redis.resume()
        assert slowest < 1.0, "requests do not wait for the transport"
        before = {pid: max(numbers) for pid, numbers in sequences(guest.reports).items()}
        guest.wait(lambda reports: all(max(sequences(reports)[pid]) >= before[pid] + 16 for pid in first), within_s=60)
        for pid in first:
            numbers = sequences(guest.reports)[pid]
            assert numbers == set(range(1, max(numbers) + 1)), "none is missing"
        assert {report.dropped for report in guest.reports} == {0}
        complaints = guest.log.count("memwatch:")
        assert complaints <= 2 * 2, guest.log
    finally:
        redis.stop()


@pytest.mark.parametrize("kind", ["sync", "gevent"])
def test_an_unwritable_folder_is_said_once_and_watching_begins_when_it_is_writable(
    kind: str, tmp_path: Path, make_guest: MakeGuest
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o555)
    guest = make_guest(f"local://{spool}/transport")
    guest.start(*GUNICORN, "1", "--worker-class", kind, privileged=False)
    worker = int(guest.get("pid"))
    until(lambda: "memwatch:" in guest.log)
    time.sleep(3)  # two more attempts, of which nothing is said
    assert int(guest.get("pid")) == worker
    (line,) = [line for line in guest.log.splitlines() if "memwatch" in line]
    assert str(spool / "transport") in line
    assert "writable" in line

    spool.chmod(0o755)
    reports = guest.wait(lambda found: any(report.snapshots for report in found))
    numbers = sequences(reports)[worker]
    assert 1 in numbers, "the first snapshot was kept"


def test_greenlets_wait_for_the_census_no_longer_than_its_pause(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, MEMWATCH_SNAPSHOT_INTERVAL="60")
    guest.start(*GUNICORN, "1", "--worker-class", "gevent")
    guest.get("grow?objects=1000000")
    ((pid, report),) = guest.wait_for_snapshots(guest.children, at_least=1).items()
    quiet = float(guest.get("latency?seconds=1"))

    key = report.process.key
    guest.ask("snapshot", key)
    time.sleep(1.1)  # one census a second on command
    psutil.Process(pid)
    waiting = _Page(guest.port, "latency?seconds=3")
    time.sleep(0.5)  # amid the three seconds of the page
    taken = guest.ask("snapshot", key)[key]
    overslept = waiting.result()
    ((_, snapshot),) = taken.snapshots
    assert (snapshot.total_objects or 0) > 1_000_000
    assert snapshot.census_pause_ms is not None
    assert overslept < quiet + 2 * snapshot.census_pause_ms + 50
    assert '"memwatch"' in guest.get("threads"), "the agent's thread is the system's"


class _Page:
    """A page that is being fetched in another process, so that this one's work does not disturb it."""

    def __init__(self, port: int, path: str) -> None:
        import subprocess
        import sys

        code = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
        command = [sys.executable, "-c", code, f"http://127.0.0.1:{port}/{path}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def result(self) -> float:
        output, _ = self._process.communicate(timeout=30)
        return float(output)


def test_a_stopped_server_leaves_nothing_behind(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN, "2")
    guest.wait_for_snapshots(guest.children, at_least=2)
    family = guest.children()
    began = time.monotonic()
    guest.stop(signal.SIGTERM)
    assert time.monotonic() - began < 5
    assert not any(psutil.pid_exists(pid) for pid in family)
    assert list((guest.folder / "transport" / "sockets").iterdir()) == []
