"""A leak's evidence names the view, task or command that makes it grow."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from memwatch.api.serializers.work import culprits_of
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


def store_handler_load(process: Process, *, minutes: int = 60) -> None:
    """Each of six tasks keeps an object at each call."""
    chance, count = random.Random(5), 100
    ids = [str(WorkName.objects.create(kind="task", name=f"task {number}").pk) for number in range(6)]
    for minute in range(minutes):
        calls = {pk: chance.randint(1, 20 * place) for place, pk in enumerate(ids, 1)}
        count += sum(calls.values())
        Snapshot.objects.create(
            process=process, seq=minute, timestamp=NOON + minute * MINUTE, received_at=NOON + minute * MINUTE,
            counts={type_id(QUOTE): count}, work=calls,
        )  # fmt: skip


def test_what_every_task_keeps_is_blamed_on_all_of_the_kind() -> None:
    process = store_process()
    store_handler_load(process)
    leak = store_leak(process)
    work_culprits.refresh(NOW)
    work = work_of(leak)
    (culprit,) = work["culprits"]
    assert culprit["works"] == [{"kind": "task", "name": "(every)"}]
    assert culprit["low"] <= 1 <= culprit["high"]
    assert (culprit["source"], work["remark"]) == ("regression", "every")
    assert work["sentence"].startswith("Every task, whatever its name: 1.0")
    assert "signal" in work["sentence"]
    (row,) = culprits_of(leak.evidence)
    assert (row["kind"], row["name"]) == ("task", "(every)")


def test_the_blocks_that_every_task_keeps_explain_no_other_leak() -> None:
    process = store_process()
    store_handler_load(process)
    leak, other = store_leak(process), store_leak(process, object_type="shop.leaks.Other")
    work_culprits.refresh(NOW)
    works = {pk: ("task", name) for pk, name in WorkName.objects.values_list("pk", "name")}
    claimed = work_culprits.claimed(other, works)
    assert set(claimed) == set(WorkName.objects.values_list("pk", flat=True))
    assert work_of(leak)["remark"] == "every"


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


TOKEN = 140_000_000
NAMELESS = {"container": {"type": "list", "holds": "float", "token": TOKEN, "length": 1}}


def store_list(process: Process, *, token: int = TOKEN, seed: int = 1, each: str = "order", **values: Any) -> None:
    """An hour in which a list without a name gets three entries a call, beside blocks that come and go."""
    chance, ids, length = random.Random(seed), names(), 1_000
    for minute in range(60):
        calls = {ids["order"]: chance.randint(1, 20), ids["list"]: chance.randint(1, 200)}
        length += 3 * calls[ids[each]]
        box = {"type": "list", "holds": "float", "token": token, "length": length, **values}
        Snapshot.objects.create(
            process=process, seq=minute, timestamp=NOON + minute * MINUTE, received_at=NOON + minute * MINUTE,
            allocated_blocks=200_000 + chance.randint(0, 40_000), work=calls, rss_kib=80_000,
            extras={"big_containers": [{"type": "dict", "holds": "int", "token": 5, "length": 9_000}, box]},
        )  # fmt: skip


def store_untracked(process: Process, evidence: dict[str, Any]) -> Leak:
    return store_leak(process, kind="untracked", object_type="untracked", evidence=evidence)


def works_of(leak: Leak) -> list[str]:
    return [work["name"] for culprit in work_of(leak)["culprits"] for work in culprit["works"]]


def test_of_a_container_without_a_name_the_length_is_read() -> None:
    process = store_process()
    store_list(process)
    leak = store_untracked(process, NAMELESS)
    work_culprits.refresh(NOW)
    (culprit,) = work_of(leak)["culprits"]
    assert culprit["works"] == [{"kind": "view", "name": "order"}]
    assert culprit["low"] <= 3 <= culprit["high"]
    assert "entries a call" in work_of(leak)["sentence"]


def test_its_address_means_nothing_in_another_process() -> None:
    process, other = store_process(), store_process(slot=2)
    store_list(process)
    store_list(other, each="list", seed=2)
    leak = store_untracked(process, NAMELESS)
    work_culprits.refresh(NOW)
    assert works_of(leak) == ["order"]
    assert len(work_steps.steps(leak, NOW)) == 1


def test_where_it_leaks_in_several_processes_all_of_them_are_read() -> None:
    leaks = []
    for slot, token in ((1, TOKEN), (2, TOKEN + 64)):
        process = store_process(slot=slot)
        store_list(process, token=token, seed=slot)
        leaks.append(store_untracked(process, {"container": {**NAMELESS["container"], "token": token}}))
    assert [len(run) for run in work_steps.steps(leaks[0], NOW)] == [59, 59]
    assert work_culprits.refresh(NOW) == 1
    assert works_of(leaks[0]) == works_of(leaks[1]) == ["order"]


def test_an_address_that_another_container_had_before_counts_from_then_on() -> None:
    process = store_process()
    store_list(process, each="list")
    for row in Snapshot.objects.filter(seq__gte=20).order_by("seq"):
        box = row.extras["big_containers"][1]
        box["length"] = 300 + 3 * sum(
            (later.work or {})[names()["order"]] for later in Snapshot.objects.filter(seq__gte=20, seq__lte=row.seq)
        )
        row.save()
    leak = store_untracked(process, NAMELESS)
    assert [len(run) for run in work_steps.steps(leak, NOW)] == [39]
    work_culprits.refresh(NOW)
    assert works_of(leak) == ["order"]


def test_containers_that_differ_are_causes_that_differ() -> None:
    first, second = store_process(), store_process(slot=2)
    store_list(first, name="shop.ORDERS")
    store_list(second, name="shop.LISTS", each="list", seed=2)
    leaks = [
        store_untracked(process, {"container": {**NAMELESS["container"], "name": name}})
        for process, name in ((first, "shop.ORDERS"), (second, "shop.LISTS"))
    ]
    assert work_culprits.refresh(NOW) == 2
    assert [works_of(leak) for leak in leaks] == [["order"], ["list"]]


@pytest.mark.parametrize("container", [None, "text", {"token": "7"}, {"type": "list", "token": None}])
def test_all_blocks_are_read_where_no_container_can_be_followed(container: Any) -> None:
    process = store_process()
    store_load(process)
    leak = store_untracked(process, {"container": container})
    ((step, *_others),) = work_steps.steps(leak, NOW)
    assert step.growth == step.blocks
    work_culprits.refresh(NOW)
    assert "blocks a call" in work_of(leak)["sentence"]


def store_even_load(process: Process) -> None:
    """Nothing but the blocks of single calls can say which of two names leaks."""
    ids = names()
    for minute in range(60):
        Snapshot.objects.create(
            process=process, seq=minute, timestamp=NOON + minute * MINUTE, received_at=NOON + minute * MINUTE,
            counts={type_id(QUOTE): 100 + 20 * minute}, work={ids["order"]: 10, ids["list"]: 10},
        )  # fmt: skip
    WorkRollup.objects.create(
        service=process.service, work=WorkName.objects.get(name="order"), period="hour", start=NOON, calls=600,
        blocks_calls=500, blocks=4_000, blocks_squares=40_000.0, seconds=6.0,
    )  # fmt: skip


def explained(per_call: float, source: str = "regression") -> dict[str, Any]:
    culprit = {"works": [{"kind": "view", "name": "order"}], "per_call": per_call, "low": 1, "high": 3, "share": 1.0}
    return {"work": {"at": NOW.isoformat(), "remark": "", "sentence": "", "culprits": [{**culprit, "source": source}]}}


@pytest.mark.parametrize(
    ("evidence", "blamed"),
    [({}, ["order"]), (explained(2.0), []), (explained(0.2), ["order"]), (explained(2.0, "direct"), ["order"])],
)
def test_the_blocks_of_one_leak_explain_no_other(evidence: dict[str, Any], blamed: list[str]) -> None:
    process = store_process()
    store_even_load(process)
    leak = store_leak(process)
    store_leak(process, object_type="shop.leaks.Other", evidence=evidence)
    work_culprits.refresh(NOW)
    assert works_of(leak) == blamed


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
