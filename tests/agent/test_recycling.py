"""Orders to end after the current job: for one process, signed, withdrawn in time, refused where no way is known."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from memwatch.agent.flight import ending
from memwatch.agent.recycling import ways
from memwatch.agent.recycling.desk import RecyclingDesk
from memwatch.agent.recycling.ways import CannotRecycle, PoolChild, way_of
from memwatch.records.flight import RECYCLED_BY_MEMWATCH
from memwatch.transport.wire import Command
from tests.agent.conftest import KEY


class FakeWay:
    name = "a way"
    withdrawable = True

    def __init__(self) -> None:
        self.leaves = False

    def begin(self) -> None:
        self.leaves = True

    def withdraw(self) -> None:
        self.leaves = False


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> FakeWay:
    made = FakeWay()
    monkeypatch.setattr(ways, "way_of", lambda *_given, **_named: made)
    return made


@pytest.fixture(autouse=True)
def nothing_noted() -> Any:
    yield
    ending.forget()


def test_what_ends_is_noted_before_it_does(way: FakeWay) -> None:
    notes: list[str] = []
    desk = RecyclingDesk(notes.append)
    assert desk.order({"drain_s": 60}) == ("done", "a way")
    assert (way.leaves, notes, ending.known()) == (True, [RECYCLED_BY_MEMWATCH], RECYCLED_BY_MEMWATCH)


def test_an_order_is_taken_back_when_its_time_is_over(way: FakeWay) -> None:
    notes: list[str] = []
    desk = RecyclingDesk(notes.append)
    desk.order({"drain_s": 60})
    assert desk.order({"drain_s": 60}) == ("refused", "this process has its order already")
    desk.step()
    assert (way.leaves, notes, ending.known()) == (False, [RECYCLED_BY_MEMWATCH, ""], "")
    assert desk.order({"drain_s": 60})[0] == "done"


@pytest.mark.parametrize("drain_s", [None, 0, -1, "60", True, float("nan"), float("inf"), 1e9])
def test_an_order_without_a_sensible_time_is_refused(drain_s: object, way: FakeWay) -> None:
    state, detail = RecyclingDesk(lambda _why: None).order({"drain_s": drain_s})
    assert (state, way.leaves) == ("refused", False)
    assert "drain_s" in detail


def test_a_way_that_fails_leaves_no_note(way: FakeWay, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no")

    monkeypatch.setattr(way, "begin", fail)
    assert RecyclingDesk(lambda _why: None).order({"drain_s": 60}) == ("refused", "no")
    assert ending.known() == ""


def test_a_program_that_is_no_server_is_left_alone() -> None:
    with pytest.raises(CannotRecycle, match="knows no orderly end"):
        way_of(lambda: None, whole=True)


class DatabaseWorker:
    """Stands in for django-tasks' worker, whose handler of SIGTERM is a method."""

    def shutdown(self, signum: int, frame: object) -> None: ...


def test_a_worker_of_django_tasks_is_a_whole_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseWorker.shutdown, "__module__", "django_tasks_db.management.commands.db_worker")
    monkeypatch.setattr(ways.signal, "getsignal", lambda _number: DatabaseWorker().shutdown)
    with pytest.raises(CannotRecycle, match="name the supervisor"):
        way_of(lambda: None, whole=False)
    assert way_of(lambda: None, whole=True).name == "whole worker, SIGTERM"


class Worker:
    """Stands in for the worker of django-tasks-db, as which it is named."""

    __module__ = "django_tasks_db.management.commands.db_worker"
    __qualname__ = "Worker"

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    def shutdown(self, signum: int, frame: object) -> None:
        raise AssertionError("the signal may end a worker that has just taken a task")


Worker.shutdown.__module__ = Worker.__module__


def test_a_worker_of_the_tasks_database_is_asked_to_leave_after_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(running=True)
    monkeypatch.setattr(ways.signal, "getsignal", lambda _number: worker.shutdown)
    with pytest.raises(CannotRecycle, match="name the supervisor"):
        way_of(lambda: None, whole=False)
    way = way_of(lambda: None, whole=True)
    assert (way.name, way.withdrawable) == ("worker of django.tasks, after its task", True)
    way.begin()
    assert worker.__dict__ == {"running": False}
    with pytest.raises(CannotRecycle, match="about to end already"):
        way_of(lambda: None, whole=True)
    way.withdraw()
    assert worker.__dict__ == {"running": True}


@pytest.mark.parametrize(
    ("attributes", "environment", "why"),
    [
        ({}, "", "release of django-tasks-db"),
        ({"running": 1}, "", "release of django-tasks-db"),
        ({"running": True}, "true", "--reload"),
    ],
)
def test_a_worker_of_the_tasks_database_is_left_alone_where_it_is_not_as_it_is_known(
    attributes: dict[str, object], environment: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_MAIN", environment)
    worker = Worker(**attributes)
    monkeypatch.setattr(ways.signal, "getsignal", lambda _number: worker.shutdown)
    with pytest.raises(CannotRecycle, match=why):
        way_of(lambda: None, whole=True)


def test_the_order_cannot_be_given_to_every_process_at_once(make_watched: Any) -> None:
    watched = make_watched().listens()
    for target in ("*", "another"):
        command = Command.make("recycle", target, drain_s=60)
        assert watched.ask(command, timeout_s=1.0) is None
    unsigned = Command.make("recycle", watched.agent.process.key, drain_s=60).encode(f"not {KEY}")
    assert watched.ask(unsigned, timeout_s=1.0) is None
    answer = watched.ask(Command.make("recycle", watched.agent.process.key, drain_s=60))
    assert answer is not None
    assert answer.answers[0].state == "refused"  # pytest is no server
    assert answer.refused_commands == 3


class TestPoolChild:
    """A stand-in whose class is named as Celery's, with the function of billiard's itself."""

    @pytest.fixture
    def worker(self) -> Any:
        pool = pytest.importorskip("billiard.pool")
        worker = object.__new__(pool.Worker)
        worker._shutdown = None
        queue = ModuleType("queue")
        queue.get = lambda timeout: None  # type: ignore[attr-defined]
        worker.wait_for_job = worker._make_protected_receive(queue)
        return worker

    def test_it_leaves_with_the_code_of_one_that_is_recycled(self, worker: Any) -> None:
        way = PoolChild(worker)
        assert worker.wait_for_job is not None
        way.begin()
        with pytest.raises(SystemExit) as left:
            worker.wait_for_job()
        assert left.value.code == 0x9B

    def test_it_stays_when_the_order_is_taken_back_and_leaves_at_the_next(self, worker: Any) -> None:
        PoolChild(worker).begin()
        PoolChild(worker).withdraw()
        with pytest.raises(SystemExit) as left:
            worker.wait_for_job()  # goes on to receive: the stand-in's queue gives billiard's sentinel
        assert left.value.code == 1
        PoolChild(worker).begin()
        with pytest.raises(SystemExit) as left:
            worker.wait_for_job()
        assert left.value.code == 0x9B

    def test_the_pools_own_restart_still_works(self, worker: Any) -> None:
        class Event:
            def is_set(self) -> bool:
                return True

        worker._shutdown = Event()
        queue = ModuleType("queue")
        queue.get = lambda timeout: None  # type: ignore[attr-defined]
        worker.wait_for_job = worker._make_protected_receive(queue)
        way = PoolChild(worker)
        way.begin()
        way.withdraw()
        with pytest.raises(SystemExit) as left:
            worker.wait_for_job()
        assert left.value.code == 0

    def test_another_release_of_billiard_is_left_alone(self, worker: Any) -> None:
        def receive() -> None: ...

        worker.wait_for_job = receive
        with pytest.raises(CannotRecycle, match="release of billiard"):
            PoolChild(worker)
        with pytest.raises(CannotRecycle, match="no kind of Celery child"):
            PoolChild(object())
