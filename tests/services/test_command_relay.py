"""A web process without the right to send commands lets a worker do it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import celery
import pytest

from memwatch.conf import get_settings
from memwatch.models import Process
from memwatch.services import command_relay, commands
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import Hub, TransportUnavailable
from memwatch.transport.wire import Command as WireCommand
from tests.reports import process, report, snapshot
from tests.services.agents import TestAgent

pytestmark = pytest.mark.django_db


class Broker:
    """Takes tasks as Celery's application does, and gives each to ``work`` at once."""

    def __init__(self, work: Callable[..., None]) -> None:
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.work = work

    def send_task(self, name: str, kwargs: dict[str, Any], **options: Any) -> None:
        self.sent.append((name, kwargs, options))
        self.work(**kwargs)


@pytest.fixture
def watched(hub: Hub, send: Any) -> Process:
    send(report(process(1), {0: snapshot()}))
    ingest_reports(hub=hub)
    return Process.objects.get()


@pytest.fixture
def broker(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker(lambda payloads, wait_s: commands.deliver(payloads, wait_s=wait_s, hub=hub))
    monkeypatch.setattr(celery.current_app, "send_task", made.send_task)
    return made


@pytest.fixture
def lent(watched: Process, settings: Any) -> None:
    """This process has no hub of its own."""
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": 60, "HUB_TRANSPORT": "worker"}


def test_a_worker_sends_the_command_and_the_snapshot_is_there_on_return(
    watched: Process, lent: None, broker: Broker, transport_url: str
) -> None:
    with TestAgent(transport_url, get_settings().command_key, process(1), lambda: snapshot(500, heap_used_mb=77)):
        row = commands.request_snapshot(watched, wait_s=5)
    assert row.state == "done"
    assert row.snapshot.heap_used_kib == 77 * 1024
    ((name, _kwargs, options),) = broker.sent
    assert name == "memwatch.deliver_commands"
    assert options["queue"] == "memwatch"
    assert options["expires"] <= commands.LIFETIME_S


def test_a_worker_sends_nothing_that_an_agent_would_not_obey(
    watched: Process, broker: Broker, transport_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    forged = WireCommand.make("snapshot", watched.key).encode("another key").decode()
    misdirected = WireCommand.make("snapshot", "somebody else").encode(get_settings().command_key).decode()
    with TestAgent(transport_url, get_settings().command_key, process(1), snapshot) as agent:
        commands.deliver({watched.key: forged}, wait_s=0.3, hub=None)
        commands.deliver({watched.key: misdirected}, wait_s=0.3, hub=None)
        commands.deliver({watched.key: "not a command \ud800"}, wait_s=0.3, hub=None)
    assert agent.obeyed == []
    assert caplog.text.count("1 of 1 commands to deliver are not right") == 3


def test_a_worker_sends_nothing_that_no_operator_may_ask_for(
    watched: Process, broker: Broker, transport_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def signed(name: str, target: str, lifetime_s: float = 30) -> str:
        return WireCommand.make(name, target, lifetime_s=lifetime_s).encode(get_settings().command_key).decode()

    stranger, key = process(2).key, watched.key
    with TestAgent(transport_url, get_settings().command_key, process(1), snapshot) as agent:
        commands.deliver({"*": signed("snapshot", "*")}, wait_s=0.2)
        commands.deliver({stranger: signed("reset_baseline", stranger)}, wait_s=0.2)
        commands.deliver({key: signed("snapshot", key)}, wait_s=0.2)  # without a row
        commands.deliver({key: signed("reset_baseline", key, lifetime_s=3000)}, wait_s=0.2)
        assert agent.obeyed == []
        assert caplog.text.count("1 of 1 commands to deliver are not right") == 4
        commands.deliver({key: signed("reset_baseline", key)}, wait_s=0.2)
    assert agent.obeyed == ["reset_baseline"]


def test_a_worker_passes_on_no_order_to_recycle_even_with_a_row_and_a_right_signature(
    watched: Process, lent: None, broker: Broker, transport_url: str
) -> None:
    with TestAgent(transport_url, get_settings().command_key, process(1), snapshot) as agent:
        commands.ask("recycle", [watched], wait_s=0.3, arguments={"drain_s": 60})
        assert commands.request_snapshot(watched, wait_s=5).state == "done"
    assert agent.obeyed == ["snapshot"]


def test_clocks_that_are_seconds_apart_stop_no_command(
    watched: Process, hub: Hub, transport_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "LIFETIME_S", 25.0)  # for the worker, whose clock is five seconds behind
    with TestAgent(transport_url, get_settings().command_key, process(1), snapshot) as agent:
        message = WireCommand.make("reset_baseline", watched.key, lifetime_s=30).encode(get_settings().command_key)
        commands.deliver({watched.key: message.decode()}, wait_s=0.3, hub=hub)
    assert agent.obeyed == ["reset_baseline"]


def test_a_worker_asks_a_process_no_more_often_than_anybody_may(
    watched: Process, lent: None, broker: Broker, transport_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MOST_PER_MINUTE", 2)
    monkeypatch.setattr(commands, "_refusals", lambda *_: {})  # as a web process that was taken over
    with TestAgent(transport_url, get_settings().command_key, process(1), snapshot) as agent:
        for _ in range(4):
            commands.ping(watched, wait_s=0.3)
    assert agent.obeyed == ["ping", "ping"]


def test_the_process_itself_may_not_use_the_hub(lent: None) -> None:
    with pytest.raises(TransportUnavailable, match="only Celery workers"):
        command_relay.open_own()


def test_a_broker_that_is_away_is_told_and_the_command_has_failed(watched: Process, lent: None, broker: Broker) -> None:
    def away(**_kwargs: Any) -> None:
        raise OSError("connection refused")

    broker.work = away
    row = commands.request_snapshot(watched, wait_s=1)
    assert row.state == "failed"
    assert "no worker could be asked to send commands: connection refused" in row.detail


def test_a_worker_without_rights_says_so(lent: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    commands.deliver({"a": "b"}, wait_s=0)
    assert "HUB_TRANSPORT is worker in a worker too" in caplog.text
