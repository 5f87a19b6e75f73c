"""What recordings never show, whoever asks: what holds sessions, keys and connections, and what looks like a secret."""

from __future__ import annotations

import base64
import random
import secrets
import types
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.agent.config import AgentConfig
from memwatch.diagnosis import sensitive
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.recorder import Recorder
from tests.diagnosis.conftest import referrers

ALLOWED = Host(shows_values=True)
QUOTE = "shop_under_test.Quote"


def _ask(name: str, host: Host = ALLOWED, **given: Any) -> Recorder:
    return Recorder("referrers", {"type": name, "values": True, **given}, host)


@pytest.mark.parametrize(
    "name",
    [
        "memwatch.agent.config.AgentConfig",
        "django.contrib.sessions.backends.db.SessionStore",
        "django.contrib.auth.models.User",
        "rest_framework.authtoken.models.Token",
        "knox.models.AuthToken",
        "django.http.request.QueryDict",
        "django.core.handlers.wsgi.WSGIRequest",
        "django.conf.Settings",
        "django.db.backends.postgresql.base.DatabaseWrapper",
        "psycopg.Connection",
        "redis.connection.Connection",
        "sqlalchemy.engine.base.Engine",
        "cryptography.hazmat.primitives.asymmetric.rsa.RSAPrivateKey",
        "shop.accounts.ApiKey",
        "shop.auth.Profile",
        "shop.OAuth2Client",
        "shop.JWTHolder",
        "dict",
        "list",
        "tuple",
        "types.SimpleNamespace",
        "collections.OrderedDict",
        "http.cookies.SimpleCookie",
    ],
)
def test_values_of_what_holds_secrets_are_refused(name: str) -> None:
    with pytest.raises(Refused, match="are not shown") as refused:
        _ask(name)
    assert "without `values`" in str(refused.value)
    Recorder("referrers", {"type": name}, ALLOWED).cancel("it may be asked what refers to them")


def test_values_are_refused_unless_the_process_lets_them_be_shown() -> None:
    with pytest.raises(Refused, match="RECORD_VALUES"):
        _ask(QUOTE, Host())
    _ask(QUOTE).cancel("done")


def test_a_container_of_a_module_that_holds_secrets_is_refused() -> None:
    with pytest.raises(Refused, match=r"shop\.tokens\.LIVE"):
        _ask("untracked", container="shop.tokens.LIVE")
    _ask("untracked", container="shop.fragments.ALL").cancel("done")


def test_an_object_that_took_the_place_of_another_is_not_read(make_class: Callable[..., Any]) -> None:
    quote, other = make_class("Quote")(), make_class("Other")()
    quote.total = other.total = 7
    assert introspection.own_values(quote, QUOTE) == {"total": "7"}
    assert introspection.own_values(other, QUOTE) == {}
    assert introspection.own_values(AgentConfig(transport="local:", command_key="k", host="h"), QUOTE) == {}
    assert introspection.own_values(other, "untracked") == {}


def test_a_class_that_derives_from_a_sensitive_one_is_not_read(make_class: Callable[..., Any]) -> None:
    class Store:
        __module__ = "django.contrib.sessions.backends.db"

    basket = make_class("Basket", Store)()
    basket.total = 7
    assert introspection.own_values(basket, "shop_under_test.Basket") == {}


def test_what_is_secret_by_its_name_or_look_is_hidden(shop: types.ModuleType, make_class: Callable[..., Any]) -> None:
    quote = make_class("Quote")()
    drawn = {
        "session": secrets.token_hex(16),
        "django": "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(32)),
        "urlsafe": secrets.token_urlsafe(32),
        "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "aws": "AKIAIOSFODNN7EXAMPLE",
        "uuid": "550e8400-e29b-41d4-a716-446655440000",
        "card": "4111 1111 1111 1111",
    }
    quote.note = "paid by customer 17"
    quote.price = 12.5
    quote.when = "2026-01-31T12:00:00Z"
    for name, value in drawn.items():
        setattr(quote, f"field_{name[0]}", f"the value is {value} today")
        setattr(quote, f"bytes_{name[0]}", value.encode())
    quote.dsn_of_it = "x"
    quote.where = "postgres://shop:hunter2@db:5432/shop"
    quote.header = "Cookie: sessionid=abc; csrftoken=def"
    quote.command_key = quote._session_key = quote.apiKey = quote.password = quote.otp = "hunter2"
    quote.prime = 2**127 - 1
    quote.pem = "-----BEGIN PRIVATE KEY-----\nMIIE"
    shown = introspection.own_values(quote, QUOTE, most=100)
    assert (shown["note"], shown["price"], shown["when"]) == ("'paid by customer 17'", "12.5", "'2026-01-31T12:00:00Z'")
    everything = " ".join(shown.values())
    for secret in [*drawn.values(), "hunter2", "sessionid=abc", "MIIE", str(2**127 - 1)]:
        assert secret not in everything, secret
    assert {shown[name] for name in ("command_key", "_session_key", "apiKey", "password", "otp")} == {"***"}
    assert shown["where"] == "'postgres://shop:***@db:5432/shop'"


def test_no_secret_key_of_django_is_shown() -> None:
    draw = random.Random(16)
    for _ in range(2_000):
        drawn = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)", k=50))
        assert drawn[:20] not in sensitive.without_secrets(f"a value: {drawn}")


@pytest.mark.parametrize(
    "text", ["mail to user+tag1@example.com", "http://shop/cart?a=1&b=2#(x)", "f(x1) = 3 * (y + 1)"]
)
def test_what_a_person_writes_with_signs_is_shown(text: str) -> None:
    assert sensitive.without_secrets(text) == text


def test_bytes_that_are_no_text_are_not_shown() -> None:
    assert introspection.shown(random.Random(16).randbytes(32)) == "32 bytes that are no text"
    assert introspection.shown("Zürich\n".encode()) == r"b'Z\xc3\xbcrich\n'"


def test_a_number_that_may_be_a_cards_is_not_shown() -> None:
    assert introspection.shown(4111111111111111) == "***"
    assert introspection.shown(4111111111111112) == "4111111111111112"


def test_keys_and_values_of_a_dict_are_looked_through_too() -> None:
    token = secrets.token_hex(20)
    shown = introspection.own_values({token: 1, "access_token": "hunter2", "fragment": "text", 7: token}, "untracked")
    assert token not in str(shown)
    assert "hunter2" not in str(shown)
    assert shown["'fragment'"] == "'text'"


def test_no_secret_drawn_at_random_is_shown() -> None:
    # One draw of 24 bytes in four million is all letters and reads like words: the seed keeps this run the same.
    draw = random.Random(16)
    for _ in range(5_000):
        for length in (24, 32):
            drawn = base64.urlsafe_b64encode(draw.randbytes(length)).rstrip(b"=").decode()
            assert drawn not in sensitive.without_secrets(f"a value: {drawn}")
        for length in (16, 20):
            drawn = draw.randbytes(length).hex()
            assert drawn not in sensitive.without_secrets(f"a value: {drawn}")


@pytest.mark.parametrize(
    "secret",
    ["eyEfyqzohmkIXTBi_ui-cP-vcyfdxsoj", "qwrtzpsdfghjklmnbvcxz", "AbCdEfGhIjKlMnOpQr"],
)
def test_secrets_without_a_digit_are_not_shown(secret: str) -> None:
    assert secret not in sensitive.without_secrets(f"a value: {secret}")


@pytest.mark.parametrize(
    "name",
    [
        "get_or_create_by_id_of_a_row",
        "PurchaseOrderConfirmation",
        "customer-relationship-manager",
        "SHIPPING_ADDRESS_OF",
    ],
)
def test_names_that_a_person_gave_are_shown(name: str) -> None:
    assert name in sensitive.without_secrets(f"a value: {name}")


def test_values_of_a_type_that_is_the_programs_own_are_shown(
    shop: types.ModuleType, make_class: Callable[..., Any]
) -> None:
    shop.QUOTE = make_class("Quote")()  # type: ignore[attr-defined]
    shop.QUOTE.total = 7
    assert referrers(QUOTE, values=True)["samples"] == ({"total": "7"},)
