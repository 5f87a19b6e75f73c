"""Every address of the admin and the API, asked by everybody, in every way: who may not act changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from rest_framework.authtoken.models import Token

from memwatch import urls
from memwatch.models import Process
from memwatch.permissions import OPERATORS, VIEWERS
from tests.api.rows import store_alert, store_command, store_leak, store_notification
from tests.services.conftest import transport_url
from tests.services.stored import MINUTE, NOON, growing, store_process, store_snapshots

__all__ = ["transport_url"]

OPEN = ("/healthz", "/readyz", "/api/schema/", "/api/docs/")
"""For everybody, and without a name of anything watched."""
METHODS = ("get", "post", "put", "patch", "delete")
ODD_METHODS = ("head", "options", "trace")
ASK_ODDLY = ("anonymous", "plain by token", "superuser")
"""Those of whom each address lets through nothing, the least that a login gives, and everything."""
WATCHED = "a-name-that-only-those-who-may-look-see"

pytestmark = pytest.mark.django_db


def _patterns(found: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, str]]:
    for item in found:
        where = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from _patterns(item.url_patterns, where)
        else:
            yield where, str(item.name or "")


def _filled(pattern: str, keys: dict[str, Any]) -> str:
    """The pattern as an address, with keys of rows that are there."""
    text = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", lambda match: str(keys.get(match[1], 1)), pattern)
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(keys.get(match[1], 1)), text)
    return re.sub(r"\\.|[\^$?]", "", text)


@pytest.fixture
def addresses(transport_url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address of memwatch's, of rows that exist where it wants a row."""
    cache.clear()
    process = store_process("web", host=WATCHED)
    store_snapshots(process, NOON - 5 * MINUTE, NOON, growing(-5, 100))
    leak = store_leak(process)
    store_notification(store_alert(process, leak), payload={"host": WATCHED})
    store_command(process)
    keys = {model._meta.model_name: _first(model) for model in apps.get_app_config("memwatch").get_models()}
    own = {"name": "web", "service": process.service.pk, "host": WATCHED, "slot": 1, "slot_number": 1}
    found = []
    for pattern, _name in _patterns(list(urls.urlpatterns)):
        model = next((key for key in keys if f"/{key}" in pattern), "process")
        found.append("/" + _filled(pattern, {"pk": keys[model] or 1, "id": keys[model] or 1, **own}))
    for pattern, name in _patterns([path for path in admin.site.get_urls() if "memwatch" in str(path.pattern)]):
        model = name.removeprefix("memwatch_").split("_")[0]
        found.append("/admin/" + _filled(pattern, {"object_id": keys.get(model) or 1, "pk": 1, **own}))
    assert len(found) > 80
    return sorted(set(found))


def _first(model: Any) -> Any:
    return model._default_manager.values_list("pk", flat=True).first()


def _rows() -> dict[str, int]:
    """How many rows there are of everything that a request could write, sessions aside."""
    counted = {model.__name__: model._default_manager.count() for model in apps.get_app_config("memwatch").get_models()}
    return counted | {"LogEntry": LogEntry.objects.count(), "User": User.objects.count()}


def _states() -> list[Any]:
    tables = apps.get_app_config("memwatch")
    return [
        list(tables.get_model(name)._default_manager.order_by("pk").values())
        for name in ("Leak", "Process", "Alert", "Notification")
    ]


def _client(who: str) -> Client:
    client = Client(raise_request_exception=False)
    if who == "anonymous":
        return client
    if who == "wrong token":
        return Client(raise_request_exception=False, headers={"Authorization": "Token 0123456789abcdef"})
    role = who.split(maxsplit=1)[0]
    user = User.objects.create_user(role, is_staff=role != "plain", is_superuser=role == "superuser")
    if role in ("viewer", "operator"):
        user.groups.add(Group.objects.get(name={"viewer": VIEWERS, "operator": OPERATORS}[role]))
    if who.endswith("by token"):
        token = Token.objects.create(user=user)
        return Client(raise_request_exception=False, headers={"Authorization": f"Token {token.key}"})
    client.force_login(user)
    if who == "expired":
        Session.objects.update(expire_date=timezone.now() - MINUTE)
    return client


@pytest.mark.parametrize("who", ["anonymous", "wrong token", "expired", "plain", "plain by token"])
def test_who_may_not_look_sees_and_changes_nothing(who: str, addresses: list[str]) -> None:
    client = _client(who)
    rows, states = _rows(), _states()
    for address in addresses:
        for method in METHODS + ODD_METHODS if who in ASK_ODDLY else METHODS:
            if (method, address) == ("delete", "/api/v1/token/") and who.endswith("by token"):
                continue  # revokes the token that all others are asked with, as anybody may
            answer = getattr(client, method)(address)
            told = f"{method} {address} as {who}: {answer.status_code}"
            assert answer.status_code < 500, told
            assert WATCHED.encode() not in b"".join(answer), told  # type: ignore[call-overload]
            if address.startswith(OPEN) or (method, address) == ("options", "/api/v1/token/"):
                continue
            assert answer.status_code in {301, 302, 400, 401, 403, 404, 405, 415, 429}, told
            if answer.status_code == 302:
                assert "/login/" in answer["Location"], told
    assert _rows() == rows
    assert _states() == states


@pytest.mark.parametrize("who", ["viewer", "viewer by token"])
def test_a_viewer_sees_and_changes_nothing(who: str, addresses: list[str]) -> None:
    client = _client(who)
    rows, states = _rows(), _states()
    seen = 0
    for address in addresses:
        if who == "viewer by token" and not address.startswith("/api/"):
            continue
        for method in METHODS:
            if (method, address) == ("delete", "/api/v1/token/"):
                continue  # revokes the token that all others are asked with
            answer = getattr(client, method)(address)
            told = f"{method} {address}: {answer.status_code}"
            assert answer.status_code < 500, told
            seen += method == "get" and answer.status_code == 200
    assert seen > (30 if who == "viewer" else 10)
    assert _rows() == rows
    assert _states() == states


@pytest.mark.parametrize("who", ["operator", "superuser"])
def test_who_may_act_breaks_nothing_by_odd_ways_of_asking(who: str, addresses: list[str]) -> None:
    client = _client(who)
    for address in addresses:
        for method in METHODS + ODD_METHODS if who in ASK_ODDLY else METHODS:
            if (method, "delete" in address) == ("post", True):
                continue  # a deletion that is confirmed would take away what the others ask for
            answer = getattr(client, method)(address)
            assert answer.status_code < 500 or (answer.status_code == 503 and method == "post"), (
                f"{method} {address} as {who}: {answer.status_code}"
            )
    assert Process.objects.filter(host=WATCHED).exists()
