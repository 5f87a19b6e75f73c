"""Who did what, and who tried: the admin's log where there is an account, the log of the service for all."""

from __future__ import annotations

import getpass
import logging
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

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
