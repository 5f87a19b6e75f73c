"""What would be freed without some objects: they and what only they keep alive, in the sizes of a heap dump."""

from __future__ import annotations

import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.diagnosis.heap import retained
from memwatch.diagnosis.heap.retained import Weigher
from tests.diagnosis.conftest import referrers

MakeClass = Callable[..., Any]
COUNT = 500


class Quote:
    """With a text and a list of its own, and something that all share."""

    __slots__ = ("rows", "shared", "text")

    def __init__(self, number: int, shared: object) -> None:
        self.text = f"the text of quote {number}"
        self.rows = [number + 1_000]
        self.shared = shared


def size_of(quote: Quote) -> int:
    """With the headers that the collector puts before a quote and its list."""
    sizes = map(sys.getsizeof, (quote, quote.text, quote.rows, quote.rows[0]))
    return sum(sizes)


def quotes() -> list[Quote]:
    shared = [f"shared {number}" for number in range(100)]
    return [Quote(number, shared) for number in range(COUNT)]


def test_what_only_they_hold_counts_and_what_others_hold_does_not() -> None:
    made = quotes()
    shared = made[0].shared
    assert Weigher(made).weigh(made).bytes == pytest.approx(sum(map(size_of, made)), rel=0.01)
    kept_elsewhere = made[0].rows
    assert Weigher(made).weigh(made[:1]).bytes == size_of(made[0]) - sys.getsizeof(kept_elsewhere) - sys.getsizeof(1000)
    del shared


def test_a_container_counts_with_what_only_it_holds() -> None:
    holder = quotes()
    inside = sum(map(size_of, holder))
    shared = 5_000  # at least
    found = Weigher().weigh([holder])
    assert found.bytes >= inside + sys.getsizeof(holder) + shared
    outside = holder[0].shared
    assert Weigher().weigh([holder]).bytes == pytest.approx(inside + sys.getsizeof(holder), rel=0.01)
    assert outside


def test_references_of_ours_do_not_count() -> None:
    holder = quotes()
    alone = Weigher().weigh([holder]).bytes
    ours, more = list(holder), dict(enumerate(holder))
    assert Weigher().weigh([holder]).bytes < alone / 10
    assert Weigher(ours, more.values()).weigh([holder]).bytes == pytest.approx(alone, rel=0.01)


def test_objects_in_a_cycle_with_their_holder(make_class: MakeClass) -> None:
    node = make_class("Node")
    top = node()
    top.below = []
    for number in range(COUNT):
        below = node()
        below.top, below.text = top, f"the text of node {number}"
        top.below.append(below)
    del below
    found = Weigher().weigh([top])
    assert {of.__name__: count for of, count in found.types}["Node"] == COUNT + 1
    assert found.bytes > COUNT * (sys.getsizeof(top) + sys.getsizeof("the text of node 0"))


def test_a_function_counts_with_what_it_closes_over_and_not_with_its_module() -> None:
    def closing_over(quote: Quote, default: list[int]) -> Callable[..., Quote]:
        return lambda _given=default: quote

    made = [closing_over(Quote(number, None), [number + 1_000]) for number in range(COUNT)]
    found = Weigher().weigh([made])
    assert found.complete
    counts = {of: count for of, count in found.types}  # noqa: C416
    assert counts[Quote] == counts[types.FunctionType] == counts[types.CellType] == COUNT
    assert sum(counts.values()) < 12 * COUNT
    assert found.bytes > COUNT * (sys.getsizeof(made[0]) + sys.getsizeof("the text of quote 0") + sys.getsizeof([0]))


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_texts_as_keys_count(kind: Any) -> None:
    texts = kind((f"a key of its own, {number}", None) for number in range(COUNT))
    least = sys.getsizeof(texts) + COUNT * sys.getsizeof("a key of its own, 0")
    assert Weigher().weigh([texts]).bytes >= least


def test_too_much_is_a_lower_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = quotes()
    whole = Weigher().weigh([holder])
    assert whole.complete
    monkeypatch.setattr(retained, "MOST_OBJECTS", COUNT)
    part = Weigher().weigh([holder])
    assert not part.complete
    assert 0 < part.bytes < whole.bytes


def test_without_time_it_is_a_lower_bound() -> None:
    holder = quotes()
    times = iter([0.0, 1.0, *[100.0] * 10])
    found = Weigher(clock=lambda: next(times)).weigh([holder])
    assert not found.complete
    assert found.bytes == sys.getsizeof(holder)


class HostileMeta(type):
    """Its classes are neither hashed nor compared."""

    def __hash__(cls) -> int:
        raise AssertionError

    def __eq__(cls, _other: object) -> bool:
        raise AssertionError


def test_no_line_of_the_host_runs() -> None:
    class Hostile(metaclass=HostileMeta):
        def __sizeof__(self) -> int:
            raise AssertionError

        def __hash__(self) -> int:
            raise AssertionError

        def __eq__(self, _other: object) -> bool:
            raise AssertionError

        def __getattr__(self, _name: str) -> Any:
            raise AssertionError

    assert Weigher().weigh([[Hostile() for _ in range(10)]]).bytes > 10 * object.__sizeof__(object())


def test_a_recording_says_what_would_be_freed(shop: types.ModuleType) -> None:
    shop.QUOTES = {f"request {number}": quote for number, quote in enumerate(quotes())}  # type: ignore[attr-defined]
    shared = sys.getsizeof(shop.QUOTES["request 0"].shared) + 100 * sys.getsizeof("shared 00")
    truth = shared + sum(map(size_of, shop.QUOTES.values()))
    result = referrers(f"{__name__}.Quote")
    assert result["retained_kb"] * 1024 == pytest.approx(truth, rel=0.05)
    assert not result["retained_is_lower_bound"]
    keys = sys.getsizeof(shop.QUOTES) + sum(map(sys.getsizeof, shop.QUOTES))
    assert result["holder"]["retained_kb"] * 1024 == pytest.approx(truth + keys, rel=0.05)
