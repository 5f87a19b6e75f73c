"""In every way that a process can start, an agent reports from it and answers."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection

import pytest

from memwatch.transport.wire import Report
from tests.deployment.conftest import MakeGuest
from tests.deployment.guest import Guest

pytestmark = pytest.mark.deployment

GUNICORN = ("gunicorn", "guest.wsgi", "--bind", "127.0.0.1:{port}", "--workers", "2", "--log-level", "warning")
CELERY = ("celery", "-A", "guest.celery", "worker", "--loglevel", "WARNING", "--concurrency", "2")


def assert_answering(guest: Guest, reports: Collection[Report]) -> None:
    """Each of the processes answers a ping and a snapshot, through the hub."""
    keys = [report.process.key for report in reports]
    pings = guest.ask("ping", *keys)
    assert set(pings) == set(keys)
    assert {answer.state for report in pings.values() for answer in report.answers} == {"done"}
    time.sleep(1)  # one census a second on command
    taken = guest.ask("snapshot", *keys)
    assert set(taken) == set(keys)
    for key, report in taken.items():
        assert report.process.key == key
        assert report.answers[0].state == "done", report.answers
        ((seq, snapshot),) = report.snapshots
        assert seq == report.answers[0].snapshot_seq
        assert (snapshot.total_objects or 0) > 10_000
        assert snapshot.heap_used_mb
        assert snapshot.rss_mb


def assert_quiet(guest: Guest) -> None:
    for word in ("Traceback", "multi-threaded", "ResourceWarning", "memwatch:", "ERROR"):
        assert word not in guest.log, guest.log


@pytest.mark.parametrize("mode", ["sync", "gthread", "preload", "gevent", "gevent preload"])
def test_every_gunicorn_worker_answers(mode: str, transport_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(transport_url)
    kind = mode.split(maxsplit=1)[0]
    options = ["--preload"] if "preload" in mode else []
    guest.start(*GUNICORN, *options, "--worker-class", kind if kind != "preload" else "sync", "--threads", "2")
    first = guest.wait_for_snapshots(guest.children, at_least=2)

    assert {report.process.program for report in first.values()} == {"gunicorn worker"}
    assert {report.process.service for report in first.values()} == {"web"}
    assert_answering(guest, first.values())

    outside = {seen.pid for report in guest.collect() for seen in report.outside}
    if "preload" in mode:
        master = guest.wait_for_snapshots(lambda: [guest.pid], at_least=1)[guest.pid]
        assert_answering(guest, [master])
        assert outside == set(), "the master has an agent of its own"
    else:
        assert outside == {guest.pid}, "the eldest worker reports the master"

    guest.stop()
    said = {report.process.pid for report in guest.collect() if report.goodbye}
    assert set(first) <= said
    assert_quiet(guest)


def test_every_uvicorn_worker_answers(transport_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(transport_url)
    guest.start("uvicorn", "guest.asgi:application", "--port", "{port}", "--workers", "2", "--log-level", "warning")
    first = guest.wait_for_snapshots(guest.children, at_least=2)

    assert {report.process.program for report in first.values()} == {"uvicorn worker"}
    assert_answering(guest, first.values())
    assert {seen.pid for report in guest.collect() for seen in report.outside} == {guest.pid}
    reporters = {report.process.pid for report in guest.collect() if report.outside}
    assert len(reporters) == 1, "one worker speaks for the supervisor"
    assert_quiet(guest)


def test_celery_main_its_pool_children_and_embedded_beat_answer(transport_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(transport_url)
    guest.start(*CELERY, "-B")
    first = guest.wait_for_snapshots(lambda: {guest.pid} | guest.children(), at_least=4)

    programs = sorted(report.process.program for report in first.values())
    assert programs == ["celery beat", "celery child", "celery child", "celery main"]
    assert_answering(guest, first.values())
    assert all(not report.outside for report in guest.collect())

    guest.stop()
    said = {report.process.program for report in guest.collect() if report.goodbye}
    assert {"celery main", "celery child"} <= said
    assert_quiet(guest)


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_celery_worker_without_pool_children_answers(pool: str, local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*CELERY, "--pool", pool)
    first = guest.wait_for_snapshots(lambda: [guest.pid], at_least=1)
    assert_answering(guest, first.values())
    guest.wait(lambda reports: any(s.tasks_handled == 0 for report in reports for _, s in report.snapshots))


def test_beat_answers(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start("celery", "-A", "guest.celery", "beat", "--loglevel", "WARNING")
    first = guest.wait_for_snapshots(lambda: [guest.pid], at_least=1)
    assert first[guest.pid].process.program == "celery beat"
    assert_answering(guest, first.values())
    guest.stop()
    assert any(report.goodbye for report in guest.collect())


def test_runserver_is_watched_and_its_reloader_is_not(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, GUEST_DEBUG="1")
    guest.start("manage.py", "runserver", "127.0.0.1:{port}", "--skip-checks")
    first = guest.wait_for_snapshots(guest.children, at_least=1)
    assert {report.process.program for report in first.values()} == {"manage.py runserver"}
    assert guest.pid not in {report.process.pid for report in guest.collect()}
    assert_answering(guest, first.values())


def test_runserver_without_the_reloader_is_watched(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, GUEST_DEBUG="1")
    guest.start("manage.py", "runserver", "127.0.0.1:{port}", "--noreload", "--skip-checks")
    assert_answering(guest, guest.wait_for_snapshots(lambda: [guest.pid], at_least=1).values())
    guest.stop(signal.SIGINT)


def test_requests_and_tasks_are_counted_where_they_happen(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN[:5], "1", "--log-level", "warning")
    for _ in range(5):
        guest.get("pid")
    reports = guest.wait(lambda found: any(s.requests_handled == 5 for report in found for _, s in report.snapshots))
    assert all(s.tasks_handled is None for report in reports for _, s in report.snapshots)


def test_tasks_are_counted_in_the_pool_children_that_execute_them(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*CELERY)
    first = guest.wait_for_snapshots(lambda: {guest.pid} | guest.children(), at_least=3)
    for _ in range(4):
        guest.run("celery", "-A", "guest.celery", "call", "guest.work")

    def executed(reports: list[Report]) -> int:
        counts = {
            r.process.pid: s.tasks_handled or 0 for r in reports for _, s in r.snapshots if r.process.pid in first
        }
        return sum(counts.values())

    reports = guest.wait(lambda found: executed(found) == 4)
    main = [s for report in reports if report.process.pid == guest.pid for _, s in report.snapshots]
    assert {snapshot.tasks_handled for snapshot in main} == {None}
    assert {snapshot.requests_handled for snapshot in main} == {None}
    assert {report.process.program for report in reports} == {"celery main", "celery child"}, "`celery call` is short"


def test_a_forked_child_is_watched_as_itself(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN[:5], "1", "--log-level", "warning")
    child = int(guest.get("fork?seconds=8"))
    worker = int(guest.get("pid"))
    guest.wait_for_snapshots(lambda: [worker, child], at_least=2)
    keys = {report.process.key for report in guest.collect() if report.process.pid == child}
    assert len(keys) == 1
    assert_answering(guest, list(guest.first_snapshots().values()))
    handled = [
        s.requests_handled for report in guest.reports if report.process.pid == child for _, s in report.snapshots
    ]
    assert set(handled) == {0}, "the parent's requests are not the child's"


def test_a_program_started_through_a_fork_never_gets_an_agent(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN[:5], "1", "--log-level", "warning")
    other = int(guest.get("run"))
    worker = int(guest.get("pid"))
    began = time.monotonic()
    guest.wait(lambda reports: time.monotonic() - began > 4)
    assert {report.process.pid for report in guest.reports} == {worker}
    assert other not in {report.process.pid for report in guest.reports}
    assert_quiet(guest)


@pytest.mark.parametrize("command", ["migrate", "check", "showmigrations"])
def test_short_commands_are_not_watched(command: str, local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start("manage.py", command)
    assert guest.process is not None
    assert guest.process.wait(60) == 0, guest.log
    assert not (guest.folder / "transport").exists(), "nothing was opened, so nothing was sent"


def test_the_agent_can_be_switched_off(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, MEMWATCH_AGENT="off")
    guest.start(*GUNICORN[:5], "1", "--log-level", "warning")
    assert "memwatch" not in guest.get("threads")
    assert not (guest.folder / "transport").exists()
