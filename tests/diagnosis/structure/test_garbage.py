"""How many instances are garbage: counted in a copy, and nothing is freed."""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy import memory_headroom
from memwatch.diagnosis.copy.parent import OWN_MB
from memwatch.diagnosis.referrers import looks
from memwatch.diagnosis.structure import garbage
from memwatch.diagnosis.structure.garbage import OutOfTime, Unreachable
from memwatch.sampling.procmem import ProcessMemory
from tests.diagnosis.conftest import referrers

MakeClass = Callable[..., Any]
QUOTE = "shop_under_test.Quote"


@pytest.fixture(autouse=True)
def no_collection() -> Any:
    """What waits for a collection has to wait."""
    gc.disable()
    yield
    gc.enable()


def in_a_cycle(of: Any) -> Any:
    made = of()
    made.other = of()
    made.other.other = made
    return made


def dead(of: Any) -> list[int]:
    """How many instances are garbage, and how many there are."""
    unreachable = Unreachable()
    instances = [item for item in gc.get_objects() if type(item) is of]
    return [sum(id(item) in unreachable for item in instances), len(instances)]


def counted(monkeypatch: pytest.MonkeyPatch, **given: Any) -> dict[str, Any]:
    """Without the full collection that the tests' own way to run a recording begins with."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    return referrers(QUOTE, **given)


def test_half_in_dead_cycles_half_rooted(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = make_class("Quote")
    shop.QUOTES = [in_a_cycle(quote) for _ in range(100)]  # type: ignore[attr-defined]
    for _ in range(150):
        in_a_cycle(quote)
    result = counted(monkeypatch)
    assert (result["garbage"]["count"], result["garbage"]["of"]) == (300, 500)
    assert result["rooted"] is True


def test_all_garbage_has_no_root_and_no_finalizer_runs(make_class: MakeClass, monkeypatch: pytest.MonkeyPatch) -> None:
    revived: list[Any] = []
    quote = make_class("Quote", __del__=lambda this: revived.append(this))  # noqa: PLW0108 - it is called with itself
    in_a_cycle(quote)
    assert dead(quote) == [2, 2]
    assert revived == [], "it is there still, and was not asked"
    result = counted(monkeypatch)
    assert (result["garbage"]["count"], result["garbage"]["of"], result["rooted"]) == (2, 2, False)


def test_what_came_back_to_life_is_no_garbage(make_class: MakeClass) -> None:
    revived: list[Any] = []
    quote = make_class("Quote", __del__=lambda this: revived.append(this))  # noqa: PLW0108 - it is called with itself
    in_a_cycle(quote)
    gc.collect()
    assert len(revived) == 2
    assert dead(quote) == [0, 2]


def test_what_only_weak_references_know_is_garbage_too(make_class: MakeClass) -> None:
    quote = make_class("Quote")
    cache = weakref.WeakValueDictionary(enumerate(in_a_cycle(quote) for _ in range(50)))
    assert dead(quote) == [100, 100]
    assert len(cache) == 50


def test_a_local_variable_of_a_thread_keeps_a_cycle_alive(make_class: MakeClass) -> None:
    quote = make_class("Quote")
    kept = in_a_cycle(quote)
    assert dead(quote) == [0, 2]
    assert kept.other.other is kept


def test_what_a_suspended_generator_and_a_closure_hold_is_alive(make_class: MakeClass) -> None:
    quote = make_class("Quote")

    def begun() -> Any:
        held = quote()
        yield held.__class__

    generator = begun()
    next(generator)
    enclosed = quote()
    function = lambda: enclosed  # noqa: E731 - it is the closure that counts
    assert dead(quote) == [0, 2]
    assert function() is enclosed


def test_what_is_frozen_is_left_out_and_counted(make_class: MakeClass, monkeypatch: pytest.MonkeyPatch) -> None:
    quote = make_class("Quote")
    for _ in range(20):
        in_a_cycle(quote)
    gc.freeze()
    for _ in range(10):
        in_a_cycle(quote)
    found = counted(monkeypatch)["garbage"]
    assert (found["count"], found["of"], found["frozen"]) == (20, 60, 40)


@pytest.mark.parametrize("on", [True, False])
def test_it_says_what_the_collector_does(
    on: bool, shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.QUOTE = make_class("Quote")()  # type: ignore[attr-defined]
    host = Host(apart_s=0, collects=lambda: on, since_full_s=lambda: 2_400.0)
    found = counted(monkeypatch, host=host)["garbage"]
    assert found["collects"] is on
    assert found["since_full_s"] == 2_400.0
    assert found["thresholds"] == gc.get_threshold()
    assert found["full_collections"] == gc.get_stats()[2]["collections"]


def test_garbage_that_came_is_not_traced_where_others_came(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = make_class("Quote")
    shop.QUOTES = [quote() for _ in range(10)]  # type: ignore[attr-defined]
    first = looks.second_of_two

    def between(*given: Any) -> Any:
        for _ in range(40):
            in_a_cycle(quote)
            shop.QUOTES.append(quote())
        return first(*given)

    monkeypatch.setattr(looks, "second_of_two", between)
    result = counted(monkeypatch, host=Host(apart_s=0.1))
    assert "80 of the 120 that came are garbage: left out." in result["notes"]
    assert (result["came_between"], result["traced"]) == (40, 40)
    assert result["holder"]["name"].startswith("shop_under_test.QUOTES")
    assert result["holder"]["sure"]


def test_200_000_instances_are_counted(make_class: MakeClass) -> None:
    quote = make_class("Quote", __slots__=("other",))
    kept = [quote() for _ in range(100_000)]
    for _ in range(50_000):
        in_a_cycle(quote)
    assert dead(quote) == [100_000, 200_000]
    assert len(kept) == 100_000


def test_what_takes_too_long_is_not_known(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "MOST_S", -1.0)
    with pytest.raises(OutOfTime):
        Unreachable()
    shop.QUOTE = make_class("Quote")()  # type: ignore[attr-defined]
    found = counted(monkeypatch)["garbage"]
    assert (found["count"], found["unknown"]) == (None, "the heap is too large to count all references in time")


def test_without_memory_for_the_count_the_rest_is_answered(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = memory_headroom.refusal
    rss_mb = ProcessMemory().resident().rss_mb or 0.0

    def half_of_it(needs_mb: float, **given: Any) -> str | None:
        return "no room" if needs_mb > OWN_MB + 0.75 * rss_mb else room(needs_mb, **given)

    monkeypatch.setattr(memory_headroom, "refusal", half_of_it)
    shop.QUOTES = [make_class("Quote")() for _ in range(10)]  # type: ignore[attr-defined]
    result = counted(monkeypatch)
    assert result["garbage"]["count"] is None
    assert result["garbage"]["unknown"] == "the copy would need more memory than there is to spare"
    assert result["holder"]["length"] == 10


def test_an_object_with_very_many_references_is_counted_right(make_class: MakeClass) -> None:
    quote = make_class("Quote")
    hub = in_a_cycle(quote)
    hub.spokes = [in_a_cycle(quote) for _ in range(1_000)]
    for spoke in hub.spokes:
        spoke.hub = hub
    assert dead(quote) == [0, 2_002]
    del hub, spoke
    assert dead(quote) == [2_002, 2_002]
