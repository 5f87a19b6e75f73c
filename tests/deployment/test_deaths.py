"""Real servers whose workers are killed: the others say how, and in which view or task."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from memwatch.records.flight import Death, Flight
from memwatch.transport.flights.checks import load_flight
from tests.agent.flight.conftest import pidfds_of
from tests.agent.flight.test_deaths import tells_status
from tests.deployment.conftest import MakeGuest
from tests.deployment.guest import Guest
from tests.waiting import until

pytestmark = pytest.mark.deployment

GUNICORN = ("gunicorn", "guest.wsgi", "--bind", "127.0.0.1:{port}", "--log-level", "warning")
CELERY = ("celery", "-A", "guest.celery", "worker", "--loglevel", "WARNING")


def hanging(guest: Guest, tmp_path: Path) -> int:
    """The process that runs the view or task which takes its time."""
    file = tmp_path / "hanging"
    return int(until(lambda: file.exists() and file.read_text(), seen=lambda: guest.log))


def ask_to_hang(guest: Guest, seconds: float = 60.0) -> None:
    def ask() -> None:
        with contextlib.suppress(Exception):
            urllib.request.urlopen(f"http://127.0.0.1:{guest.port}/hang?seconds={seconds}", timeout=100)

    threading.Thread(target=ask, daemon=True).start()


def call_hang(guest: Guest, seconds: float = 60.0) -> None:
    guest.run("celery", "-A", "guest.celery", "call", "guest.hang", "--args", f"[{seconds}]")


def wait_for_death(guest: Guest, pid: int) -> tuple[Death, Flight]:
    def find() -> Death | None:
        deaths = [death for report in guest.collect() for death in report.deaths]
        return next((death for death in deaths if death.flight and death.flight.pid == pid), None)

    death = until(find, within_s=30, seen=lambda: guest.log[-2000:])
    assert death is not None
    assert death.flight is not None
    return death, death.flight


def job_of(flight: Flight) -> tuple[str, str, float | None]:
    (job,) = flight.running
    return job.kind, job.name, job.limit_s


def each_is_watched(guest: Guest, pids: Callable[[], set[int]], at_least: int) -> None:
    """Until another one holds a pidfd of each: from then on its exit status is known."""
    guest.wait_for_snapshots(pids, at_least=at_least)
    until(lambda: pids() <= set().union(*map(pidfds_of, pids())))


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_a_gunicorn_worker_killed_in_a_view(
    kind: str, transport_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    guest = make_guest(transport_url)
    threads = "2" if kind == "gthread" else "1"  # gunicorn makes a sync worker with more than one a gthread worker
    guest.start(*GUNICORN, "--workers", "3", "--worker-class", kind, "--threads", threads, "--timeout", "40")
    each_is_watched(guest, guest.children, 3)
    ask_to_hang(guest)
    victim = hanging(guest, tmp_path)
    os.kill(victim, signal.SIGKILL)
    death, flight = wait_for_death(guest, victim)
    assert job_of(flight) == ("view", "hang", None)
    assert flight.time_limit_s == (40 if kind == "sync" else None), "the others may take as long as they like"
    assert flight.state == "running"
    assert flight.rss_mb
    if tells_status():
        assert (death.status, death.status_from) == (-signal.SIGKILL, "pidfd")


def test_a_gunicorn_worker_that_its_time_limit_ends(local_url: str, make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN, "--workers", "2", "--timeout", "10")
    each_is_watched(guest, guest.children, 2)
    ask_to_hang(guest)
    victim = hanging(guest, tmp_path)
    _death, flight = wait_for_death(guest, victim)
    assert job_of(flight)[:2] == ("view", "hang")
    assert (flight.time_limit_s, flight.ending) == (10, "time_limit")


def test_a_recycled_gunicorn_worker_says_so(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN, "--workers", "1", "--max-requests", "3")
    first = guest.wait_for_snapshots(guest.children, at_least=1)
    for _ in range(3):
        guest.get("pid")
    guest.wait(lambda reports: any(report.goodbye for report in reports))
    endings = {report.process.pid: report.ending for report in guest.collect() if report.goodbye}
    assert endings == dict.fromkeys(first, "recycled")
    guest.wait_for_snapshots(lambda: guest.children() - set(first), at_least=1)
    guest.stop()
    endings = {report.process.pid: report.ending for report in guest.collect() if report.goodbye}
    assert sorted(endings.values()) == ["recycled", "stopped"]
    assert not any(report.deaths for report in guest.collect())


def test_a_gunicorn_worker_of_uvicorn_that_is_recycled_says_so(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, PYTHONWARNINGS="ignore")
    _gunicorn, _application, *options = GUNICORN
    kind = "uvicorn.workers.UvicornWorker"
    guest.start("gunicorn", "guest.asgi", *options, "--workers", "1", "--worker-class", kind, "--max-requests", "3")
    first = guest.wait_for_snapshots(guest.children, at_least=1)
    for _ in range(4):
        guest.get("pid")
    guest.wait(lambda reports: any(report.goodbye for report in reports))
    endings = {report.process.pid: report.ending for report in guest.collect() if report.goodbye}
    assert endings == dict.fromkeys(first, "recycled")
    guest.wait_for_snapshots(lambda: guest.children() - set(first), at_least=1)
    guest.stop()
    endings = {report.process.pid: report.ending for report in guest.collect() if report.goodbye}
    assert "recycled" not in {ending for pid, ending in endings.items() if pid not in first}


def test_a_pool_child_of_celery_killed_in_a_task(transport_url: str, make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(transport_url)
    guest.start(*CELERY, "--concurrency", "2")
    each_is_watched(guest, lambda: {guest.pid} | guest.children(), 3)
    call_hang(guest)
    victim = hanging(guest, tmp_path)
    os.kill(victim, signal.SIGKILL)
    death, flight = wait_for_death(guest, victim)
    assert job_of(flight) == ("task", "guest.hang", None)
    assert flight.service == "worker"
    assert death.status == -signal.SIGKILL
    assert death.status_from == ("pidfd" if tells_status() else "hook")


def test_the_hard_limit_of_a_task_is_in_the_record(local_url: str, make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(local_url)
    guest.start(*CELERY, "--concurrency", "1", "--time-limit", "4")
    each_is_watched(guest, lambda: {guest.pid} | guest.children(), 2)
    call_hang(guest)
    victim = hanging(guest, tmp_path)
    death, flight = wait_for_death(guest, victim)
    assert job_of(flight) == ("task", "guest.hang", 4.0)
    assert death.status in (-signal.SIGTERM, -signal.SIGKILL)
    assert 3 < death.noticed_at.timestamp() - flight.running[0].began < 16


def test_a_recycled_pool_child_says_so(local_url: str, make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(local_url)
    guest.start(*CELERY, "--concurrency", "1", "--max-tasks-per-child", "1")
    guest.wait_for_snapshots(lambda: {guest.pid} | guest.children(), at_least=2)
    call_hang(guest, 0.1)
    child = hanging(guest, tmp_path)
    guest.wait(lambda reports: any(report.goodbye and report.process.pid == child for report in reports))
    endings = {report.process.pid: report.ending for report in guest.collect() if report.goodbye}
    assert endings[child] == "recycled"


def test_who_dies_alone_leaves_a_record_to_the_server(
    transport_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    guest = make_guest(transport_url)
    guest.start(*GUNICORN, "--workers", "1")
    (report,) = guest.wait_for_snapshots(guest.children, at_least=1).values()
    key = report.process.key
    ask_to_hang(guest)
    victim = hanging(guest, tmp_path)
    if transport_url.startswith("redis"):  # a snapshot within the view takes it there
        until(lambda: (held := guest.hub.left(key)) and load_flight(held).running)
    os.kill(guest.pid, signal.SIGKILL)
    os.kill(victim, signal.SIGKILL)
    left = until(lambda: guest.hub.left(key))
    assert left is not None
    flight = load_flight(left)
    assert flight.key == key
    assert job_of(flight)[:2] == ("view", "hang")
    guest.hub.forget(key)
    assert guest.hub.left(key) is None
