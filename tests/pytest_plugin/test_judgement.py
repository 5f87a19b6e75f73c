"""What counts by call say: pure functions of values."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest

from memwatch.pytest_plugin import judgement
from memwatch.pytest_plugin import plan as plans
from memwatch.pytest_plugin.calls import Calls, run
from memwatch.pytest_plugin.findings import Growth
from memwatch.pytest_plugin.ledger import Count, Ledger
from memwatch.pytest_plugin.measurement import measured
from memwatch.pytest_plugin.plan import Plan, longer_each, screening

FIRST = Count({"dict": 20_000, "shop.Entry": 3}, 100_000, 5_000.0, 9_000.0, 7_000.0)


def ledger(
    rows: int,
    each: int,
    *,
    objects: Callable[[int], dict[str, int]] = lambda _calls: {},
    blocks: Callable[[int], int] = lambda _calls: 0,
    kib: Callable[[int], float] = lambda _calls: 0.0,
    mapped: Callable[[int], float] = lambda _calls: 0.0,
    touched: Callable[[int], float] = lambda _calls: 0.0,
) -> Ledger:
    """So many counts, ``each`` calls between them; the functions give what there is more after so many calls."""
    made = Ledger(FIRST, rows)
    for row in range(1, rows + 1):
        calls = row * each
        more = objects(calls)
        counts = {name: FIRST.objects.get(name, 0) + more.get(name, 0) for name in {*FIRST.objects, *more}}
        memory = 5_000.0 + kib(calls), 9_000.0 + mapped(calls), 7_000.0 + touched(calls)
        made.add(Count(counts, FIRST.blocks + blocks(calls), *memory), each)
    return made


def names(made: Ledger) -> list[str]:
    return [growth.type for growth in judgement.leaks(made)[0]]


def test_one_object_a_call_is_a_leak_however_many_there_were_before() -> None:
    made = ledger(24, 5, objects=lambda calls: {"dict": calls}, blocks=lambda calls: 2 * calls)
    (growth,), _ = judgement.leaks(made)
    assert (growth.type, growth.grown, growth.calls) == ("dict", 120, 120)
    assert growth.per_call == 1


def test_an_object_in_ten_calls_is_a_leak_where_enough_calls_are_made() -> None:
    made = ledger(24, 100, objects=lambda calls: {"shop.Entry": calls // 10}, blocks=lambda calls: calls // 10)
    assert names(made) == ["shop.Entry"]


def test_what_grows_with_a_class_of_the_program_is_told_beside_it() -> None:
    made = ledger(24, 5, objects=lambda calls: {"shop.Entry": calls, "dict": calls}, blocks=lambda calls: 3 * calls)
    (growth,), _ = judgement.leaks(made)
    assert growth.type == "shop.Entry"
    assert growth.grows_with == ("dict",)


def test_texts_that_are_kept_show_in_blocks() -> None:
    (growth,), _ = judgement.leaks(ledger(24, 5, blocks=lambda calls: calls))
    assert (growth.kind, growth.unit) == ("untracked", "blocks")


def test_memory_of_the_c_library_is_a_leak_when_it_grows_steadily() -> None:
    (growth,), _ = judgement.leaks(ledger(24, 5, kib=lambda calls: 4.0 * calls))
    assert (growth.kind, growth.unit) == ("native", "KiB")


def test_memory_that_a_library_maps_is_a_leak_when_it_grows_steadily() -> None:
    (growth,), _ = judgement.leaks(ledger(24, 5, mapped=lambda calls: 16.0 * calls))
    assert (growth.kind, growth.unit, growth.memory, growth.per_call) == ("native", "KiB", "mapped", 16.0)
    assert not names(ledger(24, 5, mapped=lambda calls: 8_192.0 * (calls > 30)))  # the stack of a thread


def test_a_pool_that_doubles_is_a_leak_while_its_pages_are_touched_at_the_same_rate() -> None:
    def pool(calls: int) -> float:
        return 4_000.0 if calls > 70 else 0.0

    (growth,), _ = judgement.leaks(ledger(24, 5, kib=pool, touched=lambda calls: 33.0 * calls))
    assert (growth.kind, growth.unit, growth.memory) == ("native", "KiB", "malloc")
    assert not names(ledger(24, 5, kib=pool))
    assert not names(ledger(24, 5, kib=pool, touched=lambda calls: 4_000.0 * (calls > 70)))
    assert not names(ledger(24, 5, touched=lambda calls: 33.0 * calls))  # a buffer that is written for the first time


@pytest.mark.parametrize(
    "shape",
    [
        lambda calls: 0,
        lambda calls: 7,  # came once
        lambda calls: min(calls, 30),  # a cache that is full
        lambda calls: calls % 40,  # a saw-tooth
        lambda calls: 1 + calls // 60,  # a table that resizes: one in many calls
        lambda calls: (calls * 7919) % 11,  # comes and goes
    ],
)
def test_what_ends_or_comes_and_goes_is_no_leak(shape: Callable[[int], int]) -> None:
    made = ledger(24, 5, objects=lambda calls: {"dict": shape(calls)}, blocks=shape)
    assert names(made) == []


def test_a_table_that_doubles_is_no_leak_of_native_memory() -> None:
    assert names(ledger(24, 5, kib=lambda calls: 64.0 * (1 << (calls // 40)))) == []


def test_what_is_gone_once_old_garbage_is_collected_was_no_growth() -> None:
    made = ledger(24, 5, objects=lambda calls: {"shop.Entry": calls}, blocks=lambda calls: 2 * calls)
    assert names(made) == ["shop.Entry"]
    made.end(FIRST)
    assert names(made) == []


def test_the_first_look_passes_what_stands_still_and_asks_on_where_something_came() -> None:
    still = ledger(4, 8, objects=lambda _calls: {"dict": 5}, blocks=lambda _calls: 5)
    assert not judgement.may_leak(still)
    assert judgement.may_leak(ledger(4, 8, objects=lambda calls: {"dict": calls // 32}))
    assert judgement.may_leak(ledger(4, 8, blocks=lambda calls: calls))
    assert not judgement.may_leak(ledger(4, 8, blocks=lambda calls: calls // 16))  # free lists


def test_noise_that_falls_in_the_last_round_hides_nothing_of_the_first_look() -> None:
    noise = {8: 40, 16: 0, 24: 90, 32: 30}
    assert judgement.may_leak(ledger(4, 8, objects=lambda calls: {"shop.Entry": calls // 2 + noise.get(calls, 0)}))
    assert not judgement.may_leak(ledger(4, 8, objects=lambda calls: {"dict": -calls}))


def test_a_rate_that_falls_when_there_are_more_calls_is_no_leak() -> None:
    def growth(grown: int, calls: int) -> Growth:
        return Growth(kind="objects", type="dict", unit="objects", grown=grown, calls=calls)

    assert judgement.still([growth(120, 120)], [growth(500, 7_680)]) == []
    assert judgement.still([growth(120, 120)], [growth(7_000, 7_680)]) == [growth(7_000, 7_680)]


def test_the_ledger_leaves_itself_and_the_plugin_out() -> None:
    made = Ledger(Count({"memwatch.pytest_plugin.ledger.Ledger": 1}, 10), 2)
    made.add(Count({"memwatch.pytest_plugin.ledger.Ledger": 2, "late.Type": 4}, 14), 8)
    made.add(Count({"late.Type": 1}, 11), 8)
    assert made.objects == {"late.Type": [0, 4, 1]}
    assert made.calls == [0, 8, 16]
    assert made.blocks == [10, 11, 8]  # less the column of late.Type
    assert made.memory_kib() is None


def test_rounds_double_up_to_the_calls_asked_for() -> None:
    assert screening(120) == [8, 16, 32, 64]
    assert screening(8) == [1, 2, 4, 8]
    for first, second in itertools.pairwise(screening(40_000)):
        assert second == 2 * first


def test_slow_calls_get_fewer_of_them_and_no_longer_series() -> None:
    plan = Plan(budget_s=30.0)
    assert plan.affordable(0.001, 30.0) == plans.CALLS
    assert plan.affordable(1.0, 10.5) == 10
    assert plan.affordable(60.0, -30.0) == 0
    assert longer_each(5, 24, 0.0001, 29.0) == plans.SURE_EACH
    assert longer_each(5, 24, 0.1, 29.0) is None


def test_the_first_call_does_not_tell_what_a_call_takes() -> None:
    calls = Calls(30.0)
    calls.make(lambda: time.sleep(0.0 if calls.made else 0.2), 3)
    assert calls.seconds >= 0.2
    assert calls.each_s < 0.1


def test_rounds_are_shorter_where_later_calls_take_longer() -> None:
    """The first calls take next to nothing, so that all 2,000 seem to fit: those of a look end with its share."""
    calls = Calls(1.0)
    steps = measured(Plan(calls=2_000, budget_s=1.0), calls)
    run(steps, lambda: time.sleep(0.002 if calls.made > 16 else 0.0), calls)
    assert 8 < calls.made < 500
    assert calls.seconds < 1.0


def wrong() -> Iterator[tuple[dict[str, object], str]]:
    yield {"calls": 3}, "at least 8"
    yield {"calls": 12.5}, "whole number"
    yield {"calls": True}, "whole number"
    yield {"warmup": -1}, "0 or more"
    yield {"budget_s": 0}, "seconds"
    yield {"budget_s": "30"}, "seconds"


@pytest.mark.parametrize(("given", "remedy"), list(wrong()))
def test_numbers_that_are_none_are_refused_with_what_would_be_right(given: dict[str, object], remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        Plan(**given)  # type: ignore[arg-type]
