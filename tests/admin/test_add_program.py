"""The page *Add a program*."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.permissions import OPERATORS, VIEWERS
from memwatch.transport.keys import service_key
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db
PAGE = "/admin/memwatch/process/add-program/"


def client(*permissions: str, group: str = VIEWERS) -> Client:
    user = User.objects.create_user("someone", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    found = Client()
    found.force_login(user)
    return found


@pytest.fixture(autouse=True)
def redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", "redis://agent:s3cret@hub/0")
    settings.MEMWATCH = {"HUB_TRANSPORT": "redis://hub:q@hub/0"}


def shown(client: Client, **query: str) -> str:
    return client.get(PAGE, query).content.decode()


def test_it_asks_for_a_service_first() -> None:
    page = shown(client("see_command_key"))
    assert 'name="service"' in page
    assert "MEMWATCH_COMMAND_KEY" not in page


def test_it_shows_the_lines_in_each_form_with_the_key_of_the_service_alone() -> None:
    page = shown(client("see_command_key"), service="api")
    for words in ("export MEMWATCH_SERVICE=api", "ExecStart=", "kind: Secret", "services:", "memwatch run -- uvicorn"):
        assert words in page
    assert service_key(get_settings().command_key, "api") in page
    assert page.count("data-copy=") == 5
    assert "redis://agent:s3cret@hub/0" in page
    assert get_settings().command_key not in page


@pytest.mark.parametrize("group", [VIEWERS, OPERATORS])
def test_without_the_permission_neither_key_nor_password_is_shown(group: str) -> None:
    page = shown(client(group=group), service="api")
    assert "see_command_key" in page
    assert "***" in page
    assert service_key(get_settings().command_key, "api") not in page
    assert "s3cret" not in page


def test_it_turns_green_when_a_process_reports() -> None:
    someone = client()
    assert "No process of api reports yet." in shown(someone, service="api")
    store_process("other")
    assert "mw-verdict-good" not in shown(someone, service="api")
    process = store_process("api", host="node-7")
    process.last_seen_at = timezone.now()
    process.save()
    page = shown(someone, service="api")
    assert "1 process of api reports." in page
    assert "mw-verdict-good" in page
    assert "node-7" in page


@pytest.mark.parametrize("name", ["", "a/b", "x" * 101, "<script>alert(1)</script>"])
def test_a_name_that_no_service_can_have_is_explained(name: str) -> None:
    page = shown(client("see_command_key"), service=name)
    assert "give a short name" in page
    assert "<script>alert" not in page


def test_who_may_not_view_processes_may_not_open_it() -> None:
    user = User.objects.create_user("other", is_staff=True)
    found = Client()
    found.force_login(user)
    assert found.get(PAGE).status_code == 403


def test_processes_the_overview_and_the_operations_lead_to_it() -> None:
    someone = client()
    for address in ("process/", "overview/", "operations/"):
        assert PAGE in someone.get(f"/admin/memwatch/{address}").content.decode(), address
