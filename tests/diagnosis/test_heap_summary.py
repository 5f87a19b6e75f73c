"""What the heap is made of, and the usual suspects."""

from __future__ import annotations

import dataclasses
import functools
import gc
import logging
import mmap
import types
from typing import Any

import pytest

from memwatch.diagnosis import heap_summary
from memwatch.diagnosis.context import Refused
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import walk
from memwatch.diagnosis.heap_summary import HeapSummaryRecording
from memwatch.diagnosis.suspects import Suspects
from memwatch.sampling.atomic import FREE_THREADED
from memwatch.sampling.mappings import LARGE, read_mappings
from tests.diagnosis.conftest import HOST, run_to_end
from tests.references import references


def summary() -> dict[str, Any]:
    found: dict[str, Any] = run_to_end(HeapSummaryRecording(HOST).run(Meter())).to_dict()
    return found


def row(rows: Any, **wanted: Any) -> dict[str, Any]:
    (found,) = [each for each in rows if all(each[name] == value for name, value in wanted.items())]
    return dict(found)


def test_types_modules_and_containers_are_counted(shop: types.ModuleType, make_class: Any) -> None:
    quote = make_class("Quote", __slots__=("a", "b"))
    shop.QUOTES = [quote() for _ in range(4000)]  # type: ignore[attr-defined]
    found = summary()
    assert row(found["types"], type="shop_under_test.Quote")["count"] == 4000
    assert row(found["modules"], module="shop_under_test")["count"] == 4000
    assert row(found["containers"], name="shop_under_test.QUOTES") == {
        "name": "shop_under_test.QUOTES", "type": "list", "length": 4000, "holds": "shop_under_test.Quote",
    }  # fmt: skip
    assert "MainThread" in found["threads"]
    assert found["garbage"] == len(gc.garbage)
    assert not any(name["type"].startswith("memwatch.diagnosis") for name in found["types"])


@pytest.mark.skipif(FREE_THREADED, reason="this Python has no global lock")
def test_where_no_copy_can_be_had_the_process_itself_is_gone_through(
    shop: types.ModuleType, make_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "impossible", lambda: "the test wants it so")
    shop.QUOTES = [make_class("Quote")() for _ in range(4000)]  # type: ignore[attr-defined]
    found = summary()
    assert row(found["types"], type="shop_under_test.Quote")["count"] == 4000
    assert found["notes"][-1] == "Gone through within the process: the test wants it so."


def test_the_process_is_left_alone_where_its_copy_did_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "LONGEST_S", 0.0)
    with pytest.raises(Refused, match=r"was ended after 0 s.* the process itself is left alone"):
        summary()


def test_sampled_sizes_come_with_their_error(shop: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.unfreeze()  # what is frozen is counted, and not among gc.get_objects()
    monkeypatch.setattr(heap_summary, "SAMPLED", 2_000)
    # One of them weighs as much as all others: the sample alone would miss it, or multiply it.
    # In a tuple: a list of so many is not weighed by itself, and would count some hundred times if it were met.
    shop.KEPT = (*([None] * (number % 50) for number in range(30_000)), [None] * 1_000_000)  # type: ignore[attr-defined]
    lists = row(summary()["types"], type="list")
    every = [each for each in gc.get_objects() if type(each) is list]
    true_kb = sum(each.__sizeof__() + 16 for each in every) / 1024
    assert lists["size_error_kb"] > 0
    assert lists["size_error_kb"] < true_kb / 2  # where the longest list of this run of pytest is met, a fifth
    assert abs(lists["size_kb"] - true_kb) < 4 * lists["size_error_kb"] + 300


def test_the_usual_suspects_are_named(shop: types.ModuleType) -> None:
    from django.dispatch import Signal

    logger = logging.getLogger("shop_under_test")
    handlers = [logging.NullHandler() for _ in range(12)]
    shop.order_placed = Signal()  # type: ignore[attr-defined]
    for number in range(150):
        shop.order_placed.connect(lambda number=number, **_: number, weak=False)

    @functools.cache
    def price(number: int) -> int:
        return number

    price.__wrapped__.__module__ = shop.__name__
    price.__wrapped__.__qualname__ = "price"
    for number in range(30):
        price(number)
    try:
        for handler in handlers:
            logger.addHandler(handler)
        suspects = summary()["suspects"]
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
    found = row(suspects, name="handlers of logger shop_under_test")
    assert (found["count"], "once" in found["advice"]) == (12, True)
    found = row(suspects, name="receivers of signal shop_under_test.order_placed")
    assert (found["count"], "dispatch_uid" in found["advice"]) == (150, True)
    assert row(suspects, name="entries of the lru_cache of shop_under_test.price") == {
        "name": "entries of the lru_cache of shop_under_test.price", "count": 30, "advice": "",
    }  # fmt: skip


def test_queries_that_a_connection_keeps_are_counted() -> None:
    from django.db import connection

    gc.unfreeze()  # it was made long before this test
    kept = list(connection.queries_log)
    try:
        connection.queries_log.extend({"sql": "select 1", "time": "0"} for _ in range(1500))
        found = row(summary()["suspects"], name="queries kept by connection default")
        assert found["count"] >= 1500
        assert "DEBUG" in found["advice"]
    finally:
        connection.queries_log.clear()
        connection.queries_log.extend(kept)


def test_of_very_many_caches_a_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    monkeypatch.setattr(Suspects, "_suspect", lambda _self, item, _name: looked_at.append(id(item)))
    monkeypatch.setattr(walk, "MOST_FOUND", 10)
    kept = [functools.cache(lambda: None) for _ in range(500)]
    run_to_end(HeapSummaryRecording(HOST).within(Meter()))
    assert 10 <= len(looked_at) <= 20 * walk.PARTS < len(kept)


def test_no_suspect_is_held_between_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LEAST_PART", 1_000)
    kept = functools.lru_cache(maxsize=3)(abs)
    for number in range(5):
        kept(number)
    others: list[list[Any]] = [[] for _ in range(20_000)]
    gc.collect()
    before, counts = references([kept]), []
    work = HeapSummaryRecording(HOST).within(Meter())
    gc.disable()
    try:
        while True:
            next(work)
            counts.append(references([kept]))
    except StopIteration as end:
        result = end.value
    finally:
        gc.enable()
    assert [each.count for each in result.suspects if each.name.startswith("entries of the lru_cache of ?")] == [3]
    assert others
    assert len(counts) > 10
    assert set(counts) <= {before, before + 1}, "by the list of a pass alone"
    assert references([kept]) == before


def test_resident_memory_by_mapping_is_compared_with_the_baseline() -> None:
    at_baseline = read_mappings()
    assert at_baseline is not None
    block = mmap.mmap(-1, 80 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.write(bytes(80 << 20))
    host = dataclasses.replace(HOST, mappings=lambda: at_baseline)
    found: dict[str, Any] = run_to_end(HeapSummaryRecording(host).run(Meter())).to_dict()
    grown = row(found["mappings"], name=LARGE)
    assert grown == found["mappings"][0]
    assert grown["grew_kb"] == pytest.approx(80 * 1024, rel=0.1)
    assert {each["grew_kb"] for each in summary()["mappings"]} == {None}
    block.close()
