"""A leak's evidence names the view, task or command that makes it grow."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from memwatch.models import Leak, Process, Recording, Snapshot, WorkName, WorkRollup
from memwatch.queries.judging import work_steps
from memwatch.services.leaks import work_culprits
from tests.services.stored import MINUTE, NOON, QUOTE, store_process, type_id

pytestmark = pytest.mark.django_db
NOW = NOON + 60 * MINUTE


def names() -> dict[str, str]:
    return {
        name: str(WorkName.objects.get_or_create(kind=kind, name=name)[0].pk)
        for kind, name in (("view", "order"), ("view", "list"), ("task", "sync"))
    }


def store_load(process: Process, *, per_order: int = 2, seed: int = 1, minutes: int = 60) -> None:
    """An hour of varying calls; each order keeps objects."""
    chance, ids, count = random.Random(seed), names(), 100
    for minute in range(minutes):
        calls = {ids["order"]: chance.randint(1, 20), ids["list"]: chance.randint(1, 200)}
        count += per_order * calls[ids["order"]]
        Snapshot.objects.create(
            process=process, seq=minute, timestamp=NOON + minute * MINUTE, received_at=NOON + minute * MINUTE,
            counts={type_id(QUOTE): count}, allocated_blocks=200_000 + 4 * count, work=calls, rss_kib=80_000,
        )  # fmt: skip


def store_leak(process: Process, **values: Any) -> Leak:
    given = {
        "kind": "objects", "object_type": QUOTE, "severity": "high", "initial_count": 100, "current_count": 1_000,
        "growth_count": 900, "growth_percent": 900.0, "detected_at": NOON + 30 * MINUTE, "last_seen_at": NOW,
    }  # fmt: skip
    return Leak.objects.create(service=process.service, process=process, **{**given, **values})


def work_of(leak: Leak) -> dict[str, Any]:
    leak.refresh_from_db()
    found: dict[str, Any] = leak.evidence["work"]
    return found


def test_the_view_that_keeps_objects_is_named_with_how_many() -> None:
    process = store_process()
    store_load(process)
    leak = store_leak(process)
    assert work_culprits.refresh(NOW) == 1
    work = work_of(leak)
    (culprit,) = work["culprits"]
    assert culprit["works"] == [{"kind": "view", "name": "order"}]
    assert culprit["low"] <= 2 <= culprit["high"]
    assert culprit["per_call"] == pytest.approx(2, rel=0.02)
    assert culprit["source"] == "regression"
    assert "order" in work["sentence"]


def test_all_processes_of_a_service_tell_one_story_of_it() -> None:
    first, second = store_process(), store_process(slot=2)
    for seed, process in enumerate((first, second)):
        store_load(process, seed=seed)
    leaks = [store_leak(first), store_leak(second)]
    assert work_culprits.refresh(NOW) == 1
    assert work_of(leaks[0]) == work_of(leaks[1])


def test_it_is_not_computed_again_before_it_is_due() -> None:
    process = store_process()
    store_load(process)
    store_leak(process)
    work_culprits.refresh(NOW)
    assert work_culprits.refresh(NOW + MINUTE) == 0
    assert work_culprits.refresh(NOW + work_culprits.EVERY) == 1


def test_with_too_few_snapshots_it_says_so_and_tries_again() -> None:
    process = store_process()
    store_load(process, minutes=4)
    leak = store_leak(process)
    work_culprits.refresh(NOW)
    assert (work_of(leak)["culprits"], work_of(leak)["remark"]) == ([], "few")
    assert work_culprits.refresh(NOW + timedelta(seconds=5)) == 1


def test_growth_with_time_blames_nobody() -> None:
    process = store_process()
    store_load(process, per_order=0)
    for row in Snapshot.objects.all():
        row.counts = {type_id(QUOTE): 100 + 10 * row.seq}
        row.save()
    leak = store_leak(process)
    work_culprits.refresh(NOW)
    assert (work_of(leak)["culprits"], work_of(leak)["remark"]) == ([], "time")


def test_resolved_leaks_are_left_alone() -> None:
    process = store_process()
    store_load(process)
    store_leak(process, state="resolved")
    assert work_culprits.refresh(NOW) == 0


def test_a_missing_snapshot_ends_the_run_of_steps() -> None:
    process = store_process()
    store_load(process, minutes=10)
    Snapshot.objects.filter(seq=5).delete()
    leak = store_leak(process)
    runs = work_steps.steps(leak, NOW)
    assert [len(run) for run in runs] == [4, 3]


def test_calls_between_two_censuses_are_added_up() -> None:
    process = store_process()
    store_load(process, minutes=4)
    Snapshot.objects.filter(seq=2).update(counts=None)
    leak = store_leak(process)
    ((_first, second),) = work_steps.steps(leak, NOW)
    rows = list(Snapshot.objects.order_by("seq"))
    order = names()["order"]
    expected = (rows[2].work or {})[order] + (rows[3].work or {})[order]
    assert second.calls[int(order)] == expected
    assert second.growth == 2 * expected
    assert second.seconds == 120
    assert second.blocks == 4 * second.growth


def test_direct_figures_come_from_the_hours_of_the_leak() -> None:
    process = store_process()
    leak = store_leak(process)
    work = WorkName.objects.create(kind="view", name="order")
    for start, blocks in ((NOON - 5 * 60 * MINUTE, 1_000), (NOON, 70)):
        WorkRollup.objects.create(
            service=process.service, work=work, period="hour", start=start, calls=10, blocks_calls=5, blocks=blocks,
            blocks_squares=1.0,
        )  # fmt: skip
    (direct,) = work_steps.direct(leak.service_id, NOON + 10 * MINUTE).values()
    assert (direct.calls, direct.blocks_calls, direct.blocks) == (10, 5, 70)


def test_where_the_load_is_even_a_recording_decides() -> None:
    process = store_process()
    ids = names()
    for minute in range(60):
        Snapshot.objects.create(
            process=process, seq=minute, timestamp=NOON + minute * MINUTE, received_at=NOON + minute * MINUTE,
            counts={type_id(QUOTE): 100 + 20 * minute}, work={ids["order"]: 10, ids["list"]: 10},
        )  # fmt: skip
    leak = store_leak(process)
    work_culprits.refresh(NOW)
    assert work_of(leak)["culprits"] == []
    Recording.objects.create(
        process=process, kind="referrers", state="done", requested_at=NOW, deadline=NOW,
        options={"type": QUOTE}, result={"made_in": [{"kind": "view", "name": "order", "count": 40, "calls": 20}]},
    )  # fmt: skip
    work_culprits.refresh(NOW + work_culprits.EVERY)
    (culprit,) = work_of(leak)["culprits"]
    assert culprit["works"] == [{"kind": "view", "name": "order"}]
    assert (culprit["per_call"], culprit["source"]) == (2.0, "direct")
