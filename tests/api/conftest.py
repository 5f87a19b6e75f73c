"""Who asks, and a small fleet to ask about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from rest_framework.test import APIClient

from memwatch.models import Alert, Baseline, Command, Leak, Process, Snapshot
from memwatch.permissions import OPERATORS, VIEWERS
from memwatch.services import tokens
from tests.api.rows import store_alert, store_command, store_leak
from tests.services.conftest import transport_url
from tests.services.stored import MINUTE, NOON, growing, store_process, store_snapshots

__all__ = ["transport_url"]


@pytest.fixture(autouse=True)
def _no_attempts_counted_yet() -> None:
    cache.clear()


@pytest.fixture
def api(db: None) -> Callable[..., APIClient]:
    """A client of ``anonymous``, ``plain``, ``viewer``, ``operator`` or ``superuser``, with a token."""

    def client(who: str) -> APIClient:
        made = APIClient()
        if who == "anonymous":
            return made
        user = User.objects.create_user(who, password="a-password", is_superuser=who == "superuser")
        groups = {"viewer": VIEWERS, "operator": OPERATORS}
        if who in groups:
            user.groups.add(Group.objects.get(name=groups[who]))
        made.credentials(HTTP_AUTHORIZATION=f"Token {tokens.issue(user)[0]}")
        LogEntry.objects.all().delete()  # that the token was given
        return made

    return client


@pytest.fixture
def viewer(api: Callable[..., APIClient]) -> APIClient:
    return api("viewer")


@pytest.fixture
def operator(api: Callable[..., APIClient]) -> APIClient:
    return api("operator")


@dataclass
class Fleet:
    """Two web processes of one host with a leak, an alert and a command; one worker that has said nothing yet."""

    web: Process
    web_2: Process
    worker: Process
    leak: Leak
    alert: Alert
    command: Command

    @property
    def last(self) -> Snapshot:
        assert self.web.last_snapshot is not None
        return self.web.last_snapshot

    @property
    def baseline(self) -> Baseline:
        return self.web.baselines.get()


@pytest.fixture
def fleet(db: None, transport_url: str) -> Fleet:
    web, web_2 = store_process("web"), store_process("web", slot=2)
    worker = store_process("worker", host="b")
    for process in (web, web_2):
        store_snapshots(process, NOON - 5 * MINUTE, NOON, growing(-5, 100))
    leak = store_leak(web)
    return Fleet(
        web=web, web_2=web_2, worker=worker, leak=leak, alert=store_alert(web, leak), command=store_command(web)
    )
