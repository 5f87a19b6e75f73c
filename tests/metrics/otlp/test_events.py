"""Events on their way from the database to a collector."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from memwatch.metrics.otlp import events as module
from memwatch.metrics.otlp.config import config
from memwatch.metrics.otlp.events import LEASE, LEASE_S, send_events
from memwatch.metrics.otlp.outlet import Outlet, logs_outlet
from memwatch.models import EventCursor, LeakEvent, Lease, Process, Recycle
from memwatch.queries.deployment.event_log import EVENT_NAMES, SOURCES
from memwatch.services import event_cursors
from memwatch.services.locking import take
from tests.api.rows import store_alert, store_leak
from tests.metrics.otlp.conventions import attribute_names
from tests.metrics.otlp.receiver import Receiver, Record
from tests.services.stored import store_process
from tests.services.stored_deaths import store_death

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def outlet(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outlet[Any]]:
    """To the receiver."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    signal = config(os.environ).logs
    assert signal is not None
    made = logs_outlet(signal)
    yield made
    made.close()


@pytest.fixture
def process(now: datetime) -> Process:
    return store_process(started=now - 60 * MINUTE, python="3.11.7", resource={"service.name": "shop"})


@pytest.fixture
def begun(outlet: Outlet[Any], now: datetime, process: Process) -> None:
    """An exporter that has run for five minutes."""
    send_events(outlet, now - 5 * MINUTE)


def sent(outlet: Outlet[Any], receiver: Receiver, now: datetime) -> list[Record]:
    """What one run sends."""
    before = len(receiver.records)
    send_events(outlet, now)
    return receiver.records[before:]


def leak_event(process: Process, at: datetime, kind: str = "detected", object_type: str = "shop.Quote") -> LeakEvent:
    return LeakEvent.objects.create(leak=store_leak(process, object_type), at=at, kind=kind)


@pytest.mark.usefixtures("begun")
def test_everything_that_happens_is_sent_once_with_name_severity_and_link(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak = leak_event(process, now - 4 * MINUTE).leak
    LeakEvent.objects.create(leak=leak, at=now - 3 * MINUTE, kind="worsened")
    LeakEvent.objects.create(leak=leak, at=now - 2 * MINUTE, kind="resolved", comment="Mended.")
    LeakEvent.objects.create(leak=leak, at=now - 2 * MINUTE, kind="comment", comment="for us alone")
    store_alert(process, raised_at=now - 3 * MINUTE, cleared_at=now - MINUTE, severity="critical")
    dead = store_death(at=now - 2 * MINUTE, process=store_process(slot=2))
    Recycle.objects.create(
        service=process.service, process=process, name="web-1 on a", state="recycled", because="limit", why="large",
        ended_at=now - MINUTE, private_before_kib=1024,
    )  # fmt: skip
    records = sent(outlet, receiver, now)
    found = {record.name: record for record in records}
    assert set(found) == {
        "memwatch.leak.opened", "memwatch.leak.worsened", "memwatch.leak.closed", "memwatch.alert.opened",
        "memwatch.alert.ended", "memwatch.process.died", "memwatch.worker.recycled",
    }  # fmt: skip
    assert set(found) <= set(EVENT_NAMES)
    assert len(records) == len(found)
    opened, died = found["memwatch.leak.opened"], found["memwatch.process.died"]
    assert opened.severity == 17
    assert opened.body == "shop.Quote grows steadily."
    assert opened.attributes["memwatch.url"].endswith(f"/memwatch/leak/{leak.pk}/change/")
    assert opened.attributes["memwatch.object_type"] == "shop.Quote"
    assert opened.resource["service.name"] == "shop"
    assert opened.resource["service.instance.id"] == process.key
    assert found["memwatch.leak.closed"].severity == 9
    assert found["memwatch.leak.closed"].body.endswith("Mended.")
    assert found["memwatch.alert.opened"].severity == 18
    assert died.attributes["memwatch.death.reason"] == "oom_process"
    assert died.attributes["memwatch.death.memory"] == 498 * 2**20
    assert died.attributes["memwatch.job.name"] == "shop.sync"
    assert died.attributes["memwatch.url"].endswith(f"/memwatch/death/{dead.pk}/change/")
    assert {name for record in records for name in record.attributes if not name.startswith("memwatch.")} == set()
    assert {
        name for record in records for name in record.resource if not name.startswith("memwatch.")
    } <= attribute_names()
    assert sent(outlet, receiver, now + MINUTE) == []


@pytest.mark.usefixtures("begun")
def test_the_trace_of_the_job_that_was_running_is_linked(
    outlet: Outlet[Any], receiver: Receiver, now: datetime
) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    store_death(at=now - MINUTE, span=f"{trace_id}-{span_id}")
    store_death(at=now - MINUTE)
    (linked, unlinked) = sent(outlet, receiver, now)
    assert (linked.trace_id, linked.span_id) == (trace_id, span_id)
    assert (unlinked.trace_id, unlinked.span_id) == ("", "")


def test_what_happened_before_the_first_start_is_not_sent(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak_event(process, now - MINUTE)
    assert sent(outlet, receiver, now) == []
    assert sent(outlet, receiver, now + MINUTE) == []


@pytest.mark.usefixtures("begun")
def test_a_restart_neither_loses_nor_doubles(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak_event(process, now - 2 * MINUTE)
    assert len(sent(outlet, receiver, now - MINUTE)) == 1
    leak_event(process, now, object_type="shop.Other")
    (later,) = sent(outlet, receiver, now + 3 * 60 * MINUTE)  # it was away for three hours
    assert later.attributes["memwatch.object_type"] == "shop.Other"


@pytest.mark.usefixtures("begun")
def test_what_is_stored_late_is_sent_as_well(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    assert sent(outlet, receiver, now) == []
    leak_event(process, now - 2 * MINUTE)  # its transaction took long
    store_death(at=now - 2 * MINUTE, process=store_process(slot=2))
    assert len(sent(outlet, receiver, now + MINUTE)) == 2
    assert sent(outlet, receiver, now + 2 * MINUTE) == []


@pytest.mark.usefixtures("begun")
def test_an_end_that_becomes_known_a_day_later_is_sent(outlet: Outlet[Any], receiver: Receiver, now: datetime) -> None:
    dead = store_death(at=now - 30 * 60 * MINUTE)  # its host's transport was away
    Process.objects.filter(pk=dead.pk).update(end_noted_at=now)
    (found,) = sent(outlet, receiver, now + MINUTE)
    assert found.attributes["memwatch.death.reason"] == "oom_process"


def upgrade() -> None:
    """The ends so far were noted by a version that did not keep when; then memwatch is upgraded."""
    Process.objects.update(end_noted_at=None)
    migration = import_module("memwatch.migrations.0036_ends_noted_before_the_upgrade")
    migration.note(apps, connection.schema_editor())


@pytest.mark.usefixtures("begun")
def test_after_an_upgrade_what_waited_is_sent_once_and_nothing_else(
    outlet: Outlet[Any], receiver: Receiver, now: datetime
) -> None:
    store_death(at=now - 30 * 24 * 60 * MINUTE)
    store_death(at=now - 60 * MINUTE)
    arrived = store_death(at=now - 4 * MINUTE)
    assert len(sent(outlet, receiver, now - 3 * MINUTE)) == 1
    waits = store_death(at=now - 2 * MINUTE)
    upgrade()
    assert [record.attributes["memwatch.event.id"] for record in sent(outlet, receiver, now)] == [
        f"process-{waits.pk}-oom_process"
    ]
    assert arrived.pk != waits.pk
    assert sent(outlet, receiver, now + MINUTE) == []


def test_after_an_upgrade_a_first_exporter_sends_no_old_ends(
    outlet: Outlet[Any], receiver: Receiver, now: datetime
) -> None:
    for days in range(5):
        store_death(at=now - (days + 1) * 24 * 60 * MINUTE)
    upgrade()
    assert not Process.objects.exclude(end_noted_at=None).exists()
    assert sent(outlet, receiver, now) == []
    assert sent(outlet, receiver, now + MINUTE) == []


@pytest.mark.usefixtures("begun")
def test_what_has_arrived_is_not_read_again(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    store_death(at=now - 2 * MINUTE, process=store_process(slot=2))
    leak_event(process, now - 2 * MINUTE)
    assert len(sent(outlet, receiver, now)) == 2
    later = now + 30 * MINUTE
    assert sent(outlet, receiver, later) == []
    for source in SOURCES:
        position = event_cursors.position(source.name, later)
        assert source.read(position.since(later), later, 1_000) == []
        assert position.sent == {}


@pytest.mark.usefixtures("begun")
def test_a_death_is_sent_again_when_its_reason_becomes_known(
    outlet: Outlet[Any], receiver: Receiver, now: datetime
) -> None:
    dead = store_death(at=now - 2 * MINUTE, reason=Process.End.STALE)
    (silent,) = sent(outlet, receiver, now)
    Process.objects.filter(pk=dead.pk).update(end_reason=Process.End.OOM_CONTAINER, end_noted_at=now)
    (known,) = sent(outlet, receiver, now + MINUTE)
    assert [record.attributes["memwatch.death.reason"] for record in (silent, known)] == ["stale", "oom_container"]
    assert known.severity > silent.severity


@pytest.mark.usefixtures("begun")
def test_events_wait_while_the_collector_is_away(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    receiver.refuse = 401
    leak_event(process, now - MINUTE)
    store_alert(process, raised_at=now - MINUTE)
    assert sent(outlet, receiver, now) == []
    assert (outlet.sent, outlet.dropped) == (0, 0)
    requests = receiver.requests
    assert sent(outlet, receiver, now + 30 * MINUTE) == []
    assert receiver.requests == requests + 1, "the first request that fails ends a run"
    receiver.refuse = None
    assert len(sent(outlet, receiver, now + 60 * MINUTE)) == 2
    assert outlet.sent == 2


@pytest.mark.usefixtures("begun")
def test_an_event_that_is_refused_for_good_is_dropped_and_holds_up_no_other(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    leak, wrong = store_leak(process), store_leak(process, object_type="shop.Poison")
    for number in range(40):
        LeakEvent.objects.create(leak=wrong if number == 17 else leak, at=now - MINUTE, kind="worsened")
    receiver.refuses_text = "shop.Poison"
    assert len(sent(outlet, receiver, now)) == 39
    assert (outlet.sent, outlet.dropped) == (39, 1)
    (line,) = [each.getMessage() for each in caplog.records if "for good" in each.getMessage()]
    assert "shop.Poison" in line
    assert sent(outlet, receiver, now + MINUTE) == []


@pytest.mark.usefixtures("begun")
def test_many_that_are_refused_are_all_dropped_and_none_is_sent_twice(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak, wrong = store_leak(process), store_leak(process, object_type="shop.Poison")
    for number in range(200):
        LeakEvent.objects.create(leak=wrong if number % 20 == 3 else leak, at=now - MINUTE, kind="worsened")
    receiver.refuses_text = "shop.Poison"
    found = [record for minute in range(8) for record in sent(outlet, receiver, now + minute * MINUTE)]
    assert len({record.attributes["memwatch.event.id"] for record in found}) == len(found) == 190
    assert (outlet.sent, outlet.dropped) == (190, 10)


@pytest.mark.usefixtures("begun")
def test_an_event_that_meets_a_passing_failure_beside_one_that_is_refused_is_sent_later(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak, wrong = store_leak(process), store_leak(process, object_type="shop.Poison")
    for number in range(4):
        LeakEvent.objects.create(leak=wrong if number == 0 else leak, at=now - MINUTE, kind="worsened")
    receiver.refuses_text, receiver.busy_at = "shop.Poison", 3
    found = sent(outlet, receiver, now) + sent(outlet, receiver, now + MINUTE)
    assert len(found) == 3
    assert (outlet.sent, outlet.dropped) == (3, 1)


@pytest.mark.usefixtures("begun")
def test_an_event_that_is_refused_alone_waits_and_holds_up_no_other_kind(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak_event(process, now - MINUTE)
    receiver.refuses_text = "memwatch.leak"
    store_alert(process, raised_at=now - MINUTE)
    assert [record.name for record in sent(outlet, receiver, now)] == ["memwatch.alert.opened"]
    receiver.refuses_text = ""
    assert len(sent(outlet, receiver, now + MINUTE)) == 1
    assert outlet.dropped == 0


@pytest.mark.usefixtures("begun")
def test_a_flood_goes_in_parts_and_is_complete(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 7)
    monkeypatch.setattr(module, "MOST_REQUESTS", 2)
    leak = store_leak(process)
    LeakEvent.objects.bulk_create(
        LeakEvent(leak=leak, at=now - MINUTE, kind="worsened") for _number in range(40)
    )  # all at the same time
    found = [record for minute in range(4) for record in sent(outlet, receiver, now + minute * MINUTE)]
    assert [len(request.resource_logs[0].scope_logs[0].log_records) for request in receiver.logs] == [7] * 5 + [5]
    assert len({record.attributes["memwatch.event.id"] for record in found}) == 40


@pytest.mark.usefixtures("begun")
def test_one_of_several_exporters_sends(
    outlet: Outlet[Any], receiver: Receiver, process: Process, now: datetime
) -> None:
    leak_event(process, now - MINUTE)
    assert take(LEASE, "another", timezone.now(), LEASE_S)
    assert sent(outlet, receiver, now) == []


@pytest.mark.usefixtures("begun")
def test_sending_is_no_sign_that_the_timetable_runs() -> None:
    assert not Lease.objects.exists(), "the health page goes by the last run of any"


def test_ids_that_are_kept_are_bounded(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_cursors, "MOST_SENT", 3)
    position = event_cursors.position("x", now - 60 * MINUTE)
    times = {f"e{number}": (now - number * MINUTE).timestamp() for number in range(6)}
    moved = position.moved(now, times)
    assert set(moved.sent) == {"e0", "e1", "e2"}
    assert moved.since(now) > now - 2 * MINUTE, "what was sent is not sent twice"
    event_cursors.save(moved, position)
    assert event_cursors.position("x", now) == moved
    assert EventCursor.objects.get().began_at == now - 60 * MINUTE


def test_what_is_over_a_week_old_is_not_sent(now: datetime) -> None:
    position = event_cursors.position("x", now - timedelta(days=90))
    assert position.since(now) == now - timedelta(days=7)


def test_each_source_reads_in_one_query(django_assert_num_queries: Any, process: Process, now: datetime) -> None:
    for number in range(3):
        leak_event(process, now, object_type=f"shop.T{number}")
        store_alert(process, raised_at=now, cleared_at=now)
        store_death(at=now, process=store_process(slot=5 + number))
        Recycle.objects.create(
            service=process.service, process=process, name="n", state="left", because="limit", why="w", ended_at=now
        )
    for source in SOURCES:
        with django_assert_num_queries(1):
            found = source.read(now - MINUTE, now, 10)
        with django_assert_num_queries(0):
            for _at, event in found:
                module.record(event, now)
        assert len(found) == 3
