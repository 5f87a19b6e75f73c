"""Who did what, and who tried: the admin's log where there is an account, the log of the service for all."""

from __future__ import annotations

import contextlib
import getpass
import io
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from memwatch.services import uninstall
from tests.services.stored import MINUTE, NOON, store_process, store_snapshots

pytestmark = pytest.mark.django_db
LOG = "memwatch.services.audit"


@pytest.mark.parametrize("address", ["/api/v1/token/", "/admin/login/"])
def test_failed_sign_ins_are_kept(address: str, caplog: pytest.LogCaptureFixture) -> None:
    cache.clear()
    user = User.objects.create_superuser("admin", password="right")
    for name in ("admin", "admin", "admin", "no\nbody"):
        form = urlencode({"username": name, "password": "a-guess"})
        Client().post(address, form, content_type="application/x-www-form-urlencoded")
    assert [entry.change_message for entry in LogEntry.objects.filter(user=user)] == [
        f"Sign-in failed: {address}, from 127.0.0.1."
    ], "one a minute: guesses must not fill the table"
    lines = [record.getMessage() for record in caplog.records if record.name == LOG]
    assert len(lines) == 4
    assert "no\\nbody" in lines[3]
    assert "a-guess" not in "".join(lines)


def test_acts_from_a_terminal_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG)
    process = store_process("web")
    store_snapshots(process, NOON - 5 * MINUTE, NOON)
    account = User.objects.create_user(getpass.getuser())
    call_command("memwatch_baseline", "reset", "web-1")
    call_command("memwatch_prune", verbosity=0)
    assert [entry.change_message for entry in LogEntry.objects.filter(user=account)] == [
        "At a terminal: Baseline reset."
    ]
    assert [record.getMessage() for record in caplog.records if record.name == LOG] == [
        f"{account.username} at a terminal: {process}: Baseline reset.",
        f"{account.username} at a terminal: memwatch_prune.",
    ]


def test_every_command_that_acts_is_kept(
    caplog: pytest.LogCaptureFixture, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, LOG)
    settings.MEMWATCH = {**settings.MEMWATCH, "ALERT_CHANNELS": ["memwatch.alerts.channels.log"]}
    monkeypatch.setattr(uninstall, "parts", lambda: iter(()))  # the tables are those of all tests
    process = store_process("web")
    store_snapshots(process, NOON - 5 * MINUTE, NOON)

    def kept(*command: str) -> list[str]:
        caplog.clear()
        with contextlib.suppress(SystemExit):
            call_command(*command, stdout=io.StringIO(), stderr=io.StringIO())
        lines = [record.getMessage() for record in caplog.records if record.name == LOG]
        return [line.partition(" at a terminal: ")[2] for line in lines]

    assert kept("memwatch_snapshot", "web-1", "--wait", "0.1") == [f"{process}: Asked for: snapshot."]
    assert kept("memwatch_baseline", "reset", "--service", "web") == ["web: Baseline reset."]
    assert kept("memwatch_notify") == ["Test message to memwatch.alerts.channels.log."]
    assert kept("memwatch_prune", "--dry-run") == []
    assert kept("memwatch_uninstall") == []
    assert kept("memwatch_uninstall", "--yes") == ["memwatch_uninstall --yes."]
