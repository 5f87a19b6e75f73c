"""Real servers whose workers are recycled under load: every request is answered, every task runs once."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwatch.transport.wire import Report
from tests.deployment.conftest import MakeGuest
from tests.deployment.guest import Guest
from tests.deployment.test_deaths import CELERY, GUNICORN
from tests.waiting import until

pytestmark = pytest.mark.deployment

DRAIN_S = 60.0
NOTES = 1200


class Clients:
    """Ask for pages all the time, each on a connection that it keeps as long as the server does."""

    def __init__(self, port: int, many: int = 6) -> None:
        self._port = port
        self._leaving = threading.Event()
        self.answered = 0
        self.asked_again = 0
        """On a connection of its own, as a browser or a proxy does: the server had closed the one that was kept."""
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(many)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._leaving.is_set():
            was_kept = connection.sock is not None
            try:
                self._ask(connection)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                connection.close()
                self.asked_again += was_kept
                if not was_kept:
                    self.failures.append(f"{type(error).__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
            time.sleep(0.005)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/hang?seconds=0.01")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        self.answered += 1


def order(guest: Guest, report: Report, **arguments: Any) -> tuple[str, str]:
    """The state and the detail of the process's answer."""
    key = report.process.key
    (answer,) = guest.ask("recycle", key, drain_s=DRAIN_S, **arguments)[key].answers
    return answer.state, answer.detail


def ends(guest: Guest) -> dict[int, str]:
    """Why each process said that it ended, or those that noticed its end: by pid."""
    found = {report.process.pid: report.ending for report in guest.collect() if report.goodbye}
    deaths = [death for report in guest.reports for death in report.deaths if death.flight is not None]
    return {**{death.flight.pid: death.flight.ending for death in deaths if death.flight}, **found}


def wait_for_successor(guest: Guest, pids: Callable[[], set[int]], ended: int, workers: int) -> None:
    until(lambda: ended not in pids(), within_s=40, seen=lambda: (ended, pids(), guest.log[-3000:]))
    guest.wait_for_snapshots(pids, at_least=workers)


@pytest.mark.parametrize(
    ("kind", "threads", "application"),
    [
        ("sync", "1", "guest.wsgi"),
        ("gthread", "4", "guest.wsgi"),
        ("gevent", "1", "guest.wsgi"),
        ("uvicorn.workers.UvicornWorker", "1", "guest.asgi"),
    ],
)
def test_no_request_fails_while_gunicorn_workers_are_recycled(
    kind: str, threads: str, application: str, local_url: str, make_guest: MakeGuest
) -> None:
    guest = make_guest(local_url, PYTHONWARNINGS="ignore")
    _gunicorn, _application, *options = GUNICORN
    guest.start("gunicorn", application, *options, "--workers", "3", "--worker-class", kind, "--threads", threads)
    first = guest.wait_for_snapshots(guest.children, at_least=3)
    guest.get("pid")
    with Clients(guest.port) as clients:
        for pid, report in sorted(first.items()):
            enough = clients.answered + 50
            until(lambda enough=enough: clients.answered > enough, within_s=30, seen=lambda: guest.log)
            state, detail = order(guest, report)
            assert (state, detail) == ("done", "gunicorn worker, SIGTERM")
            wait_for_successor(guest, guest.children, pid, 3)
    assert clients.failures == []
    if "uvicorn" not in kind:  # which closes kept connections that are idle, as whenever it stops
        assert clients.asked_again == 0
    assert len(guest.children()) == 3
    assert not set(first) & guest.children()
    guest.wait(lambda _reports: set(first) <= set(ends(guest)))
    assert {ends(guest)[pid] for pid in first} == {"recycled_by_memwatch"}


@pytest.mark.parametrize("late", ["", "1"], ids=["acks early", "acks late"])
@pytest.mark.parametrize("broker", ["filesystem", pytest.param("redis", marks=pytest.mark.redis)])
def test_every_task_runs_once_while_celery_children_are_recycled(  # noqa: PLR0917 - fixtures
    broker: str, late: str, local_url: str, make_guest: MakeGuest, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environment = {"GUEST_ACKS_LATE": late}
    if broker == "redis":
        environment["GUEST_BROKER"] = request.getfixturevalue("redis_url")
    guest = make_guest(local_url, **environment)
    guest.start(*CELERY, "--concurrency", "3", "--prefetch-multiplier", "8")
    children = guest.children
    first = guest.wait_for_snapshots(lambda: {guest.pid} | children(), at_least=4)
    first.pop(guest.pid)
    guest.run("celery", "-A", "guest.celery", "call", "guest.send_notes", "--args", f"[0, {NOTES}]")
    noted = tmp_path / "noted"
    ran = lambda: noted.read_text().splitlines() if noted.exists() else []  # noqa: E731
    for number, (pid, report) in enumerate(sorted(first.items()), 1):
        until(lambda number=number: len(ran()) >= 20 * number, within_s=60, seen=lambda: guest.log[-3000:])
        assert order(guest, report) == ("done", "Celery child, after its task")
        wait_for_successor(guest, children, pid, 3)
    assert len(ran()) < NOTES, "they were not recycled under load"
    until(lambda: len(ran()) >= NOTES, within_s=120, seen=lambda: (len(ran()), guest.log[-3000:]))
    time.sleep(2)  # one that runs twice has its time
    runs = Counter(int(line.split()[0]) for line in ran())
    assert runs == Counter(range(NOTES))
    guest.wait(lambda _reports: set(first) <= set(ends(guest)))
    assert {ends(guest)[pid] for pid in first} == {"recycled_by_memwatch"}
    assert "Process 'ForkPoolWorker" not in guest.log  # as billiard complains of an end that was not in order


def test_a_celery_child_without_a_task_stays_when_its_time_is_over(
    local_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    guest = make_guest(local_url)
    guest.start(*CELERY, "--concurrency", "1")
    first = guest.wait_for_snapshots(lambda: {guest.pid} | guest.children(), at_least=2)
    main = first.pop(guest.pid)
    ((pid, report),) = first.items()
    key = report.process.key
    assert guest.ask("recycle", key, drain_s=1)[key].answers[0].state == "done"
    assert guest.ask("recycle", key, drain_s=1)[key].answers[0].state == "refused"
    until(lambda: guest.ask("recycle", key, drain_s=0.1)[key].answers[0].state == "done", within_s=20)
    time.sleep(1)  # the order's time is over, and the agent takes it back
    for number in range(2):
        guest.run("celery", "-A", "guest.celery", "call", "guest.note", "--args", f"[{number}]")
    noted = tmp_path / "noted"
    until(lambda: noted.exists() and len(noted.read_text().splitlines()) == 2, within_s=20, seen=lambda: guest.log)
    assert {line.split()[1] for line in noted.read_text().splitlines()} == {str(pid)}
    state, detail = order(guest, main, whole=True)
    assert (state, "main process of a pool" in detail) == ("refused", True)


@pytest.mark.parametrize("pool", ["solo", "threads", "gevent"])
def test_a_whole_celery_worker_finishes_its_task_first(
    pool: str, local_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    guest = make_guest(local_url, PYTHONWARNINGS="ignore")
    guest.start(*CELERY, "--pool", pool, "--concurrency", "1")
    (report,) = guest.wait_for_snapshots(lambda: {guest.pid}, at_least=1).values()
    state, detail = order(guest, report)
    assert (state, "name the supervisor" in detail) == ("refused", True)
    guest.run("celery", "-A", "guest.celery", "call", "guest.hang", "--args", "[3]")
    guest.run("celery", "-A", "guest.celery", "call", "guest.note", "--args", "[1]")
    until((tmp_path / "hanging").exists, within_s=20, seen=lambda: guest.log)
    assert order(guest, report, whole=True) == ("done", "whole worker, SIGTERM")
    assert guest.process is not None
    assert guest.process.wait(30) == 0
    assert ends(guest) == {guest.pid: "recycled_by_memwatch"}
    guest.start(*CELERY, "--pool", pool, "--concurrency", "1")  # as its supervisor would
    until((tmp_path / "noted").exists, within_s=30, seen=lambda: guest.log)
    assert [line.split()[0] for line in (tmp_path / "noted").read_text().splitlines()] == ["1"]


def enqueue(guest: Guest, *calls: str) -> None:
    guest.run("django", "shell", "-v0", "-c", f"from guest.tasks import note; {'; '.join(calls)}")


def test_every_task_runs_once_while_workers_of_django_tasks_are_recycled(
    local_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    pytest.importorskip("django_tasks_db", reason="django-tasks-db is not installed: see the group dev")
    guest = make_guest(local_url, GUEST_TASKS="1", PYTHONWARNINGS="ignore")
    guest.run("django", "migrate", "-v0")
    noted, began = tmp_path / "noted", tmp_path / "began"
    ran = lambda: noted.read_text().splitlines() if noted.exists() else []  # noqa: E731
    enqueue(guest, "[note.enqueue(number) for number in range(150)]")
    ended = []
    for lives in range(1, 4):
        guest.start("manage.py", "db_worker", "--interval", "0.1", "--no-startup-delay")
        report = guest.wait_for_snapshots(lambda: {guest.pid}, at_least=1)[guest.pid]
        state, detail = order(guest, report)
        assert (state, "name the supervisor" in detail) == ("refused", True)
        enqueue(
            guest, f"note.enqueue({1000 + lives}, 2.0)", f"[note.enqueue({100 * lives} + n) for n in range(50, 80)]"
        )
        until(lambda lives=lives: began.read_text() == str(1000 + lives), within_s=60, seen=lambda: guest.log[-3000:])
        assert order(guest, report, whole=True) == ("done", "worker of django.tasks, after its task")
        assert guest.process is not None
        assert guest.process.wait(30) == 0
        assert ran()[-1] == f"{1000 + lives} {guest.pid}"  # it has finished this one, and begun no other
        ended.append(guest.pid)
    assert ends(guest) == dict.fromkeys(ended, "recycled_by_memwatch")
    guest.start("manage.py", "db_worker", "--batch", "--no-startup-delay")
    assert guest.process is not None
    assert guest.process.wait(60) == 0
    wanted = [*range(150), *(100 * n + m for n in (1, 2, 3) for m in range(50, 80)), 1001, 1002, 1003]
    assert Counter(int(line.split()[0]) for line in ran()) == Counter(wanted)


def test_an_idle_worker_of_django_tasks_ends_soon_and_one_whose_time_is_over_stays(
    local_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    pytest.importorskip("django_tasks_db", reason="django-tasks-db is not installed: see the group dev")
    guest = make_guest(local_url, GUEST_TASKS="1", PYTHONWARNINGS="ignore")
    guest.run("django", "migrate", "-v0")
    guest.start("manage.py", "db_worker", "--interval", "0.1", "--no-startup-delay")
    ((pid, report),) = guest.wait_for_snapshots(lambda: {guest.pid}, at_least=1).items()
    key = report.process.key
    enqueue(guest, "note.enqueue(1, 4.0)", "note.enqueue(2)")
    until((tmp_path / "began").exists, within_s=30, seen=lambda: guest.log[-3000:])
    assert guest.ask("recycle", key, drain_s=0.5, whole=True)[key].answers[0].state == "done"
    noted = tmp_path / "noted"
    until(lambda: noted.exists() and len(noted.read_text().splitlines()) == 2, within_s=30, seen=lambda: guest.log)
    assert {line.split()[1] for line in noted.read_text().splitlines()} == {str(pid)}
    assert order(guest, report, whole=True)[0] == "done"
    assert guest.process is not None
    assert guest.process.wait(10) == 0


def test_a_program_without_an_orderly_end_is_left_alone(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start("manage.py", "runserver", "127.0.0.1:{port}", "--noreload")
    (report,) = guest.wait_for_snapshots(lambda: {guest.pid}, at_least=1).values()
    state, detail = order(guest, report, whole=True)
    assert (state, "knows no orderly end" in detail) == ("refused", True)
    assert guest.get("pid") == str(guest.pid)
