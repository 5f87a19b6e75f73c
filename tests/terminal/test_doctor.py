from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.contrib.auth.models import Group
from django.utils import timezone

from memwatch.models import Lease, Process
from memwatch.queries.deployment.site import TIMETABLE
from memwatch.services import locking
from memwatch.terminal import doctor_celery, doctor_site, unwatched
from memwatch.terminal.doctor import examine
from memwatch.terminal.finding import Finding
from memwatch.transport import TransportUnavailable
from tests.services.stored import store_process
from tests.terminal.conftest import Ran


def texts(findings: Iterator[Finding], *, ok: bool | None) -> str:
    return "\n".join(f"{finding.text} -> {finding.remedy}" for finding in findings if finding.ok is ok)


def test_an_examination_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    def broken() -> Iterator[Finding]:
        raise RuntimeError("no such thing")
        yield

    found = list(examine((broken, lambda: [Finding(True, "fine")]), ()))
    assert [finding.mark for finding in found] == ["✗", "✓"]
    assert "RuntimeError: no such thing" in found[0].text


def test_without_tables_only_that_is_told_and_what_needs_none() -> None:
    def after() -> Iterator[Finding]:
        raise AssertionError("asked without tables")
        yield

    found = list(examine((lambda: [Finding(False, "database lacks 1 migration")],), (after,)))
    assert [finding.text for finding in found] == ["database lacks 1 migration"]


def test_a_database_without_the_tables_says_which_command_makes_them(tmp_path: Path) -> None:
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "MEMWATCH_VAR": str(tmp_path)}
    environ.pop("MEMWATCH_TRANSPORT", None)
    manage = str(Path(__file__).parents[2] / "manage.py")
    done = subprocess.run(
        [sys.executable, manage, "memwatch_doctor"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "migration(s) of memwatch\n  → Run manage.py migrate." in done.stdout
    assert "no such table" not in done.stdout
    assert "✗ no Celery worker answers" in done.stdout


@pytest.mark.django_db
def test_a_broker_whose_client_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("site", broker="redis://localhost/0", set_as_current=False)
    monkeypatch.setattr(doctor_celery.celery, "current_app", app)
    monkeypatch.delitem(sys.modules, "kombu.transport.redis", raising=False)
    monkeypatch.setitem(sys.modules, "kombu.transport.redis", None)
    monkeypatch.setattr("kombu.transport._transport_cache", {})  # another test may have used Redis
    assert "memwatch[redis]" in texts(doctor_celery.broker(), ok=False)


@pytest.mark.django_db
def test_a_silent_process_and_one_that_refuses_commands_are_named(answering: str) -> None:
    now = timezone.now()
    Process.objects.update(last_seen_at=now)
    store_process("worker", last_snapshot=None)
    assert "2 processes are watched: web 1, worker 1" in texts(doctor_site.agents(), ok=True)
    assert "worker-1 on a last reported" in texts(doctor_site.agents(), ok=False)
    assert "web-1" in texts(doctor_site.commands_are_obeyed(), ok=True)
    assert "SECRET_KEY" in texts(doctor_site.commands_are_obeyed(), ok=False)


@pytest.mark.django_db
def test_how_objects_are_counted_is_told_by_process() -> None:
    store_process("web", census_method="native walk")
    store_process("worker", census_method="fallback: the compiled part is not installed")
    store_process("shop", census_method="nothing: this Python has no global lock")
    store_process("free", census_method="stop-the-world walk")
    store_process("beat")  # an agent of before
    assert "objects counted by native walk: web-1" in texts(doctor_site.agents(), ok=True)
    slow = texts(doctor_site.agents(), ok=None)
    assert "objects counted by fallback: the compiled part is not installed: worker-1" in slow
    assert "objects counted by nothing: this Python has no global lock: shop-1" in slow
    assert "objects counted by stop-the-world walk: free-1" in slow
    assert "beat" not in slow


@pytest.mark.parametrize(
    ("given", "said"), [({}, True), ({"METRICS_TOKEN": "t"}, False), ({"METRICS_ALLOW_LOOPBACK": True}, False)]
)
def test_metrics_that_nobody_may_scrape_are_told(settings: Any, given: dict[str, Any], said: bool) -> None:
    settings.MEMWATCH = given
    assert ("METRICS_TOKEN" in texts(doctor_site.pages(), ok=None)) is said


@pytest.mark.django_db
def test_no_process_at_all_says_what_to_start() -> None:
    assert "Start web, worker and beat" in texts(doctor_site.agents(), ok=False)


@pytest.mark.django_db
def test_a_missing_group_is_told(settings: Any) -> None:
    assert "exist" in texts(doctor_site.groups(), ok=True)
    Group.objects.filter(name="memwatch viewers").delete()
    assert "memwatch viewers" in texts(doctor_site.groups(), ok=False)


@pytest.mark.django_db
def test_tasks_that_have_not_run_of_late_are_named() -> None:
    now = timezone.now()
    store_process("web", started=now - timedelta(hours=12))
    names = ("take_snapshots", "ingest_reports", "check_alerts", "end_stale_processes", "prune")
    for name in names:
        Lease.objects.create(name=name, expires_at=now, last_finished_at=now)
    Lease.objects.create(name="detect_leaks", expires_at=now, last_finished_at=now - timedelta(hours=2))
    late = texts(doctor_celery.ticks(), ok=False)
    assert "detect_leaks (2 h ago)" in late
    assert not any(name in late for name in names)


@pytest.mark.django_db
def test_where_memwatch_work_runs_no_broker_beat_or_worker_is_missed(settings: Any) -> None:
    assert texts(doctor_celery.queue(), ok=False)
    locking.claim(TIMETABLE, "here:7", 60)
    assert texts(doctor_celery.broker(), ok=True) == "memwatch_work runs the timetable on here:7, without Celery -> "
    assert [*doctor_celery.timetable(), *doctor_celery.queue()] == []
    settings.MEMWATCH = {"HUB_TRANSPORT": "worker"}
    assert "no page can send a command" in texts(doctor_celery.broker(), ok=False)


@pytest.mark.django_db
def test_the_tasks_of_a_site_just_installed_are_not_late() -> None:
    assert texts(doctor_celery.ticks(), ok=False) == ""


@pytest.mark.django_db
def test_a_timetable_without_memwatch_says_which_line_is_missing(settings: Any) -> None:
    import celery

    app = celery.current_app
    before = app.conf.beat_schedule
    assert "memwatch's" in texts(doctor_celery.timetable(), ok=True)
    try:
        app.conf.beat_schedule = {}
        assert "memwatch.detect_leaks" in texts(doctor_celery.timetable(), ok=False)
    finally:
        app.conf.beat_schedule = before


def test_a_folder_that_others_may_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    assert "755" in texts(doctor_site._folder(folder, shared=False), ok=False)
    folder.chmod(0o700)
    assert "700" in texts(doctor_site._folder(folder, shared=False), ok=True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MEMWATCH_AGENT": "off"}, "MEMWATCH_AGENT is off"),
        ({"MEMWATCH_TRANSPORT": "redis://:secret@other:6379/0"}, "it reports to redis://***@other:6379/0"),
        ({}, "it has only just started"),
    ],
)
def test_a_process_of_the_site_that_is_not_watched_is_named_with_the_reason(
    environ: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "site_of_this_test.settings")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn").write_text("import time; time.sleep(60)")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMWATCH_")}
    process = subprocess.Popen([sys.executable, "gunicorn", "site.wsgi"], env={**kept, **environ})
    try:
        found = list(unwatched.processes())
        own = [finding for finding in found if f"pid {process.pid}" in finding.text]
        assert said in own[0].text
        assert "secret" not in own[0].text
    finally:
        process.kill()
        process.wait()


@pytest.mark.django_db
def test_a_forked_worker_is_named_as_one_and_not_blamed_while_nobody_takes_in_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "site_of_this_test.settings")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unwatched, "YOUNG_S", 0.0)
    (tmp_path / "gunicorn").write_text(
        "import os, time; os.fork(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(60)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMWATCH_")}
    master = subprocess.Popen([sys.executable, "gunicorn", "site.wsgi"], env=kept, stdout=subprocess.PIPE, text=True)
    assert master.stdout is not None
    pids = {int(master.stdout.readline()), int(master.stdout.readline())}
    (worker,) = pids - {master.pid}
    try:
        waiting = list(unwatched.processes())
        named = f"gunicorn worker (pid {worker}) is not watched: no worker stores reports"
        assert any(finding.text.startswith(named) and finding.ok is None for finding in waiting)
        now = timezone.now()
        Lease.objects.create(name="ingest_reports", expires_at=now, last_finished_at=now + timedelta(minutes=1))
        assert f"gunicorn worker (pid {worker}) is not watched: it does not report" in texts(
            unwatched.processes(), ok=False
        )
    finally:
        os.kill(worker, signal.SIGKILL)
        master.kill()
        master.communicate()


@pytest.mark.django_db
def test_an_sqlite_database_on_which_writers_would_fail_is_told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {})
    assert "transaction_mode" in texts(doctor_site.database(), ok=None)


@pytest.mark.django_db
def test_a_transport_that_is_away_is_told_once_and_not_for_each_process(
    answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise TransportUnavailable("Redis at redis://r:6379/0: Connection refused")

    Process.objects.update(last_seen_at=timezone.now())
    monkeypatch.setattr(doctor_site, "transport_state", away)
    assert "Connection refused" in texts(doctor_site.transport(), ok=False)
    assert list(doctor_site.commands_are_obeyed()) == []


@pytest.mark.django_db
def test_findings_can_be_had_as_json(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memwatch.terminal.doctor.FIRST", ())
    ran = run("memwatch_doctor", "--json")
    assert ran.code == 1
    assert {"ok", "text", "remedy"} == set(json.loads(ran.out)[0])
