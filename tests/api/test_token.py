"""Getting a token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/token/"


@pytest.fixture
def user() -> User:
    return User.objects.create_superuser("admin", password="right")


def test_the_right_password_gets_a_token_that_works(user: User) -> None:
    token = APIClient().post(TOKEN, {"username": "admin", "password": "right"}, format="json").json()["token"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/v1/processes/").status_code == 200


def test_a_wrong_password_is_told_nothing_else(user: User) -> None:
    wrong = APIClient().post(TOKEN, {"username": "admin", "password": "wrong"}, format="json")
    unknown = APIClient().post(TOKEN, {"username": "nobody", "password": "wrong"}, format="json")
    assert wrong.status_code == unknown.status_code == 400
    assert wrong.json()["detail"] == unknown.json()["detail"] == "Unable to log in with provided credentials."


def test_what_is_missing_is_named() -> None:
    answer = APIClient().post(TOKEN, {"username": "admin"}, format="json")
    assert answer.status_code == 400
    assert answer.json() == {
        "detail": "password: This field is required.",
        "errors": {"password": ["This field is required."]},
    }


def test_after_ten_attempts_at_an_account_the_address_has_to_wait(user: User) -> None:
    client = APIClient()
    codes = [
        client.post(
            TOKEN, {"username": "Admin", "password": str(n)}, format="json", headers={"X-Forwarded-For": f"10.0.0.{n}"}
        ).status_code
        for n in range(11)
    ]
    assert codes == [400] * 10 + [429]
    answer = client.post(TOKEN, {"username": "admin", "password": "right"}, format="json")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 60
    other = APIClient(REMOTE_ADDR="10.1.1.1").post(TOKEN, {"username": "admin", "password": "right"}, format="json")
    assert other.status_code == 200


@pytest.mark.parametrize("body", [b"[1, 2]", b'"text"', b"not json", b"", b'{"username": ["a"], "password": {}}'])
def test_a_body_that_makes_no_sense_is_refused(body: bytes) -> None:
    answer = APIClient().post(TOKEN, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_get_is_not_the_way(api: Callable[..., APIClient]) -> None:
    assert api("anonymous").get(TOKEN).status_code == 405


def test_a_user_who_was_switched_off_gets_nothing(user: User) -> None:
    token = APIClient().post(TOKEN, {"username": "admin", "password": "right"}, format="json").json()["token"]
    user.is_active = False
    user.save()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/v1/processes/").status_code == 401
    assert client.post(TOKEN, {"username": "admin", "password": "right"}, format="json").status_code in (400, 401)
