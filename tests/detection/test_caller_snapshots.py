"""Snapshots that a caller hands over: kept in the process they show, and taken between jobs, not by a clock."""

from random import Random

import pytest

from memwatch.detection import History, judge
from memwatch.detection.caller_snapshots import made_comparable
from memwatch.records import BigContainer
from tests.detection.builders import snapshot


def leaks(given):
    return [verdict for verdict in judge(History.from_snapshots(given)) if verdict.is_leak]


def kept(i, **figures):
    """An idle process that keeps its snapshots: blocks, malloc and tuples grow by what one takes."""
    base = {
        "total_objects": 60_000 + 3 * i,
        "allocated_blocks": 90_000 + 61 * i,
        "pymalloc_used_mb": 25.0 + 0.003 * i,
        "heap_used_mb": 40.0 + 0.005 * i,
        "big_containers": (BigContainer(type="list", length=5000, holds="str", token=1),) if i % 5 == 0 else None,
    }
    counts = {"dict": 9000, "function": 8000, "tuple": 3000 + 3 * i} | {f"app.T{n}": 300 + n for n in range(20)}
    return snapshot(i, counts, every_s=0.05, **(base | figures))


@pytest.mark.parametrize("points", [20, 40, 300, 1000])
def test_a_caller_who_keeps_the_snapshots_sees_no_leak_of_them(points):
    assert leaks([kept(i) for i in range(points)]) == []


def test_a_leak_beside_the_kept_snapshots_is_found_all_the_same():
    found = leaks([kept(i, allocated_blocks=90_000 + 400 * i, pymalloc_used_mb=25 + 0.03 * i) for i in range(30)])
    assert [verdict.kind for verdict in found] == ["untracked"]


def test_a_standing_watch_keeps_no_snapshots_and_subtracts_none():
    history = History.from_snapshots([kept(i) for i in range(20)])
    assert list(history.figure("allocated_blocks"))[-1] == 90_000 + 61 * 19
    assert made_comparable(history).figure("allocated_blocks")[-1] < history.figure("allocated_blocks")[-1]


def test_a_machine_that_was_busy_for_a_while_makes_no_plateau_of_a_leak():
    at, given = 0.0, []
    for i in range(30):
        at += 0.05 if i < 22 else 0.9
        given.append(snapshot(at, {"app.Thing": 100 + 20 * i}, every_s=1.0))
    (found,) = leaks(given)
    assert found.object_type == "app.Thing"
    assert found.started_at == given[0].timestamp


def test_times_a_minute_apart_and_as_the_jobs_came_give_the_same_answer():
    random, at, quick, even = Random(4), 0.0, [], []
    for i in range(25):
        at += random.choice((0.02, 0.05, 0.4))
        counts = {"app.Thing": 50 + 15 * i, "app.Full": min(1000, 100 * i)}
        quick.append(snapshot(at, counts, every_s=1.0))
        even.append(snapshot(i, counts))
    answers = [[(v.object_type, v.outcome, v.rule) for v in judge(History.from_snapshots(s))] for s in (quick, even)]
    assert answers[0] == answers[1]


def test_a_timer_with_holes_keeps_its_times():
    minutes = [i for i in range(40) if i % 6 != 3]
    history = History.from_snapshots([snapshot(i, {"a": i}) for i in minutes])
    assert made_comparable(history).times == history.times


def test_a_table_that_doubles_its_room_is_no_native_leak():
    rooms = [0, 0, 210, 210, 210, 210, 210, 630, 630, 630, 630, 630, 630, 630, 630, 630, 630, 630, 630, 1400, 1400]
    given = [
        snapshot(i, heap_used_mb=(40_000 + 3 * i + room) / 1024, pymalloc_used_mb=25.0) for i, room in enumerate(rooms)
    ]
    assert leaks(given) == []


def test_garbage_that_a_full_collection_gave_back_is_none_of_what_was_given():
    given = [
        snapshot(i, {"app.Row": 60 + (4 * (i if i < 15 else i - 15)) + 9 * (i % 3)}, gc_collections_gen2=1 + (i >= 15))
        for i in range(40)
    ]
    verdict = next(v for v in judge(History.from_snapshots(given)) if v.object_type == "app.Row")
    assert not verdict.is_leak


def texts(length):
    return (BigContainer(type="dict", length=length, holds="str", token=7, name="shop.PAGES", entry_bytes=90.0),)


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([2500, 4300, 5450, 6250, 6800, 7200, 7450], id="by a key space that is nearly exhausted"),
        pytest.param([2000, 4000, 6000, 8000, 9000, 9000, 9000], id="to its bound"),
    ],
)
def test_a_container_that_fills_more_and_more_slowly_is_no_leak(lengths):
    given = [kept(i, big_containers=texts(lengths[i // 3]) if i % 3 == 0 else None) for i in range(21)]
    assert leaks(given) == []


def test_a_container_that_nobody_looked_at_since_the_blocks_stood_still_is_full():
    given = [
        kept(
            i,
            allocated_blocks=90_000 + 2000 * min(i, 13),
            big_containers=texts(2000 + 700 * i) if i % 3 == 0 and i < 13 else None,
        )
        for i in range(19)
    ]
    verdicts = judge(History.from_snapshots(given))
    assert [v.rule for v in verdicts if v.statistics.get("unit") == "entries"] == ["few_points"]
    assert not any(v.is_leak for v in verdicts)


@pytest.mark.parametrize("name", ["dict", "list", "tuple", "app.Thing"])
@pytest.mark.parametrize("every_s", [0.05, 60.0])
@pytest.mark.parametrize("points", range(3, 13))
def test_the_contracts_plain_case_is_a_leak_of_low_confidence_with_its_counts(name, every_s, points):
    counts = [round(100 + 900 * i / (points - 1)) for i in range(points)]
    (found,) = leaks([snapshot(i, {name: count}, every_s=every_s) for i, count in enumerate(counts)])
    assert (found.object_type, found.initial_count, found.current_count) == (name, 100, 1000)
    assert (found.growth_count, found.growth_percent, found.confidence) == (900, 900.0, "low")


@pytest.mark.parametrize("name", ["dict", "list"])
def test_a_leak_of_plain_containers_is_told_with_the_counts_that_were_seen(name):
    (found,) = leaks([snapshot(i, {name: 1000 + 100 * i}, every_s=0.05) for i in range(30)])
    assert (found.initial_count, found.current_count) == (1000, 3900)


def test_a_list_that_is_emptied_between_the_looks_at_it_is_no_leak():
    given = [
        kept(
            i,
            allocated_blocks=90_000 + 4000 * (i % 7),
            big_containers=texts(2000 + 300 * i) if i % 4 == 0 else None,
        )
        for i in range(24)
    ]
    assert leaks(given) == []


def test_few_objects_a_snapshot_are_not_lost_in_what_the_snapshots_take():
    """Ten sockets between two snapshots, which take some sixty blocks themselves."""
    given = [
        snapshot(
            i,
            {"dict": 9000, "socket.socket": 10 * i} | {f"app.T{n}": 300 + n for n in range(20)},
            every_s=0.05,
            total_objects=60_000 + 13 * i,
            allocated_blocks=90_000 + 59 * i,
        )
        for i in range(30)
    ]
    assert [verdict.object_type for verdict in leaks(given)] == ["socket.socket"]
