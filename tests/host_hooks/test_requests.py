"""The middlewares: what they count, and that they change nothing of what server and application say to each other."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from memwatch.agent import work_counters
from memwatch.agent.work import meter
from memwatch.asgi import AsgiMiddleware
from memwatch.host_hooks import requests
from memwatch.records.work import NO_VIEW, VIEW, WorkFigures
from memwatch.wsgi import WsgiMiddleware


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = meter.meter()
    monkeypatch.setattr(work_counters, "_requests", None)
    meter.begin_process()
    yield
    meter.end_process()
    if before is not None:
        meter.begin_process()


def taken() -> dict[str, WorkFigures]:
    return {row.name: row for row in meter.take() or () if row.kind == VIEW}


def started(_status: str, _headers: Any, _error: Any = None) -> None:
    return None


def shop(_environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"shop"]


def test_a_request_is_counted_under_the_name_of_its_application() -> None:
    assert WsgiMiddleware(shop)({}, started) == [b"shop"]
    assert WsgiMiddleware(shop, name="the shop")({}, started) == [b"shop"]
    assert {name: row.calls for name, row in taken().items()} == {f"{__name__}.shop": 1, "the shop": 1}
    assert work_counters.requests_handled() == 2


def test_nothing_is_done_where_jobs_are_not_measured() -> None:
    meter.end_process()
    assert WsgiMiddleware(shop)({}, started) == [b"shop"]
    assert work_counters.requests_handled() is None


def test_an_answer_that_streams_ends_when_the_server_closes_it() -> None:
    said: list[str] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            yield b"one"
            yield b"two"

        def close(self) -> None:
            said.append("closed")

    answer: Any = WsgiMiddleware(lambda _environ, _start: Stream())({}, started)
    assert list(answer) == [b"one", b"two"]
    assert taken() == {}
    answer.close()
    assert said == ["closed"]
    assert len(taken()) == 1


def test_a_file_goes_back_to_the_server_as_it_is() -> None:
    class Wrapper:
        def __init__(self, file: object) -> None:
            self.file = file

        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("the server sends it without reading it")

    application = WsgiMiddleware(lambda environ, _start: environ["wsgi.file_wrapper"]("file"))
    assert type(application({"wsgi.file_wrapper": Wrapper}, started)) is Wrapper
    assert len(taken()) == 1


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Gone Fishing"])
def test_a_status_of_the_server_is_an_error(status: str) -> None:
    def failing(_environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [], None)
        return []

    WsgiMiddleware(failing, name="failing")({}, started)
    WsgiMiddleware(shop, name="shop")({}, started)
    assert {name: row.errors for name, row in taken().items()} == {"failing": 1, "shop": 0}


def test_what_an_application_raises_reaches_the_server() -> None:
    def raising(_environ: Any, _start: Any) -> list[bytes]:
        raise LookupError("of the application")

    with pytest.raises(LookupError, match="of the application"):
        WsgiMiddleware(raising, name="raising")({}, started)
    assert taken()["raising"].errors == 1


def test_an_answer_that_raises_midway_is_an_error_and_one_that_is_left_is_none() -> None:
    def halves(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        raise LookupError("of the application")

    whole: Any = WsgiMiddleware(halves, name="whole")({}, started)
    with pytest.raises(LookupError, match="of the application"):
        list(whole)
    whole.close()
    left: Any = WsgiMiddleware(halves, name="left")({}, started)
    reading = iter(left)
    assert next(reading) == b"one"
    reading.close()
    left.close()
    assert {name: (row.calls, row.errors) for name, row in taken().items()} == {"whole": (1, 1), "left": (1, 0)}


@pytest.mark.parametrize("middleware", [WsgiMiddleware, AsgiMiddleware])
def test_attributes_are_those_of_the_application(middleware: type[Any]) -> None:
    class Shop:
        state = "warm"

    assert middleware(Shop()).state == "warm"
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        middleware(Shop()).other  # noqa: B018
    assert copy.copy(middleware(Shop())).state == "warm"


def test_a_request_within_a_request_counts_once_and_names_it() -> None:
    def framework(environ: Any, start_response: Any) -> Iterable[bytes]:
        requests.rename("shop.page")
        return WsgiMiddleware(shop, name="inner")(environ, start_response)

    WsgiMiddleware(framework, name="outer")({}, started)
    assert {name: row.calls for name, row in taken().items()} == {"shop.page": 1}
    assert work_counters.requests_handled() == 1
    assert not requests.seen()


async def asgi_shop(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": int(scope["path"][1:]), "headers": []})
        await send({"type": "http.response.body", "body": b"shop"})


def asked(application: Any, **scope: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application(scope, None, send))
    return sent


def test_asgi_requests_are_counted_and_all_else_passes() -> None:
    application = AsgiMiddleware(asgi_shop)
    assert [each["type"] for each in asked(application, type="http", path="/200")] == [
        "http.response.start",
        "http.response.body",
    ]
    asked(application, type="http", path="/500")
    assert asked(application, type="lifespan") == []
    assert asked(application, type="websocket") == []
    (row,) = taken().values()
    assert (row.name, row.calls, row.errors) == (f"{__name__}.asgi_shop", 2, 1)


def test_requests_that_overlap_are_shared() -> None:
    async def slow(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def both() -> None:
        application = AsgiMiddleware(slow, name="slow")
        await asyncio.gather(*(application({"type": "http"}, None, None) for _ in range(2)))

    asyncio.run(both())
    assert (taken()["slow"].calls, meter.take()) == (2, None)


def test_a_request_that_is_cancelled_has_not_failed() -> None:
    async def forever(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(AsgiMiddleware(forever, name="forever")({"type": "http"}, None, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    row = taken()["forever"]
    assert (row.calls, row.errors) == (1, 0)


class Hostile:
    """Whatever is asked of it, it raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, _other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise RuntimeError

    def __call__(self, _environ: Any, _start: Any) -> Any:
        return [b"hostile"]


def test_an_application_that_answers_nothing_else_is_counted_by_its_type() -> None:
    assert WsgiMiddleware(Hostile())({}, started) == [b"hostile"]
    assert list(taken()) == [f"{__name__}.Hostile"]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/items/{item_id}", "GET /items/{item_id}"),
        ("BREW", "/pot", "/pot"),
        (Hostile, "/pot", "/pot"),
        ("GET", Hostile, ""),
        ("GET", None, ""),
        ("GET", "/a" * 500, f"GET {'/a' * 500}"[:299] + "…"),
    ],
)
def test_the_name_of_a_route_is_bounded_whatever_it_is(method: Any, path: Any, name: str) -> None:
    made = [each() if each is Hostile else each for each in (method, path)]
    assert requests.route_name(made[0], made[1]) == name


def test_a_name_is_given_only_to_a_request() -> None:
    requests.rename(NO_VIEW)
    assert meter.take() is None
