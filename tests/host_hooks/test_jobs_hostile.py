"""What the host hands to the hooks may raise, or be of any type: its own call goes on as without them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, signals
from django.core.management.base import BaseCommand
from django.http import HttpRequest, HttpResponse

from memwatch.agent.work import meter
from memwatch.agent.work.job import running
from memwatch.agent.work.meter import Meter
from memwatch.host_hooks import celery_worker, jobs
from memwatch.records.work import COMMAND, NO_VIEW, TASK, UNNAMED, VIEW, WorkFigures

app = Celery("hostile", broker="memory://", set_as_current=False)


@pytest.fixture(autouse=True)
def own() -> Iterator[Meter]:
    before = meter.meter()
    meter.begin_process()
    found = meter.meter()
    assert found is not None
    yield found
    meter.end_process()
    if before is not None:
        meter.begin_process()


def taken() -> dict[tuple[str, str], WorkFigures]:
    return {(row.kind, row.name): row for row in meter.take() or ()}


class Raising:
    """Refuses to tell anything, its class included."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("code of the host was run")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("code of the host was run")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("code of the host was run")

    def __hash__(self) -> int:
        raise RuntimeError("code of the host was run")


class HostileRequest(HttpRequest):
    @property
    def resolver_match(self) -> Any:
        raise RuntimeError("code of the host was run")

    @resolver_match.setter
    def resolver_match(self, value: object) -> None: ...


class HostileResponse(HttpResponse):
    @property
    def _resource_closers(self) -> Any:
        raise RuntimeError("code of the host was run")

    @_resource_closers.setter
    def _resource_closers(self, value: object) -> None: ...


def respond(request: Any, response: Any) -> object:
    return jobs._get_response(lambda _handler, _request: response)(None, request)


def test_a_request_that_refuses_to_tell_its_view_is_answered() -> None:
    response = HttpResponse("fine")
    assert respond(HostileRequest(), response) is response
    response._resource_closers[0]()  # type: ignore[attr-defined]
    assert taken()[VIEW, NO_VIEW].calls == 1


def test_a_name_that_refuses_to_tell_its_class_is_none() -> None:
    request = HttpRequest()
    request.resolver_match = type("Match", (), {"view_name": Raising()})()
    response = respond(request, None)
    assert response is None
    assert taken()[VIEW, NO_VIEW].calls == 1


def test_a_response_that_refuses_its_closers_is_sent() -> None:
    response = HostileResponse("fine")
    assert respond(HttpRequest(), response) is response
    assert taken()[VIEW, NO_VIEW].calls == 1


def test_an_async_request_that_refuses_to_tell_its_view_is_answered() -> None:
    async def original(_handler: object, _request: object) -> object:
        return "answer"

    answer = asyncio.run(jobs._get_response_async(original)(None, HostileRequest()))
    assert answer == "answer"
    assert taken()[VIEW, NO_VIEW].calls == 1


def test_the_hosts_own_exception_comes_through_a_request_that_refuses_to_tell_its_view() -> None:
    def original(_handler: object, _request: object) -> object:
        raise KeyError("the host's own")

    with pytest.raises(KeyError):
        jobs._get_response(original)(None, HostileRequest())
    assert taken()[VIEW, NO_VIEW].errors == 1


def execute(command: BaseCommand) -> object:
    return jobs._execute(lambda command, *_arguments, **_options: command.handle())(command)


class Leaves(BaseCommand):
    def __init__(self, code: Any) -> None:
        super().__init__()
        self.code = code

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        raise SystemExit(self.code)


def test_a_command_without_a_module_is_run() -> None:
    class Odd(BaseCommand):
        __module__ = None  # type: ignore[assignment]

        def handle(self, *_arguments: Any, **_options: Any) -> str:
            return "done"

    assert execute(Odd()) == "done"
    assert taken()[COMMAND, UNNAMED].calls == 1


@pytest.mark.parametrize(("code", "errors"), [(None, 0), (0, 0), (1, 1), ("wrong", 1)])
def test_a_command_that_leaves_by_exit_has_failed_only_if_it_says_so(code: Any, errors: int) -> None:
    with pytest.raises(SystemExit):
        execute(Leaves(code))
    (row,) = taken().values()
    assert (row.calls, row.errors) == (1, errors)


class Task:
    """What Celery hands to its signals."""

    def __init__(self, name: str, *, eager: bool = False) -> None:
        self.name = name
        self.request = type("Request", (), {"is_eager": eager})()


def test_a_task_whose_id_cannot_be_compared_ends() -> None:
    outer, inner = Raising(), Raising()
    celery_worker.begin_task(task_id=outer, task=Task("outer"))
    celery_worker.begin_task(task_id=inner, task=Task("inner", eager=True))
    celery_worker.end_task(task_id=outer, state="SUCCESS")
    celery_worker.end_task(task_id=inner, state="SUCCESS")
    assert {name: row.calls for (_kind, name), row in taken().items()} == {"outer": 1, "inner": 1}


def test_a_task_that_refuses_to_tell_its_name_is_counted() -> None:
    celery_worker.begin_task(task_id="1", task=Raising())
    celery_worker.end_task(task_id="1", state="SUCCESS")
    assert taken()[TASK, UNNAMED].calls == 1


def test_a_name_that_refuses_to_tell_its_length_is_counted() -> None:
    class Name(str):
        __slots__ = ()

        def __len__(self) -> int:
            raise RuntimeError("code of the host was run")

    celery_worker.begin_task(task_id="1", task=Task(Name("shop.sync")))
    celery_worker.end_task(task_id="1", state="SUCCESS")
    assert taken()[TASK, "shop.sync"].calls == 1


def test_a_task_whose_end_was_never_told_is_around_no_later_one() -> None:
    for number in range(3):
        celery_worker.begin_task(task_id=str(number), task=Task("shop.sync"))
    celery_worker.end_task(task_id="2", state="SUCCESS")
    row = taken()[TASK, "shop.sync"]
    assert (row.calls, row.shared) == (3, 2)
    assert running.get() is None


@app.task(name="shop.fails")
def fails() -> None:
    raise KeyError


def test_a_task_that_raises_into_its_caller_has_failed() -> None:
    signals.task_prerun.connect(celery_worker.begin_task, weak=False, dispatch_uid="memwatch.autostart.begin_task")
    signals.task_postrun.connect(celery_worker.end_task, weak=False, dispatch_uid="memwatch.autostart.end_task")
    try:
        with pytest.raises(KeyError):
            fails.apply(throw=True)
    finally:
        signals.task_prerun.disconnect(dispatch_uid="memwatch.autostart.begin_task")
        signals.task_postrun.disconnect(dispatch_uid="memwatch.autostart.end_task")
    assert taken()[TASK, "shop.fails"].errors == 1
