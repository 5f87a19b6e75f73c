"""Whatever the host's objects are: to look at them runs no line of the host's code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from billiard import process as billiard_process

from memwatch.agent import server_settings as noted
from memwatch.agent.flight import ending
from memwatch.agent.recycling import ways
from memwatch.agent.recycling.ways import CannotRecycle, GunicornWorker, way_of
from memwatch.agent.work import job, meter
from memwatch.host_hooks import celery_worker, ends, jobs, server_settings, task_limits
from tests.host_hooks.spy import Plain, Spy, SpyError, SpyExit, asked


@pytest.fixture(autouse=True)
def _nothing_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(noted, "_noted", {})
    monkeypatch.setattr(ending, "_noted", "")
    monkeypatch.setattr(server_settings, "own_arguments", lambda: ["manage.py", "runserver"])
    asked.clear()
    yield
    assert asked == []


def test_what_celerys_worker_and_its_pool_hold() -> None:
    pool = Spy(num_processes=Spy(), limit=Spy(), options={"maxtasksperchild": Spy(), "max_memory_per_child": Spy()})
    conf = Plain(worker_concurrency=Spy(), worker_max_tasks_per_child=Spy(), worker_max_memory_per_child=Spy())
    worker = Plain(app=Plain(conf=conf), pool=pool)
    server_settings.note_celery_worker(worker)
    celery_worker.worker_ready(sender=worker)
    assert "concurrency" not in noted.noted()
    assert noted.noted()["max_tasks_per_child"] == 0


def test_a_number_is_taken_where_one_before_it_is_none() -> None:
    pool = Plain(num_processes=Spy(), limit=4, options={})
    server_settings.note_celery_worker(Plain(app=None, pool=pool))
    assert noted.noted()["concurrency"] == 4


def test_what_a_pool_child_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billiard_process, "_current_process", Plain(_target=Spy(maxtasks=Spy())))
    server_settings.note_pool_child()
    assert noted.noted() == {}


@pytest.mark.parametrize("name", ["gunicorn.workers.base", Spy()])
def test_what_gunicorn_was_configured_with(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gunicorn", sys)
    settings = {key: Plain(value=Spy()) for key in ("workers", "threads", "worker_class", "preload_app")}
    settings["timeout"] = Plain(value=40)
    namespace = {"__name__": name, "note": server_settings.note_application_loaded}
    exec("def load_wsgi(self):\n    note()", namespace)
    asked.clear()
    namespace["load_wsgi"](Spy(cfg=Spy(settings=settings)))
    assert noted.noted() == ({} if type(name) is Spy else {"server": "gunicorn", "timeout": 40})


def test_a_worker_class_that_the_host_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gunicorn", sys)
    settings = {"worker_class": Plain(value=Spy)}
    namespace = {"__name__": "gunicorn.workers.base", "note": server_settings.note_application_loaded}
    exec("def load_wsgi(self):\n    note()", namespace)
    namespace["load_wsgi"](Plain(cfg=Plain(settings=settings)))
    assert noted.noted() == {"server": "gunicorn", "worker_class": "Spy"}


def test_what_uwsgi_was_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", Plain(opt={b"workers": Spy(), "harakiri": b"30"}))
    server_settings.note_application_loaded()
    assert noted.noted() == {"server": "uwsgi", "max_requests": 0, "timeout": 30}


@pytest.mark.parametrize("raised", [SpyError(), SpyExit()])
def test_how_a_worker_ends(raised: BaseException) -> None:
    try:
        raise raised
    except BaseException:  # noqa: BLE001 - as in Celery's worker
        ends.worker_ends(Plain(exitcode=Spy()))
    ends.pool_child_ends(Spy())
    assert ending.known() == ""


def test_how_long_a_task_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_limits, "is_pool_child", lambda: True)
    monkeypatch.setattr(task_limits, "_of_worker", {})
    task = Plain(time_limit=Spy(), app=Plain(conf=Plain(task_time_limit=Spy())))
    assert task_limits.hard_limit_s(task, Plain(timelimit=Spy())) == 0
    assert task_limits.hard_limit_s(task, Plain(timelimit=[Spy()])) == 0


def test_how_a_task_ended() -> None:
    meter.begin_process()
    celery_worker.begin_task("one", Plain(request=None, name="shop.tasks.send"))
    found = job.current("task", "one")
    celery_worker.end_task("one", state=Spy())
    assert found is not None
    assert not found.error
    assert not jobs._leaves_well(SpyExit())


def test_whether_a_worker_can_be_recycled(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotRecycle, match="main process has gone"):
        GunicornWorker(Spy(ppid=Spy(), alive=Spy()))
    monkeypatch.setattr(ways.signal, "getsignal", lambda _number: Spy())
    with pytest.raises(CannotRecycle, match="has no handler"):
        GunicornWorker(Spy(ppid=os.getppid(), alive=Spy()))
    with pytest.raises(CannotRecycle, match="knows no orderly end"):
        way_of(lambda: None, whole=True)
    monkeypatch.setattr(billiard_process, "_current_process", Plain(_parent_pid=Spy(), _target=Spy()))
    with pytest.raises(CannotRecycle, match="no child of a pool"):
        way_of(lambda: None, whole=True)
    child = Plain(_parent_pid=os.getppid(), _target=Spy(wait_for_job=Spy()))
    monkeypatch.setattr(billiard_process, "_current_process", child)
    with pytest.raises(CannotRecycle, match="no kind of Celery child"):
        way_of(lambda: None, whole=True)


def test_which_hook_gunicorn_calls_at_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Plain(value=Spy())
    worker = Spy(cfg=Plain(settings={"worker_abort": setting}))
    monkeypatch.setattr(ending, "gunicorn_worker", lambda: worker)
    ending.watch_gunicorn()
    hook = setting.value
    assert type(hook) is not Spy
    ending.watch_gunicorn()
    assert setting.value is hook, "wrapped once"
    assert asked == []
    hook(None)
    assert asked == ["call"], "the host's own hook is still called"
    assert ending.known() == "time_limit"
    asked.clear()
