"""Bounds of containers and of what owns them: read, never asked; believed where they are kept."""

from __future__ import annotations

import functools
import queue
import types
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import pytest
from celery.utils.collections import LimitedSet
from django.core.cache.backends.locmem import LocMemCache

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.referrers import holding, looks
from memwatch.diagnosis.results import Bound
from memwatch.diagnosis.structure.circumstances import Memory, sized
from memwatch.records import BigContainer
from tests.diagnosis.conftest import referrers

MakeClass = Callable[..., Any]
QUOTE = "shop_under_test.Quote"


def holder_of(shop: types.ModuleType, cache: Any) -> dict[str, Any]:
    """What holds the quotes, of a module that has a cache of them."""
    shop.CACHE = cache  # type: ignore[attr-defined]
    result = referrers(QUOTE)
    assert not any("within the process" in note for note in result["notes"]), result["notes"]
    found: dict[str, Any] = result["holder"]
    return found


def referrers_of_shop(shop: types.ModuleType, cache: Any) -> Any:
    shop.CACHE = cache  # type: ignore[attr-defined]
    return referrers(QUOTE)["candidates"]


def told(bound: dict[str, Any]) -> tuple[int, int, str, bool]:
    return bound["limit"], bound["entries"], bound["by"], bound["enforced"]


def filled(container: Any, quotes: int, make: Any) -> Any:
    for number in range(quotes):
        container[number] = make()
    return container


def test_an_lru_cache_and_that_of_a_method(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")

    def price(_number: int) -> Any:
        return quote()

    price.__module__, price.__qualname__ = shop.__name__, "price"
    cache = functools.lru_cache(maxsize=64)(price)
    for number in range(40):
        cache(number)
    bound = holder_of(shop, cache)["bound"]
    assert told(bound) == (64, 40, "lru_cache(maxsize=64) of shop_under_test.price", True)
    shop.Cart = make_class("Cart", price=cache)  # type: ignore[attr-defined]
    assert told(holder_of(shop, None)["bound"]) == told(bound)


def test_an_lru_cache_without_a_bound_has_none(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    cache = functools.cache(lambda _number: quote())
    for number in range(40):
        cache(number)
    assert holder_of(shop, cache)["bound"] is None


def test_a_deque_and_a_queue(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    bound = holder_of(shop, deque((quote() for _ in range(30)), maxlen=50))["bound"]
    assert told(bound) == (50, 30, "deque(maxlen=50)", True)
    waiting: queue.Queue[Any] = queue.Queue(maxsize=90)
    for _ in range(30):
        waiting.put(quote())
    assert told(holder_of(shop, waiting)["bound"]) == (90, 30, "maxsize = 90 of queue.Queue", True)


@pytest.mark.parametrize("entries", [700, 1_000], ids=["filling", "full"])
def test_a_list_without_a_name_is_found_by_its_address_and_its_bound_explains_it(
    shop: types.ModuleType, entries: int
) -> None:
    """Celery's main process keeps the ids of the last 1,000 tasks: memwatch's own tasks fill it within the hour."""
    shop.DONE = LimitedSet(maxlen=1_000)  # type: ignore[attr-defined]
    for number in range(entries):
        shop.DONE.add(f"task {number}")  # type: ignore[attr-defined]
    seen = BigContainer(type="list", length=entries, holds="tuple", token=id(shop.DONE._heap))  # type: ignore[attr-defined]
    host = Host(apart_s=0, containers=lambda: (seen,))
    (candidate,) = referrers("untracked", container=seen.address, host=host)["candidates"]
    assert candidate["name"].startswith("shop_under_test.DONE")
    assert told(candidate["bound"]) == (1_150, entries, "maxlen = 1000 of celery.utils.collections.LimitedSet", True)
    assert candidate["bound"]["explains"]


@pytest.mark.parametrize("slots", [False, True])
def test_an_attribute_of_the_owner(slots: bool, shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    owner = make_class("Lru", **({"__slots__": ("_max_entries", "data")} if slots else {}))()
    owner._max_entries, owner.data = 1_000, filled(OrderedDict(), 20, quote)
    assert told(holder_of(shop, owner)["bound"]) == (1_000, 20, "max_entries = 1000 of shop_under_test.Lru", False)


def test_a_container_with_a_bound_of_its_own(shop: types.ModuleType, make_class: MakeClass) -> None:
    cache = filled(make_class("Own", OrderedDict)(), 20, make_class("Quote"))
    cache.maxsize = 500
    assert told(holder_of(shop, cache)["bound"]) == (500, 20, "maxsize = 500 of shop_under_test.Own", False)


def test_a_bound_that_the_class_has(shop: types.ModuleType, make_class: MakeClass) -> None:
    cache = filled(make_class("OfClass", dict, MAXSIZE=400)(), 20, make_class("Quote"))
    assert told(holder_of(shop, cache)["bound"]) == (400, 20, "maxsize = 400 of shop_under_test.OfClass", False)


def test_djangos_cache_in_memory_keeps_to_its_bound(shop: types.ModuleType, make_class: MakeClass) -> None:
    cache = LocMemCache("bounds", {"OPTIONS": {"MAX_ENTRIES": 200}})
    filled(cache._cache, 20, make_class("Quote"))  # type: ignore[attr-defined]
    by = "max_entries = 200 of django.core.cache.backends.locmem.LocMemCache"
    try:
        assert told(holder_of(shop, cache)["bound"]) == (200, 20, by, True)
    finally:
        cache.clear()  # it lives on in its module


def test_no_property_and_no_getattr_is_asked(shop: types.ModuleType, make_class: MakeClass) -> None:
    asked: list[str] = []
    quote = make_class("Quote")

    def spy(_this: Any, name: str = "maxsize") -> int:
        asked.append(name)
        return 100

    cart = make_class("Cart", maxsize=property(spy), __getattr__=spy, __getattribute__=object.__getattribute__)()
    vars(cart)["data"] = filled({}, 20, quote)
    asked.clear()
    assert holder_of(shop, cart)["bound"] is None
    assert asked == []


@pytest.mark.parametrize("lie", [True, "100", 0, -5, 1.5, None])
def test_what_is_no_whole_number_is_no_bound(lie: Any, shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    owner = make_class("Lru")()
    owner.maxsize, owner.data = lie, filled({}, 20, quote)
    assert holder_of(shop, owner)["bound"] is None


def test_a_bound_that_is_not_kept_is_not_believed(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    owner = make_class("Lru")()
    owner.maxsize, owner.data = 100, filled({}, 200, quote)
    shop.CACHE = owner  # type: ignore[attr-defined]
    result = referrers(QUOTE)
    assert result["holder"]["bound"] is None
    assert "Its bound does not hold: 200 entries, 100 by maxsize = 100 of shop_under_test.Lru." in result["notes"]


def test_a_bound_beyond_every_measure_is_cut(shop: types.ModuleType, make_class: MakeClass) -> None:
    owner = make_class("Lru")()
    owner.maxsize, owner.data = 10**40, filled({}, 20, make_class("Quote"))
    bound = holder_of(shop, owner)["bound"]
    assert (bound["limit"], bound["fits"]) == (10**15, False)
    assert bound["when_full_kb"] <= 1e15


def test_what_is_still_to_come_must_fit_the_limit_or_not_double_the_process() -> None:
    bound = Bound(limit=1_000, entries=100, by="maxsize", enforced=True)
    for memory, fits in ((Memory(100.0, 89.0), False), (Memory(50.0, 91.0), True), (Memory(80.0, None), False)):
        one = sized(bound, 10 * 1024.0, memory)
        assert (one.when_full_kb, one.fits) == (100 * 1024.0, fits), memory
    assert sized(bound, 10 * 1024.0, Memory(95.0, None)).fits is True


def looked_at_twice(monkeypatch: pytest.MonkeyPatch, between: Callable[[], object]) -> dict[str, Any]:
    """The result of two looks, with something done between them."""
    second = looks.second_of_two

    def later(*given: Any) -> Any:
        between()
        return second(*given)

    monkeypatch.setattr(looks, "second_of_two", later)
    return referrers(QUOTE, host=Host(apart_s=0.1))


def test_a_cache_that_fills_explains_the_growth(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = make_class("Quote")
    cache = shop.CACHE = make_class("Lru")()  # type: ignore[attr-defined]
    cache.maxsize, cache.data = 100, filled({}, 20, quote)

    def more() -> None:
        cache.data.update((number, quote()) for number in range(20, 60))

    holder = looked_at_twice(monkeypatch, more)["holder"]
    assert (holder["bound"]["entries"], holder["bound"]["explains"], holder["bound"]["own"]) == (60, True, True)


def test_a_leak_in_the_values_of_a_bounded_cache_is_not_explained_by_it(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = make_class("Quote")
    cache = shop.CACHE = make_class("Lru")()  # type: ignore[attr-defined]
    cache.maxsize, cache.data = 100, {number: [quote()] for number in range(60)}

    def more() -> None:
        for values in cache.data.values():
            values.append(quote())

    for each in looked_at_twice(monkeypatch, more)["candidates"]:
        assert each["bound"] is None or not each["bound"]["explains"]


def test_a_list_in_one_value_of_a_bounded_cache_has_the_bound_of_the_cache_above_it(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = make_class("Quote")
    cache = shop.CACHE = make_class("Lru")()  # type: ignore[attr-defined]
    values = [quote() for _ in range(10)]
    cache.maxsize, cache.data = 100, {"one": values, "two": []}
    holder = looked_at_twice(monkeypatch, lambda: values.extend(quote() for _ in range(30)))["holder"]
    assert holder["length"] == 40
    assert (holder["bound"]["own"], holder["bound"]["explains"]) == (False, False)


def test_a_full_cache_of_dicts_replaces_its_entries(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    cache = functools.lru_cache(maxsize=128)(lambda _number: {"quote": quote()})
    for number in range(200):
        cache(number)
    holder = holder_of(shop, cache)
    assert (holder["length"], holder["bound"]["entries"], holder["bound"]["explains"]) == (128, 128, True)


def test_a_cache_whose_entries_hold_many_is_no_explanation(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    cache = functools.lru_cache(maxsize=128)(lambda _number: [quote() for _ in range(holding.MOST_EACH + 1)])
    for number in range(128):
        cache(number)
    assert not any((each["bound"] or {}).get("explains") for each in referrers_of_shop(shop, cache))


def test_a_bound_that_only_a_name_tells_is_no_explanation(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    cache = make_class("Cache")()
    cache.maxsize, cache.rows = 500, [quote() for _ in range(300)]
    bound = holder_of(shop, cache)["bound"]
    assert (bound["enforced"], bound["explains"]) == (False, False)


def test_classes_that_a_function_made_are_followed_to_their_holder(
    shop: types.ModuleType, make_class: MakeClass
) -> None:
    quote = make_class("Quote")
    cache = functools.lru_cache(maxsize=500)(lambda _number: type("Form", (), {"first": quote()}))
    for number in range(300):
        cache(number)
    holder = holder_of(shop, cache)
    assert (holder["length"], holder["bound"]["explains"]) == (300, True)


def test_the_search_for_lists_leaves_its_own_out(shop: types.ModuleType) -> None:
    shop.LINES = {number: [number] for number in range(40_000)}  # type: ignore[attr-defined]
    found = referrers("list")
    assert found["holder"]["name"] == "shop_under_test.LINES (dict, 40,000 entries)"
    assert found["instances"] not in [each["length"] for each in found["candidates"]]
