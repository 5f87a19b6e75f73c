"""``memwatch_snapshot`` and ``memwatch_baseline``, with agents of flesh and blood."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, load_command_class

from memwatch.management import commands
from memwatch.models import Baseline
from tests.services.stored import MINUTE, NOON, store_process, store_snapshots
from tests.terminal.conftest import Ran


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(commands.__path__)])
def test_the_help_of_a_command_has_examples_and_its_exit_codes(name: str) -> None:
    told = load_command_class("memwatch", name).help
    assert f"Examples: {name}" in told
    assert "Exit code: 0" in told


def test_a_process_that_does_not_answer_is_named_and_the_command_fails(run: Callable[..., Ran]) -> None:
    store_process("web")
    ran = run("memwatch_snapshot", "web-1", "--wait", "0.2")
    assert ran.code == 1
    assert "web-1 on a" in ran.err


def test_nothing_named_and_unknown_names_are_told_with_those_that_there_are(run: Callable[..., Ran]) -> None:
    store_process("web")
    with pytest.raises(CommandError, match="Name the processes"):
        run("memwatch_snapshot")
    with pytest.raises(CommandError, match=r"No process 'web-7' is alive. Alive: web-1"):
        run("memwatch_snapshot", "web-7")
    with pytest.raises(CommandError, match=r"no service 'wep'. Known: web"):
        run("memwatch_snapshot", "--service", "wep")


def test_the_same_slot_on_two_hosts_is_told_apart(run: Callable[..., Ran]) -> None:
    store_process("web", host="a")
    store_process("web", host="b")
    ran = run("memwatch_snapshot", "web-1@b", "--wait", "0.1")
    assert "web-1 on b" in ran.err
    assert "web-1 on a" not in ran.err


def test_a_baseline_is_reset_in_a_users_name_and_listed(run: Callable[..., Ran]) -> None:
    process = store_process("web")
    store_snapshots(process, NOON, NOON + 5 * MINUTE)
    User.objects.create(username="ops")
    ran = run("memwatch_baseline", "reset", "web-1", "--reason", "deploy 4.2", "--user", "ops")
    assert ran.code == 0
    row = Baseline.objects.get(process=process, active=True)
    assert (row.reason, row.created_by.username if row.created_by else None) == ("deploy 4.2", "ops")
    assert "its own baseline of" in run("memwatch_baseline", "list").out
    assert "(deploy 4.2)" in run("memwatch_baseline", "list").out


def test_a_services_baseline_is_reset_as_one(run: Callable[..., Ran]) -> None:
    store_snapshots(store_process("web"), NOON, NOON + 5 * MINUTE)
    assert "the baseline is how its processes are now" in run("memwatch_baseline", "reset", "--service", "web").out
    assert Baseline.objects.filter(process=None, service__name="web", active=True).count() == 1


def test_a_process_without_a_snapshot_keeps_what_it_had_and_the_command_fails(run: Callable[..., Ran]) -> None:
    store_process("web")
    ran = run("memwatch_baseline", "reset", "web-1")
    assert ran.code == 1
    assert "has reported no snapshot yet" in ran.err
    with pytest.raises(CommandError, match="no user 'nobody'"):
        run("memwatch_baseline", "reset", "web-1", "--user", "nobody")


def test_figures_can_be_had_as_json(run: Callable[..., Ran], answering: str) -> None:
    ran = run("memwatch_snapshot", "web-1", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["rss_mb"] == 123.0
    assert "RSS 123.0 MB" in run("memwatch_snapshot", "web-1").out
