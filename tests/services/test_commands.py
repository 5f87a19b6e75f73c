from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.models import Command, Process, Snapshot
from memwatch.services import ActionRefused, commands
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import Hub, TransportUnavailable
from memwatch.transport.local import LocalHub
from memwatch.transport.wire import Answer
from tests.reports import at, process, report, snapshot
from tests.services.agents import TestAgent

pytestmark = pytest.mark.django_db


@pytest.fixture
def watched(hub: Hub, send: Any) -> Process:
    send(report(process(1), {0: snapshot()}))
    ingest_reports(hub=hub)
    return Process.objects.get()


def agent(url: str, pid: int = 1) -> TestAgent:
    return TestAgent(url, get_settings().command_key, process(pid), lambda: snapshot(500, heap_used_mb=77))


def test_a_snapshot_asked_for_is_there_on_return(
    watched: Process, hub: Hub, transport_url: str, admin_user: Any
) -> None:
    with agent(transport_url):
        command = commands.request_snapshot(watched, by=admin_user, wait_s=5)
    assert command.state == "done"
    assert command.snapshot.heap_used_kib == 77 * 1024
    assert command.created_by == admin_user
    watched.refresh_from_db()
    assert watched.last_snapshot == command.snapshot
    assert "snapshot" in LogEntry.objects.get(user=admin_user).change_message

    assert ingest_reports(hub=hub).duplicates == 1, "the same report came the ordinary way too"
    assert Snapshot.objects.count() == 2


def test_without_waiting_the_answer_comes_with_the_next_ingest(watched: Process, hub: Hub, transport_url: str) -> None:
    with agent(transport_url) as asked:
        command = commands.request_snapshot(watched)
        assert command.state == "sent"
        deadline = timezone.now() + timedelta(seconds=5)
        while not hub.state().backlog and timezone.now() < deadline:
            pass
    assert asked.obeyed == ["snapshot"]
    ingest_reports(hub=hub)
    command.refresh_from_db()
    assert (command.state, command.snapshot.seq) == ("done", 1001)


def test_a_process_that_does_not_answer_costs_no_more_than_the_wait(watched: Process) -> None:
    before = timezone.now()
    command = commands.ping(watched, wait_s=0.3)
    assert command.state == "sent"
    assert timezone.now() - before < timedelta(seconds=3)
    assert commands.expire(command.expires_at) == 1
    command.refresh_from_db()
    assert command.state == "expired"


def test_who_cannot_be_asked_is_refused_in_a_sentence(watched: Process) -> None:
    for _ in range(commands.MOST_PER_MINUTE):
        commands.request_snapshot(watched)
    with pytest.raises(ActionRefused, match="web-1 on h1 was asked 30 times within a minute"):
        commands.request_snapshot(watched)
    assert commands.ping(watched, wait_s=0).state == "sent", "the limit is of one kind of question"
    watched.ended_at = at(5)
    with pytest.raises(ActionRefused, match="has ended"):
        commands.ping(watched)
    watched.ended_at, watched.outside = None, True
    with pytest.raises(ActionRefused, match="has no agent"):
        commands.ping(watched)


def test_of_many_those_that_cannot_be_asked_are_refused_and_the_others_asked(
    watched: Process, send: Any, hub: Hub
) -> None:
    send(report(process(2), {0: snapshot()}), report(process(2), sent_s=60, goodbye=True))
    ingest_reports(hub=hub)
    alive, gone = commands.request_snapshots(Process.objects.order_by("pid"))
    assert (alive.state, gone.state) == ("sent", "refused")
    assert "has ended" in gone.detail


def test_an_answer_counts_only_from_the_process_that_was_asked(watched: Process, send: Any, hub: Hub) -> None:
    command = commands.request_snapshot(watched)
    send(report(process(2), {0: snapshot()}, answers=[Answer(command=command.wire_id, state="done", snapshot_seq=0)]))
    ingest_reports(hub=hub)
    command.refresh_from_db()
    assert command.state == "sent"


def test_a_transport_that_is_away_is_said_in_the_command(watched: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_args: Any, **_kwargs: Any) -> None:
        raise TransportUnavailable("the folder is read-only")

    monkeypatch.setattr(LocalHub, "notify", unavailable)
    command = commands.request_snapshot(watched)
    assert (command.state, command.detail) == ("failed", "the transport is unavailable: the folder is read-only")
    assert commands.nudge(timezone.now() + timedelta(hours=1)) == 0


def test_only_the_silent_are_nudged(watched: Process, transport_url: str, hub: Hub, send: Any) -> None:
    now = timezone.now()
    with agent(transport_url) as asked:
        assert commands.nudge(now + timedelta(seconds=60)) == 0
        assert commands.nudge(now + timedelta(seconds=70)) == 1
        while not asked.obeyed:
            pass
    assert Command.objects.count() == 0
    assert ingest_reports(hub=hub).snapshots == 1
