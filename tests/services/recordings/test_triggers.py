"""Triggers: what fires them, what holds them back, what they would have done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from memwatch.models import Leak, LeakEvent, Process, Recording, Trigger
from memwatch.services import alerts
from memwatch.services.recordings import progress, triggers
from memwatch.transport import Hub
from tests.api.rows import store_alert, store_leak
from tests.services.stored import MINUTE, end_process, store_process, store_snapshots
from tests.services.stored_deaths import store_death

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def workers(now: datetime, transport_url: str) -> list[Process]:
    assert transport_url
    return [store_process("web", slot=slot, started=now - 6 * HOUR) for slot in (1, 2)]


def trigger(now: datetime, **values: Any) -> Trigger:
    return Trigger.objects.create(**{"name": "a rule", "created_at": now - 2 * timedelta(days=1), **values})


def opened(process: Process, at: datetime, **values: Any) -> Leak:
    leak = store_leak(process, detected_at=at, **values)
    LeakEvent.objects.create(leak=leak, kind=LeakEvent.Kind.DETECTED, at=at)
    return leak


def test_a_leak_that_opens_is_recorded_once(workers: list[Process], now: datetime, hub: Hub) -> None:
    rule = trigger(now, severity="high", kind="referrers")
    leak = opened(workers[0], now - MINUTE)
    assert triggers.fire(now, hub=hub) == 1
    recording = Recording.objects.get()
    assert (recording.trigger, recording.leak, recording.process) == (rule, leak, workers[0])
    assert recording.options["type"] == leak.object_type
    assert triggers.fire(now + MINUTE, hub=hub) == 0


def test_after_a_death_the_largest_process_that_lives_is_recorded_once(
    workers: list[Process], now: datetime, hub: Hub
) -> None:
    for worker, mb in zip(workers, (100, 300), strict=True):
        store_snapshots(worker, now, now, lambda _minutes, mb=mb: {"rss_kib": mb * 1024})  # type: ignore[misc]
    store_death(at=now - MINUTE)
    alerts.check(now)
    trigger(now, when="alert", alert_type="process_killed", kind="heap_summary")
    assert triggers.fire(now, hub=hub) == 1
    assert Recording.objects.get().process == workers[1]
    Recording.objects.update(state="done")
    assert triggers.fire(now + MINUTE, hub=hub) == 0


def test_several_kinds_are_recorded_one_after_the_other_each_with_its_options(
    workers: list[Process], now: datetime, hub: Hub
) -> None:
    rule = trigger(now, kind="heap_summary", and_then="referrers,allocations", duration_s=12, frames=5)
    leak = opened(workers[0], now - MINUTE)
    assert triggers.fire(now, hub=hub) == 1
    for _ in range(3):
        Recording.objects.pending().update(state="done")
        progress.keep_up(now, hub=hub)
    found = Recording.objects.order_by("pk")
    first = found[0]
    assert [(each.kind, each.process, each.trigger, each.follows) for each in found] == [
        ("heap_summary", workers[0], rule, None),
        ("referrers", workers[0], rule, first),
        ("allocations", workers[0], rule, first),
    ]
    assert [each.options for each in found] == [
        {},
        {"type": leak.object_type},
        {"type": leak.object_type, "duration_s": 12, "frames": 5},
    ]
    assert triggers.fire(now + MINUTE, hub=hub) == 0


def test_without_a_type_to_ask_for_nothing_is_recorded_twice(workers: list[Process], now: datetime, hub: Hub) -> None:
    trigger(now, kind="heap_summary", and_then="referrers,allocations")
    opened(workers[0], now - MINUTE, kind="native", object_type="native")
    assert triggers.fire(now, hub=hub) == 1
    assert Recording.objects.get().and_then == "allocations"


def test_the_cause_of_native_memory_is_looked_for_in_its_mappings_first(
    workers: list[Process], now: datetime, hub: Hub
) -> None:
    leak = opened(workers[0], now - MINUTE, kind="native", object_type="native")
    first = triggers.investigate(leak, hub=hub)
    assert (first.kind, first.and_then) == ("heap_summary", "flamegraph")
    Recording.objects.pending().update(state="done")
    progress.keep_up(now, hub=hub)
    then = Recording.objects.exclude(pk=first.pk).get()
    assert (then.kind, then.options["native_traces"]) == ("flamegraph", True)


def test_a_leak_below_the_severity_or_of_another_service_fires_nothing(
    workers: list[Process], now: datetime, hub: Hub
) -> None:
    rule = trigger(now, severity="high")
    rule.services.add(workers[0].service)
    opened(workers[0], now - MINUTE, severity="medium")
    opened(store_process("worker", slot=1, started=now - HOUR), now - MINUTE)
    assert triggers.fire(now, hub=hub) == 0


def test_the_last_healthy_worker_of_a_service_is_never_recorded(
    workers: list[Process], now: datetime, hub: Hub
) -> None:
    trigger(now)
    end_process(workers[1], now)
    opened(workers[0], now - MINUTE)
    assert triggers.fire(now, hub=hub) == 0
    assert not Recording.objects.exists()


CELERY_MAIN = {"program": "celery main", "command_line": "celery -A project worker -c 1"}


def test_a_main_that_only_forks_is_no_second_worker(now: datetime, transport_url: str, hub: Hub) -> None:
    assert transport_url
    store_process("worker", slot=1, started=now - HOUR, **CELERY_MAIN)
    child = store_process("worker", slot=2, started=now - HOUR, program="celery child")
    rule = trigger(now)
    leak = opened(child, now - MINUTE)
    (rehearsed,) = triggers.rehearse(rule, now)
    assert rehearsed.held_back == "it was the last worker of its service"
    assert triggers.fire(now, hub=hub) == 0
    store_process("worker", slot=3, started=now - HOUR, program="celery child")
    assert not triggers.rehearse(rule, now)[0].held_back
    assert triggers.fire(now, hub=hub) == 1
    recording = Recording.objects.get()
    assert (recording.process, recording.leak) == (child, leak)


def test_a_worker_that_is_its_own_main_counts(now: datetime, transport_url: str, hub: Hub) -> None:
    assert transport_url
    alone = {**CELERY_MAIN, "command_line": "celery -A project worker -P solo"}
    workers = [store_process("worker", slot=slot, started=now - HOUR, **alone) for slot in (1, 2)]
    trigger(now)
    opened(workers[0], now - MINUTE)
    assert triggers.fire(now, hub=hub) == 1


def test_a_silent_worker_does_not_count_as_healthy(workers: list[Process], now: datetime, hub: Hub) -> None:
    trigger(now)
    Process.objects.filter(pk=workers[1].pk).update(lease_expires_at=now - MINUTE)
    opened(workers[0], now - MINUTE)
    assert triggers.fire(now, hub=hub) == 0


@pytest.mark.parametrize(
    ("values", "fires"),
    [
        ({"when": "rss", "level": 150.0}, True),
        ({"when": "rss", "level": 250.0}, False),
        ({"when": "heap", "level": 40.0}, True),
        ({"when": "heap", "level": 60.0}, False),
        ({"when": "growth", "level": 50.0}, True),
        ({"when": "growth", "level": 200.0}, False),
    ],
)
def test_levels_and_growth_fire_when_they_are_passed(
    workers: list[Process], now: datetime, hub: Hub, values: dict[str, Any], fires: bool
) -> None:
    trigger(now, kind="heap_summary", **values)
    first, second = workers
    store_snapshots(first, now - 2 * HOUR, now - HOUR - MINUTE, lambda _m: {"rss_kib": 100 * 1024})
    store_snapshots(
        first, now - HOUR + MINUTE, now - MINUTE,
        lambda _m: {"rss_kib": 200 * 1024, "heap_used_kib": 50 * 1024, "heap_limit_kib": 100 * 1024},
    )  # fmt: skip
    store_snapshots(second, now - 2 * HOUR, now, lambda _m: {"rss_kib": 90 * 1024})
    assert triggers.fire(now, hub=hub) == (1 if fires else 0)
    if fires:
        assert Recording.objects.get().process == first
        assert triggers.fire(now + 2 * MINUTE, hub=hub) == 0


def test_an_alert_of_the_type_fires(workers: list[Process], now: datetime, hub: Hub) -> None:
    trigger(now, when="alert", alert_type="heap_critical", kind="allocations", duration_s=20)
    store_alert(workers[0], type="heap_critical", raised_at=now - MINUTE)
    store_alert(workers[1], type="gc_spike", raised_at=now - MINUTE)
    assert triggers.fire(now, hub=hub) == 1
    assert Recording.objects.get().options == {"duration_s": 20, "frames": 1}


def test_a_trigger_that_is_off_or_newer_than_the_occasion_fires_nothing(
    workers: list[Process], now: datetime, hub: Hub
) -> None:
    trigger(now, enabled=False)
    trigger(now, name="new", created_at=now - MINUTE / 2)
    opened(workers[0], now - MINUTE)
    assert triggers.fire(now, hub=hub) == 0


def test_a_trigger_keeps_its_limits_per_hour_and_per_day(now: datetime) -> None:
    rule = trigger(now, per_process_day=2, per_service_hour=1, per_hour=2)

    def reason(process: int, service: int, *history: tuple[float, int, int]) -> str:
        occasion = triggers.Occasion(at=now, service_id=service, process_id=process, why="")
        fired = [
            triggers.Fired(at=now - hours * HOUR, service_id=of, process_id=pk, leak_id=None)
            for hours, of, pk in history
        ]
        return triggers.held_back(rule, occasion, fired)

    assert reason(1, 1) == ""
    assert reason(1, 1, (0.5, 1, 1)) == "it was recorded for this within the hour"
    assert reason(1, 1, (0.5, 1, 2)) == "this service was recorded 1 times within an hour"
    assert reason(1, 1, (2, 1, 1)) == ""
    assert reason(1, 1, (2, 1, 1), (5, 1, 1)) == "this process was recorded 2 times within a day"
    assert reason(1, 1, (0.1, 2, 5), (0.2, 3, 6)) == "2 recordings were made within an hour"


def test_the_rehearsal_says_what_would_have_fired_and_records_nothing(workers: list[Process], now: datetime) -> None:
    rule = trigger(now, when="rss", level=150.0, kind="heap_summary", per_process_day=2, enabled=False)
    store_snapshots(workers[0], now - 5 * HOUR, now, lambda _m: {"rss_kib": 200 * 1024}, every=10 * MINUTE)
    found = triggers.rehearse(rule, now)
    assert 5 <= len(found) <= 6
    assert sum(not each.held_back for each in found) == 2
    assert {each.held_back for each in found if each.held_back} <= {
        "this process was recorded 2 times within a day", "it was recorded for this within the hour",
    }  # fmt: skip
    assert not Recording.objects.exists()


def test_the_rehearsal_knows_which_workers_were_the_last(workers: list[Process], now: datetime) -> None:
    rule = trigger(now)
    end_process(workers[1], now - 3 * HOUR)
    opened(workers[0], now - 2 * HOUR)
    (found,) = triggers.rehearse(rule, now)
    assert found.held_back == "it was the last worker of its service"
