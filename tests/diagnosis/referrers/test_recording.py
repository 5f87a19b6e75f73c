"""What refers to a type: the holder, by what, and the way up to a name that a programmer knows."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.heap import big_containers, retained, traversal
from memwatch.diagnosis.referrers import recording as searching
from memwatch.records import BigContainer
from tests.diagnosis.conftest import paths, referrers

MakeClass = Callable[..., Any]
QUOTE = "shop_under_test.Quote"


@pytest.fixture(autouse=True, params=["in a copy", "within"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each promise holds in a copy of the process and within it."""
    if request.param == "within":
        monkeypatch.setattr(searching, "impossible", lambda: "the test wants it so")
    return str(request.param)


def test_a_dict_that_fills_up_is_named_with_its_module(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    shop.QUOTES = {number: quote() for number in range(3000)}  # type: ignore[attr-defined]
    result = referrers(QUOTE)
    assert (result["type"], result["instances"]) == (QUOTE, 3000)
    assert result["referrers"] == ({"holder_type": "dict", "via": "key", "count": 3000},)
    assert paths(result) == [["shop_under_test.QUOTES (dict, 3,000 entries)", QUOTE]]
    assert result["chains"][0]["root"] == "module shop_under_test"
    holder = result["holder"]
    assert (holder["name"], holder["length"]) == ("shop_under_test.QUOTES (dict, 3,000 entries)", 3000)
    assert 100 < holder["retained_kb"] < 3000
    assert not holder["retained_is_lower_bound"]
    assert result["samples"] == (), "values may be personal data"


def test_a_container_too_large_for_one_list_of_referents_is_found_too(
    shop: types.ModuleType, make_class: MakeClass
) -> None:
    quote = make_class("Quote")
    shop.QUOTES = [quote() for _ in range(big_containers.BIG + 1)]  # type: ignore[attr-defined]
    shop.BY_QUOTE = dict.fromkeys(shop.QUOTES)
    found = {tuple(path[:1]) for path in paths(referrers(QUOTE, samples=2))}
    assert found == {
        ("shop_under_test.QUOTES (list, 50,001 entries)",),
        ("shop_under_test.BY_QUOTE (dict, 50,001 entries)",),
    }


@pytest.mark.parametrize("kind", [dict, list, OrderedDict])
def test_a_holder_of_very_many_is_sized_within_bounds(
    kind: Any, shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traversal, "AT_ONCE", 1_000)
    quote = make_class("Quote", __slots__=("price",))
    shop.QUOTES = kind(enumerate(quote() for _ in range(20_000)))  # type: ignore[attr-defined]
    whole = referrers(QUOTE)["holder"]
    assert not whole["retained_is_lower_bound"]
    monkeypatch.setattr(retained, "MOST_OBJECTS", 5_000)
    monkeypatch.setattr(traversal, "MOST_OBJECTS", 5_000)
    bounded = referrers(QUOTE)["holder"]
    assert bounded["retained_is_lower_bound"]
    assert 100 < bounded["retained_kb"] < whole["retained_kb"] / 1.5


def test_receivers_lead_to_the_signal_that_they_are_connected_to(shop: types.ModuleType) -> None:
    from django.dispatch import Signal

    class Receiver:
        def __call__(self, **_kwargs: Any) -> None: ...

    Receiver.__module__, Receiver.__qualname__ = shop.__name__, "Receiver"
    shop.order_placed = Signal()  # type: ignore[attr-defined]
    for _ in range(300):
        shop.order_placed.connect(Receiver(), weak=False)
    result = referrers("shop_under_test.Receiver")
    assert paths(result)[0][:2] == [
        "shop_under_test.order_placed (django.dispatch.dispatcher.Signal)",
        "attribute 'receivers' (list, 300 entries)",
    ]
    assert result["holder"]["length"] == 300


@pytest.mark.parametrize("slotted", [False, True])
def test_attributes_are_named_whether_in_a_dict_or_in_slots(
    slotted: bool, shop: types.ModuleType, make_class: MakeClass
) -> None:
    quote = make_class("Quote")
    cart = make_class("Cart", **({"__slots__": ("quote",)} if slotted else {}))
    shop.CARTS = []  # type: ignore[attr-defined]
    for _ in range(50):
        shop.CARTS.append(cart())
        shop.CARTS[-1].quote = quote()
    result = referrers(QUOTE)
    assert result["referrers"] == ({"holder_type": "shop_under_test.Cart", "via": "attribute 'quote'", "count": 50},)
    assert paths(result) == [
        ["shop_under_test.CARTS (list, 50 entries)", "shop_under_test.Cart", f"attribute 'quote' ({QUOTE})"]
    ]


def test_a_dict_of_an_instance_is_shown_as_its_attributes(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    shop.cart = make_class("Cart")()  # type: ignore[attr-defined]
    vars(shop.cart)["quotes"] = [quote() for _ in range(20)]
    assert paths(referrers(QUOTE)) == [
        ["shop_under_test.cart (shop_under_test.Cart)", "attribute 'quotes' (list, 20 entries)", QUOTE]
    ]


def test_class_attributes_closures_caches_and_subclasses_of_containers_are_named(
    shop: types.ModuleType, make_class: MakeClass
) -> None:
    quote = make_class("Quote")
    shop.Cart = make_class("Cart", seen=OrderedDict((number, quote()) for number in range(4)))  # type: ignore[attr-defined]

    @functools.cache
    def price(_number: int) -> Any:
        return quote()

    for number in range(4):
        price(number)
    price.__wrapped__.__module__ = shop.__name__
    shop.price = price  # type: ignore[attr-defined]

    def handler() -> Callable[[], Any]:
        kept = [quote()]
        return lambda: kept

    shop.HANDLERS = [handler() for _ in range(4)]  # type: ignore[attr-defined]
    found = {" > ".join(path) for path in paths(referrers(QUOTE))}
    start = "class shop_under_test.Cart: class attribute 'seen' (collections.OrderedDict, 4 entries)"
    assert f"{start} > {QUOTE}" in found
    assert any(path.startswith("shop_under_test.price (lru_cache of shop_under_test.") for path in found)
    assert any("> closure variable 'kept' > list, 1 entry >" in path for path in found), found


def test_objects_of_a_suspended_generator_and_of_a_running_function_are_found(make_class: MakeClass) -> None:
    suspended, running = make_class("Suspended"), make_class("Running")

    def stream() -> Iterator[int]:
        batch = [suspended() for _ in range(3)]
        yield len(batch)

    kept = stream()
    next(kept)
    (path, *_) = paths(referrers("shop_under_test.Suspended"))
    assert "local variable 'batch' (list, 3 entries)" in path

    ready, end = threading.Event(), threading.Event()

    def work() -> None:
        hidden = [running() for _ in range(3)]
        ready.set()
        end.wait()
        hidden.clear()

    thread = threading.Thread(target=work, name="busy one")
    thread.start()
    ready.wait()
    try:
        result = referrers("shop_under_test.Running")
    finally:
        end.set()
        thread.join()
    assert result["chains"][0]["root"] == "thread busy one"
    assert paths(result)[0][0].startswith("local variable 'hidden' of ")
    del kept


def test_untracked_memory_leads_to_the_container_that_has_grown_most(shop: types.ModuleType) -> None:
    shop.FRAGMENTS = [f"fragment {number}" for number in range(5000)]  # type: ignore[attr-defined]
    seen = BigContainer(type="list", length=5000, holds="str", token=id(shop.FRAGMENTS))
    result = referrers("untracked", host=Host(apart_s=0, containers=lambda: (seen,)))
    assert paths(result) == [["shop_under_test.FRAGMENTS (list, 5,000 entries)"]]
    assert result["holder"]["retained_kb"] > 250
    assert result["instances"] == 5000
    assert "mostly str" in result["notes"][0]
    named = referrers("untracked", container="shop_under_test.FRAGMENTS", values=True, samples=1)
    assert paths(named) == paths(result)
    assert named["samples"][0]["0"] == "'fragment 0'"
    shop.TEXTS = {str(number): "text" for number in range(5000)}  # type: ignore[attr-defined]
    assert gc.is_tracked(shop.TEXTS) == (sys.version_info >= (3, 14))  # type: ignore[attr-defined]
    assert referrers("untracked", container="shop_under_test.TEXTS")["holder"]["retained_kb"] > 250


def test_growth_since_the_baseline_is_told_where_it_is_known(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    shop.QUOTES = [quote() for _ in range(50)]  # type: ignore[attr-defined]
    assert referrers(QUOTE)["new_since_baseline"] is None
    assert referrers(QUOTE, host=Host(apart_s=0, baseline=lambda: {QUOTE: 20}))["new_since_baseline"] == 30
    assert referrers(QUOTE, host=Host(apart_s=0, baseline=dict))["new_since_baseline"] == 50


def test_values_of_built_in_types_are_shown_when_asked_for(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    shop.QUOTES = []  # type: ignore[attr-defined]
    for number in range(9):
        shop.QUOTES.append(quote())
        vars(shop.QUOTES[-1]).update(number=number, name="x" * 500, other=quote, huge=10**5000)
    (sample, *_) = referrers(QUOTE, values=True, samples=2)["samples"]
    assert set(sample) == {"number", "name", "huge"}
    assert len(sample["name"]) <= 80


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("nowhere.Quote", "there is no instance of nowhere.Quote"),
        ("shop_under_test.Empty", "there is no instance"),
        ("str", "untracked"),
        ("\udcff\x00<script>", "give the name of a type or container"),
        ("x" * 300, "there is no instance"),
    ],
)
def test_a_type_without_an_instance_says_so(name: str, remedy: str, make_class: MakeClass) -> None:
    make_class("Empty")
    with pytest.raises(Refused, match=remedy):
        referrers(name)


def test_a_name_that_comes_near_is_suggested(shop: types.ModuleType, make_class: MakeClass) -> None:
    shop.kept = make_class("PriceQuote")()  # type: ignore[attr-defined]
    with pytest.raises(Refused, match=r"shop_under_test\.PriceQuote"):
        referrers("PriceQuote")


def test_native_memory_is_sent_to_the_flame_graph() -> None:
    with pytest.raises(Refused, match="native_traces"):
        referrers("native")


def test_looking_at_what_a_generator_or_a_traceback_holds_keeps_nothing_alive(make_class: MakeClass) -> None:
    quote = make_class("Quote")

    def work() -> Iterator[Any]:
        waiting = quote()
        yield weakref.ref(waiting)
        del waiting
        yield None

    def fail() -> None:
        failed = quote()
        refs.append(weakref.ref(failed))
        raise ValueError

    generator, refs = work(), []
    refs.append(next(generator))
    try:
        fail()
    except ValueError as error:
        kept = error
    last = [path[-1] for path in paths(referrers(QUOTE))]
    assert any(element.startswith("local variable 'waiting'") for element in last)
    assert any(element.startswith("local variable 'failed'") for element in last)
    next(generator)
    kept.__traceback__ = None
    assert [ref() for ref in refs] == [None, None]


@pytest.mark.parametrize("locals_are", ["of a class of their own", "the globals"])
def test_namespaces_of_running_code_that_are_classes_of_the_host_are_not_asked(
    locals_are: str, make_class: MakeClass
) -> None:
    called: list[str] = []

    class Globals(dict[str, Any]):
        def get(self, *_arguments: Any) -> Any:
            called.append("get")

    class Locals:
        """No dict at all."""

        def __init__(self) -> None:
            self.own: dict[str, Any] = {}

        def __getitem__(self, name: str) -> Any:
            called.append("__getitem__")
            return self.own[name]

        def __setitem__(self, name: str, value: Any) -> None:
            self.own[name] = value

        def __delitem__(self, name: str) -> None:
            called.append("__delitem__")
            del self.own[name]

        def keys(self) -> Any:
            called.append("keys")
            return self.own.keys()

    quote, ready, end = make_class("Quote"), threading.Event(), threading.Event()
    given = {"quote": quote, "ready": ready, "end": end}
    code = "hidden = quote()\nready.set()\nend.wait()"

    def work() -> None:
        if locals_are == "the globals":
            exec(code, Globals(given))
        else:
            found = Locals()
            found.own.update(given)
            exec(code, dict(given), found)  # type: ignore[arg-type]

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    called.clear()
    try:
        assert referrers(QUOTE)["instances"] == 1
        assert called == []
    finally:
        end.set()
        thread.join()


def test_no_line_of_the_hosts_code_runs(shop: types.ModuleType) -> None:
    called: list[str] = []

    def trap(name: str) -> Callable[..., Any]:
        def record(*_arguments: Any) -> Any:
            called.append(name)
            raise SystemExit(f"{name} was called")

        return record

    names = ["__repr__", "__str__", "__len__", "__iter__", "__eq__", "__bool__", "__getattr__", "__sizeof__",
             "__getitem__", "__contains__", "__getattribute__", "__del__", "__reduce_ex__"]  # fmt: skip
    traps = {name: trap(name) for name in names}
    meta = type("Meta", (type,), {name: trap(f"meta {name}") for name in ("__instancecheck__", "__len__", "__repr__")})
    hostile = {
        "__class__": property(trap("__class__")),
        "__dict__": property(trap("__dict__")),
        "__hash__": trap("hash"),
    }
    base = {"__module__": shop.__name__, "__slots__": ()}
    quote = meta("Quote", (), {**base, "__qualname__": "Quote", **hostile, **traps})
    holder = meta("Holder", (list,), {**base, "__qualname__": "Holder", **traps})
    mapping = meta("Mapping", (dict,), {**base, "__qualname__": "Mapping", **traps})
    quotes = [quote.__new__(quote) for _ in range(20)]
    shop.HELD = list.__new__(holder)  # type: ignore[attr-defined]
    list.extend(shop.HELD, quotes)
    shop.MAPPED = dict.__new__(mapping)  # type: ignore[attr-defined]
    dict.update(shop.MAPPED, enumerate(quotes))
    del quotes
    called.clear()
    try:
        result = referrers(QUOTE, values=True)
        assert called == []
    finally:
        for name in names:
            for of in (quote, holder, mapping):
                type.__delattr__(of, name)
    assert result["instances"] == 20
    assert {path[0] for path in paths(result)} == {
        "shop_under_test.HELD (shop_under_test.Holder, 20 entries)",
        "shop_under_test.MAPPED (shop_under_test.Mapping, 20 entries)",
    }


def test_nothing_of_the_recording_stays_behind(shop: types.ModuleType, make_class: MakeClass) -> None:
    quote = make_class("Quote")
    shop.QUOTES = [quote() for _ in range(500)]  # type: ignore[attr-defined]
    referrers(QUOTE, values=True)
    shop.QUOTES.clear()
    gc.collect()
    assert not [item for item in gc.get_objects() if type(item) is quote]


def test_referrers_are_followed_to_the_given_depth(shop: types.ModuleType, make_class: MakeClass) -> None:
    inner: Any = make_class("Quote")()
    for _ in range(9):
        inner = [inner]
    shop.DEEP = inner  # type: ignore[attr-defined]
    result = referrers(QUOTE, depth=3)
    assert "none found" in result["chains"][0]["root"]
    assert any("after 3 steps" in note for note in result["notes"])
    assert paths(referrers(QUOTE, depth=12))[0][0] == "shop_under_test.DEEP (list, 1 entry)"


def test_holders_that_were_frozen_before_a_fork_are_found(
    shop: types.ModuleType, make_class: MakeClass, where: str
) -> None:
    quote, cart = make_class("Quote"), make_class("Cart")
    shop.QUOTES = []  # type: ignore[attr-defined]
    shop.cart = cart()  # type: ignore[attr-defined]
    shop.cart.quotes = []
    gc.freeze()
    shop.QUOTES.extend(quote() for _ in range(500))
    shop.cart.quotes.extend(quote() for _ in range(500))
    result = referrers(QUOTE)
    assert {path[0] for path in paths(result)} == {
        "shop_under_test.QUOTES (list, 500 entries)",
        "shop_under_test.cart (shop_under_test.Cart)",
    }
    assert result["holder"]["retained_kb"] > 10
    assert any("frozen" in note for note in result["notes"]) == (where == "within")
