"""``manage.py memwatch_env``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError

from memwatch.conf import get_settings
from memwatch.transport.keys import service_key
from tests.terminal.conftest import Ran


def test_it_prints_the_lines_of_a_service_and_nothing_else(
    run: Callable[..., Ran], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", "redis://agent:p@hub/0")
    settings.MEMWATCH = {"HUB_TRANSPORT": "redis://hub:q@hub/0"}
    key = service_key(get_settings().command_key, "api")
    ran = run("memwatch_env", "--service", "api")
    assert (ran.err, ran.code) == ("", 0)
    assert ran.out == (
        "export MEMWATCH_TRANSPORT=redis://agent:p@hub/0\n"
        f"export MEMWATCH_COMMAND_KEY={key}\n"
        "export MEMWATCH_SERVICE=api\n"
    )
    assert get_settings().command_key not in ran.out


def test_what_to_know_is_not_among_the_lines(run: Callable[..., Ran], settings: Any) -> None:
    settings.MEMWATCH = {"TRANSPORT": "local:"}
    ran = run("memwatch_env", "--format", "env")
    assert ran.err.startswith("memwatch: The transport is a folder")
    assert ran.out.startswith("MEMWATCH_TRANSPORT=local:///")


def test_a_wrong_name_is_refused(run: Callable[..., Ran]) -> None:
    with pytest.raises(CommandError, match="--service: give a short name"):
        run("memwatch_env", "--service", "a/b")
