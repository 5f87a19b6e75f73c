"""Requests, tasks and commands are told to the agent by name, whatever becomes of them."""

from __future__ import annotations

import asyncio
import gc
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from django.core.handlers.base import BaseHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import include, path

from memwatch.agent.work import meter
from memwatch.agent.work.job import running
from memwatch.host_hooks import celery_worker, jobs
from memwatch.records.work import COMMAND, NO_VIEW, TASK, VIEW, WorkFigures
from memwatch.transport.flights import layout

pytestmark = pytest.mark.django_db  # Django closes old connections when a response is closed

kept: list[object] = []
began = asyncio.Event()
both_there = asyncio.Barrier(2)


def plain(_request: HttpRequest) -> HttpResponse:
    kept.append([object() for _ in range(500)])
    return HttpResponse("fine")


def broken(_request: HttpRequest) -> HttpResponse:
    raise ValueError("broken on purpose")


def streamed(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"a", b"b"]))


async def awaited(_request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("fine")


async def meeting(_request: HttpRequest) -> HttpResponse:
    await both_there.wait()
    return HttpResponse("fine")


async def endless(_request: HttpRequest) -> HttpResponse:
    began.set()
    await asyncio.sleep(3600)
    return HttpResponse("never")


def with_task(_request: HttpRequest) -> HttpResponse:
    sync.apply()
    return HttpResponse("fine")


seen: list[str] = []
endings: list[type[BaseException]] = []


def looking(_request: HttpRequest) -> HttpResponse:
    seen.extend(recorded())
    return HttpResponse("fine")


async def looking_async(_request: HttpRequest) -> HttpResponse:
    seen.extend(recorded())
    return HttpResponse("fine")


def ending(_request: HttpRequest) -> HttpResponse:
    raise endings.pop()


shop_urls = [
    path("plain/", plain, name="plain"),
    path("broken/", broken),
    path("looking/", looking, name="looking"),
    path("looking/async/", looking_async, name="looking async"),
    path("ending/", ending, name="ending"),
]
urlpatterns = [
    path("shop/", include((shop_urls, "shop"))),
    path("streamed/", streamed, name="streamed"),
    path("awaited/", awaited, name="awaited"),
    path("meeting/", meeting, name="meeting"),
    path("endless/", endless, name="endless"),
    path("task/", with_task, name="with task"),
]

app = Celery("hooks", broker="memory://", set_as_current=False)


@app.task(name="shop.sync")
def sync(fail: type[Exception] | None = None) -> None:
    kept.append([object() for _ in range(500)])
    if fail is not None:
        raise fail


@pytest.fixture(autouse=True)
def hooked() -> Iterator[None]:
    """The hooks as an agent's process has them, taken away again."""
    originals = {
        (owner, name): owner.__dict__[name]
        for owner, name in (
            (BaseHandler, "get_response"),
            (BaseHandler, "get_response_async"),
            (BaseCommand, "execute"),
        )
    }
    before = meter.meter()
    jobs.install()
    receivers: tuple[tuple[Any, Callable[..., None]], ...] = (
        (signals.task_prerun, celery_worker.begin_task),
        (signals.task_postrun, celery_worker.end_task),
    )
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False, dispatch_uid=f"memwatch.autostart.{receiver.__name__}")
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        yield
    for signal, receiver in receivers:
        signal.disconnect(dispatch_uid=f"memwatch.autostart.{receiver.__name__}")
    for (owner, name), original in originals.items():
        setattr(owner, name, original)
    meter.end_process()
    if before is not None:
        meter.begin_process()
    kept.clear()


def taken() -> dict[tuple[str, str], WorkFigures]:
    return {(row.kind, row.name): row for row in meter.take() or ()}


def test_a_request_is_named_by_its_view() -> None:
    assert Client().get("/shop/plain/").status_code == 200
    row = taken()[VIEW, "shop:plain"]
    assert (row.calls, row.errors, row.shared) == (1, 0, 0)
    assert row.blocks > 450


def test_a_view_without_a_name_is_named_by_its_path_and_a_failure_is_an_error() -> None:
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=False):
        Client(raise_request_exception=False).get("/shop/broken/")
    row = taken()[VIEW, f"shop:{__name__}.broken"]
    assert (row.calls, row.errors) == (1, 1)


def test_a_request_that_reaches_no_view_is_counted_and_its_path_is_not_reported() -> None:
    Client().get("/secret/4711/")
    assert set(taken()) == {(VIEW, NO_VIEW)}


def test_a_streaming_response_ends_when_it_is_closed() -> None:
    response: Any = Client().get("/streamed/")
    assert taken() == {}
    assert list(response.streaming_content) == [b"a", b"b"]
    response.close()
    assert taken()[VIEW, "streamed"].calls == 1


def test_a_response_that_nobody_closes_is_counted_as_shared() -> None:
    response: Any = Client().get("/streamed/")
    response._resource_closers.clear()
    del response
    gc.collect()
    assert taken()[VIEW, "streamed"].shared == 1


def test_an_async_view_is_measured() -> None:
    asyncio.run(AsyncClient().get("/awaited/"))
    row = taken()[VIEW, "awaited"]
    assert (row.calls, row.errors) == (1, 0)


def test_async_views_at_once_are_counted_and_shared() -> None:
    async def both() -> None:
        client = AsyncClient()
        await asyncio.gather(client.get("/meeting/"), client.get("/meeting/"))

    asyncio.run(both())
    row = taken()[VIEW, "meeting"]
    assert row.calls == 2
    assert row.shared >= 1


def test_a_cancelled_async_view_ends() -> None:
    async def cancelled() -> None:
        began.clear()
        request = asyncio.create_task(AsyncClient().get("/endless/"))
        await began.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(cancelled())
    row = taken()[VIEW, "endless"]
    assert (row.calls, row.errors) == (1, 0), "its client went away: it has not failed"
    job = meter.begin(TASK, "next")
    assert job is not None
    assert not job.shared
    job.end()


def test_a_task_is_named_and_its_failure_is_an_error() -> None:
    sync.apply()
    sync.apply(kwargs={"fail": KeyError})
    row = taken()[TASK, "shop.sync"]
    assert (row.calls, row.errors, row.shared) == (2, 1, 0)
    assert row.blocks > 900


def test_a_task_over_its_soft_time_limit_ends() -> None:
    sync.apply(kwargs={"fail": SoftTimeLimitExceeded})
    assert taken()[TASK, "shop.sync"].errors == 1
    assert running.get() is None


def mail(fail: bool) -> None:
    kept.append([object() for _ in range(500)])
    if fail:
        raise ValueError("of the test")


@pytest.mark.parametrize("package", ["django.tasks", "django_tasks"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_task_of_django_is_named_by_its_path(package: str, fails: bool) -> None:
    """Those that Django has from 6.0 on, and those of the package for older ones."""
    tasks = pytest.importorskip(package)
    jobs.install()
    tasks.task(mail).enqueue(fails)
    row = taken()[TASK, f"{__name__}.mail"]
    assert (row.calls, row.errors) == (1, fails)
    assert row.blocks > 450


def test_the_package_for_tasks_is_left_to_the_site_to_import() -> None:
    pytest.importorskip("django_tasks")
    program = "import sys; from memwatch.host_hooks import jobs; jobs.install(); print('django_tasks' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_task_within_a_request_keeps_its_own() -> None:
    Client().get("/task/")
    rows = taken()
    assert rows[TASK, "shop.sync"].blocks > 450
    assert rows[VIEW, "with task"].blocks < 400
    assert rows[VIEW, "with task"].shared == rows[TASK, "shop.sync"].shared == 0


def test_a_command_is_named_without_its_arguments() -> None:
    call_command("diffsettings", "--all", stdout=io.StringIO())
    row = taken()[COMMAND, "diffsettings"]
    assert (row.calls, row.errors) == (1, 0)


def test_what_is_measured_once_is_not_wrapped_twice() -> None:
    wrapped = BaseHandler.get_response
    jobs.install()
    assert BaseHandler.get_response is wrapped
    Client().get("/shop/plain/")
    assert taken()[VIEW, "shop:plain"].calls == 1


def test_a_hostile_resolver_reports_a_short_clean_name() -> None:
    request = HttpRequest()
    request.resolver_match = type("Match", (), {"view_name": "x\n" * 5_000})()
    name = jobs._view(request)
    assert len(name) <= 300
    assert name.isprintable()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_view_has_its_name_while_it_runs(asynchronous: bool) -> None:
    """Whoever is killed in it has said which one it was."""
    seen.clear()
    meter.begin_process(recorded=True)
    if asynchronous:
        asyncio.run(AsyncClient().get("/shop/looking/async/"))  # type: ignore[arg-type]
    else:
        Client().get("/shop/looking/")
    assert seen == ["shop:looking async" if asynchronous else "shop:looking"]


@pytest.mark.parametrize(("raised", "cut_off"), [(SystemExit, True), (KeyboardInterrupt, True), (ValueError, False)])
def test_a_view_that_the_end_of_the_process_cuts_off_stays_in_the_record(
    raised: type[BaseException], cut_off: bool
) -> None:
    meter.begin_process(recorded=True)
    endings.append(raised)
    with pytest.raises(raised):
        Client().get("/shop/ending/")
    assert bool(recorded()) is cut_off


def recorded() -> list[str]:
    """Jobs that run, by the flight record."""
    slots = meter.slots()
    assert slots is not None
    return [job[1] for job in layout._jobs(bytes(slots.store), layout.RUNS)]
