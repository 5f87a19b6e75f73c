"""Bodies of requests: bounded before they are read, and strictly JSON. Anybody may send them to ``token/``."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from memwatch.api import access
from memwatch.api.docs import SchemaView, _schemas
from memwatch.api.parsers import MAX_BODY_BYTES
from memwatch.api.schema import Generator
from memwatch.api.views.token import TokenView

pytestmark = pytest.mark.django_db
TOKEN = "/api/v1/token/"


class Unreadable(io.BytesIO):
    """A body that nobody may touch."""

    def read(self, *_arguments: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = readinto = read  # type: ignore[assignment]


def token_request(body: io.BytesIO, length: int | str) -> Any:
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": TOKEN, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(length), "wsgi.input": body,
        "REMOTE_ADDR": "10.9.8.7",
    }  # fmt: skip
    return TokenView.as_view({"post": "create"})(WSGIRequest(environ))


def test_a_large_body_is_refused_before_a_byte_of_it_is_read() -> None:
    answer = token_request(Unreadable(), 2_400_000)
    assert answer.status_code == 413
    assert "64 KB" in answer.data["detail"]


def test_a_length_of_thousands_of_digits_is_refused() -> None:
    assert token_request(Unreadable(), "9" * 5_000).status_code == 413


def test_a_form_of_thousands_of_fields_is_refused_as_json() -> None:
    answer = APIClient().generic("POST", TOKEN, "a&" * 5_000, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert "more fields" in answer.json()["detail"]


def test_a_body_that_is_longer_than_it_says_is_refused() -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    scope = {"type": "http", "method": "POST", "path": TOKEN, "query_string": b"", "headers": headers}
    request = ASGIRequest({**scope, "client": ("10.9.8.6", 1)}, io.BytesIO(b" " * (MAX_BODY_BYTES + 1)))
    assert TokenView.as_view({"post": "create"})(request).status_code == 413


def test_an_address_that_asks_too_often_is_refused_without_reading_what_it_sends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access.AddressThrottle, "rate", "1/min")
    assert token_request(io.BytesIO(b"{}"), 2).status_code == 400
    assert token_request(Unreadable(), 100).status_code == 429


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"username": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "nested"),
        (b'{"username": "a", "unknown": ' + b"[" * 41 + b"]" * 41 + b"}", "nested more than 40 deep"),
        (b'{"username": "a", "password": 1e999}', "1e999"),
        (b'{"username": "a", "password": NaN}', "NaN"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_json_that_is_none_is_said_to_be_none(body: bytes, says: str) -> None:
    answer = APIClient().post(TOKEN, body, content_type="application/json")
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_a_form_is_bounded_too() -> None:
    form = "application/x-www-form-urlencoded"
    assert APIClient().post(TOKEN, b"username=" + b"x" * MAX_BODY_BYTES, content_type=form).status_code == 413
    answer = APIClient().post(TOKEN, "username=a&password=b", content_type=form)
    assert answer.json()["detail"] == "Unable to log in with provided credentials."


def test_the_schema_is_made_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    _schemas.clear()
    first = client.get("/api/schema/")
    as_json = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})

    def again(*_arguments: object, **_options: object) -> Any:
        raise AssertionError("the schema was made again")

    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", again)
    second = client.get("/api/schema/")
    assert second.content == first.content
    assert second["Content-Type"].partition(";")[0] == first["Content-Type"].partition(";")[0]
    assert client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}).json() == as_json.json()


def test_what_somebody_asks_first_is_in_nobody_elses_schema(client: Client) -> None:
    _schemas.clear()
    asked = client.get("/api/schema/?version=of-a-stranger&lang=de")
    assert b"of-a-stranger" not in asked.content
    assert len(_schemas) == 1
    assert client.get("/api/schema/").content == asked.content


def test_threads_that_ask_at_once_get_the_same_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    _schemas.clear()
    make, busy, most = Generator.get_schema, [], []

    def slowly(self: Generator, *arguments: Any, **options: Any) -> Any:
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.05)
        try:
            return make(self, *arguments, **options)
        finally:
            busy.pop()

    monkeypatch.setattr(Generator, "get_schema", slowly)

    def ask(_number: int) -> bytes:
        answer = SchemaView.as_view()(RequestFactory().get("/api/schema/"))
        return bytes(answer.render().content if hasattr(answer, "render") else answer.content)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert set(most) == {1}
