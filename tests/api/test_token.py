"""Getting a token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from memwatch.models import ApiToken
from memwatch.services import tokens

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


def _get(name: str = "admin", password: str = "right") -> str:
    answer = APIClient().post(TOKEN, {"username": name, "password": password}, format="json")
    return str(answer.json()["token"])


def _client(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def _works(token: str) -> bool:
    return bool(_client(token).get("/api/v1/processes/").status_code == 200)


def test_a_token_is_not_kept_as_it_is(user: User) -> None:
    token = _get()
    tables = "".join(str(list(model._default_manager.values())) for model in apps.get_models())
    assert token not in tables
    assert _works(token)


def test_a_token_expires(user: User, settings: Any) -> None:
    settings.MEMWATCH = {**settings.MEMWATCH, "API_TOKEN_DAYS": 7}
    token = _get()
    (row,) = ApiToken.objects.all()
    assert timedelta(days=6.9) < row.expires_at - timezone.now() < timedelta(days=7)
    assert _works(token)
    ApiToken.objects.update(expires_at=timezone.now())
    assert not _works(token)
    _get()
    assert ApiToken.objects.count() == 1, "what has expired is not kept"


def test_a_token_ends_with_the_password_it_was_got_for(user: User) -> None:
    token = _get()
    user.set_password("another")
    user.save()
    assert not _works(token)
    assert _works(_get(password="another"))


def test_a_token_is_revoked_over_the_api_and_the_others_with_it_where_that_is_asked_for(user: User) -> None:
    first, second, third = _get(), _get(), _get()
    assert APIClient().delete(TOKEN).status_code == 401
    assert _client(first).delete(TOKEN).status_code == 204
    assert [_works(token) for token in (first, second, third)] == [False, True, True]
    assert _client(second).delete(f"{TOKEN}?all=perhaps").status_code == 400
    assert _client(second).delete(f"{TOKEN}?all=true").status_code == 204
    assert [_works(token) for token in (second, third)] == [False, False]
    messages = LogEntry.objects.filter(user=user).order_by("pk").values_list("change_message", flat=True)
    assert [message.partition(",")[0] for message in messages] == [
        *["API token given"] * 3, "API token revoked.", "API tokens revoked: 2.",
    ]  # fmt: skip


def test_who_asks_for_a_token_may_send_one_that_is_over(user: User) -> None:
    answer = _client("over").post(TOKEN, {"username": "admin", "password": "right"}, format="json")
    assert answer.status_code == 200


def test_a_user_has_so_many_tokens_at_most(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memwatch.services.tokens.MOST_OF_A_USER", 2)
    texts = [tokens.issue(user)[0] for _ in range(3)]
    assert [_works(text) for text in texts] == [False, True, True]


def test_tokens_of_drf_work_until_they_are_switched_off_or_revoked(user: User, settings: Any) -> None:
    old = Token.objects.create(user=user).key
    assert _works(old)
    settings.MEMWATCH = {**settings.MEMWATCH, "DRF_TOKENS": False}
    assert not _works(old)
    settings.MEMWATCH = {**settings.MEMWATCH, "DRF_TOKENS": True}
    assert _client(old).delete(TOKEN).status_code == 204
    assert not Token.objects.exists()


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
