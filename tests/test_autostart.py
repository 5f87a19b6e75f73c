"""Where the agent is started in a Django process, and what happens when it cannot be."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started
from django.test import override_settings

from memwatch import agent, autostart
from memwatch.agent import lifecycle, work_counters
from memwatch.agent.config import AgentConfig
from memwatch.agent.watch_policy import LATER, WEB

GUNICORN = ["/srv/.venv/bin/gunicorn", "shop.wsgi"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[AgentConfig, float]]]:
    """The agents that would have been started, in a process that is none of pytest's."""
    found: list[tuple[AgentConfig, float]] = []

    def start(config: AgentConfig, *, delay_s: float = lifecycle.START_DELAY_S) -> None:
        lifecycle._load_transport(config.transport)
        found.append((config, delay_s))
        lifecycle._config = config

    monkeypatch.setattr(lifecycle, "start", start)
    monkeypatch.setattr(lifecycle, "_config", None)
    monkeypatch.setattr(autostart, "_modules", dict)
    monkeypatch.setattr(work_counters, "_requests", None)
    monkeypatch.delenv("MEMWATCH_AGENT", raising=False)
    yield found
    request_started.disconnect(dispatch_uid="memwatch.autostart")


def run_as(monkeypatch: pytest.MonkeyPatch, arguments: list[str], **memwatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    with override_settings(MEMWATCH=memwatch):
        autostart.install()


Started = list[tuple[AgentConfig, float]]


def test_a_web_worker_is_watched_with_the_settings_of_the_site(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(monkeypatch, GUNICORN, SERVICE="shop", SNAPSHOT_INTERVAL=7, COMMAND_KEY="secret")
    ((config, delay_s),) = started
    assert (config.service, config.snapshot_interval, config.command_key) == ("shop", 7.0, "secret")
    assert delay_s == WEB.delay_s
    assert work_counters.requests_handled() == 0


@pytest.mark.django_db  # Django closes old connections at the same signal
def test_requests_are_counted_and_revive_an_agent_that_is_missing(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(monkeypatch, GUNICORN)
    request_started.send(sender=None, environ={})
    assert work_counters.requests_handled() == 1
    assert len(started) == 2


def test_migrations_are_not_watched(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    run_as(monkeypatch, ["manage.py", "migrate"])
    assert started == []


def test_an_unknown_command_pays_nothing_for_its_first_seconds(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(monkeypatch, ["manage.py", "consume_orders"])
    assert [delay_s for _, delay_s in started] == [LATER.delay_s]


def test_the_agent_can_be_switched_off(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWATCH_AGENT", "off")
    run_as(monkeypatch, GUNICORN)
    assert started == []


def test_a_wrong_setting_stops_a_server_with_key_value_and_remedy(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r'MEMWATCH\["SNAPSHOT_INTERVAL"\] is "60s": give a number'):
        run_as(monkeypatch, GUNICORN, SNAPSHOT_INTERVAL="60s")
    monkeypatch.delenv("MEMWATCH_TRANSPORT", raising=False)
    with pytest.raises(ImproperlyConfigured, match=r'MEMWATCH\["TRANSPORT"\].*unknown option'):
        run_as(monkeypatch, GUNICORN, TRANSPORT="local:///tmp/x?gruop=www")
    assert started == []


def test_in_management_commands_a_wrong_setting_is_left_to_the_system_checks(
    started: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "memwatch.agent"):
        run_as(monkeypatch, ["manage.py", "consume_orders"], SNAPSHOT_INTERVAL="60s")
    assert started == []
    (record,) = caplog.records
    assert "SNAPSHOT_INTERVAL" in record.getMessage()


def test_an_agent_that_cannot_be_started_does_not_stop_its_host(
    started: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(config: AgentConfig, *, delay_s: float) -> None:
        raise OSError("no file number left")

    monkeypatch.setattr(agent, "start", fail, raising=False)
    run_as(monkeypatch, GUNICORN)
    assert [record.name for record in caplog.records] == ["memwatch.agent"]


def test_nothing_starts_under_pytest_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    run_as(monkeypatch, GUNICORN)
    assert agent.current() is None
