"""The search within the process: in parts, between which the host runs; nothing of the host is kept for long."""

from __future__ import annotations

import gc
import sys
import threading
import time
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from memwatch.diagnosis import options, pace
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import big_containers, introspection, traversal, walk
from memwatch.diagnosis.heap_summary import HeapSummaryRecording
from memwatch.diagnosis.referrers import in_process
from memwatch.diagnosis.referrers import recording as searching
from memwatch.sampling import container_scan
from memwatch.sampling.atomic import Step, uninterrupted
from tests.diagnosis.conftest import HOST, paths, referrers, run_to_end
from tests.references import references

MakeClass = Callable[..., Any]
QUOTE = "shop_under_test.Quote"


@pytest.fixture(autouse=True)
def within(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a platform where no copy of the process can be had."""
    monkeypatch.setattr(searching, "impossible", lambda: "the test wants it so")


def test_a_host_that_imports_and_caches_meanwhile_does_not_end_the_pass(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another thread may do before each uninterrupted call, done here just before it."""
    shop.QUOTES = {number: make_class("Quote")() for number in range(50)}  # type: ignore[attr-defined]
    added: list[str] = []

    def meanwhile(steps: list[Step]) -> None:
        added.append(f"imported_meanwhile_{len(added)}")
        sys.modules[added[-1]] = types.ModuleType(added[-1])
        shop.QUOTES[len(added) + 1_000] = None  # type: ignore[attr-defined]
        uninterrupted(steps)

    for each in (in_process, walk, introspection, container_scan, traversal):
        monkeypatch.setattr(each, "uninterrupted", meanwhile)
    try:
        assert paths(referrers(QUOTE))[0][0].startswith("shop_under_test.QUOTES (dict, ")
        assert run_to_end(HeapSummaryRecording(HOST).within(Meter())).types
    finally:
        for name in added:
            del sys.modules[name]
    assert len(added) > 10


def test_values_are_read_without_holding_an_instance_between_two_parts(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "LEAST_PART", 1_000)
    quote = make_class("Quote")()
    quote.total = 7
    shop.KEPT = {"only": quote}  # type: ignore[attr-defined]
    shop.OTHERS = [[] for _ in range(20_000)]  # type: ignore[attr-defined]
    gc.collect()
    asked = options.referrers({"type": QUOTE, "values": True})
    work = searching.ReferrersRecording(asked, Host()).run(Meter())
    before = references([quote])
    counts = []
    gc.disable()
    try:
        while True:
            next(work)
            counts.append(references([quote]))
    except StopIteration as end:
        result = end.value
    finally:
        gc.enable()
    assert result.samples == ({"total": "7"},)
    assert len(counts) > 10
    held = [count > before + 1 for count in counts]
    assert sum(held) <= 2, "besides by the list of a pass, only while the holder is sized"
    assert references([quote]) == before


def test_what_dies_while_it_is_looked_at_ends_in_a_thread_of_the_host(make_class: MakeClass) -> None:
    ended_in: list[str] = []
    quote = make_class("Quote", __del__=lambda _self: ended_in.append(threading.current_thread().name))
    kept = [[quote()] for _ in range(200)]
    work = searching.ReferrersRecording(options.referrers({"type": QUOTE, "values": True}), Host()).run(Meter())

    def record() -> None:
        gc.disable()
        try:
            for _ in work:
                if kept:
                    kept.pop()
        finally:
            gc.enable()

    thread = threading.Thread(target=record, name="the agent's")
    thread.start()
    while thread.is_alive():
        if kept:
            kept.pop()
        thread.join(0.0005)
    kept.clear()
    gc.collect()
    assert ended_in
    assert len(ended_in) == 200


def test_a_pass_in_many_parts_finds_each_holder(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "LEAST_PART", 5_000)
    monkeypatch.setattr(walk, "SEARCH_PARTS", 40)
    quote = make_class("Quote")
    shop.QUOTES = [(number, quote()) for number in range(20_000)]  # type: ignore[attr-defined]
    result = referrers(QUOTE)
    assert result["instances"] == pytest.approx(20_000, rel=0.02)
    assert paths(result)[0][0] == "shop_under_test.QUOTES (list, 20,000 entries)"
    assert result["chains"][0]["count"] == pytest.approx(20_000, rel=0.05)


def test_the_newest_objects_of_a_large_heap_can_be_gone_through_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LEAST_PART", 1_500)
    old = [[number] for number in range(10_000)]
    gc.collect()
    new = [[number] for number in range(1_000)]
    seen: list[int] = []

    def gather(objects: Callable[[], Iterator[Any]], _size: int) -> list[Step]:
        return [partial(seen.extend, map(id, objects()))]

    assert list(walk.walk(Host(), Meter(), gather, newest=3_000))
    assert set(map(id, new)) <= set(seen)
    assert len(set(seen) & set(map(id, old))) < len(old) / 2


def test_the_host_gets_its_turn_between_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LEAST_PART", 500)
    kept = [[number] for number in range(3000)]
    gc.collect()
    waits = list(walk.walk(Host(), Meter(), lambda _objects, _size: []))
    assert len(waits) >= 5
    assert all(wait_s > 0 for wait_s in waits)
    assert len(kept) == 3000


def test_a_container_that_is_gone_through_in_slices_is_found_by_its_last_entries_too(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(big_containers, "BIG", 2_000)
    monkeypatch.setattr(big_containers, "SLICE", 700)
    monkeypatch.setattr(introspection, "AT_ONCE", 900)
    quote = make_class("Quote")
    others = [str(number) for number in range(5_000)]

    def entries() -> list[Any]:
        return [*others, *(quote() for _ in range(3))]

    shop.IN_LIST = entries()  # type: ignore[attr-defined]
    shop.AS_KEYS = dict.fromkeys(entries())  # type: ignore[attr-defined]
    shop.IN_DICT = dict(enumerate(entries()))  # type: ignore[attr-defined]
    shop.IN_SET = set(entries())  # type: ignore[attr-defined]
    shop.IN_CACHE = OrderedDict(enumerate(entries()))  # type: ignore[attr-defined]
    shop.IN_GROUPS = defaultdict(list, enumerate(entries()))  # type: ignore[attr-defined]
    shop.IN_DEQUE = deque(entries())  # type: ignore[attr-defined]
    result = referrers(QUOTE)
    assert {path[0].partition(" ")[0].removeprefix("shop_under_test.") for path in paths(result)} == {
        "IN_LIST", "AS_KEYS", "IN_DICT", "IN_SET", "IN_DEQUE", "IN_CACHE", "IN_GROUPS",
    }  # fmt: skip
    assert all(each["count"] == 3 for each in result["chains"])


def test_looking_at_local_variables_keeps_nothing_alive(make_class: MakeClass) -> None:
    quote, died = make_class("Quote"), threading.Event()
    quote.__del__ = lambda _self: died.set()
    ready, drop, end = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        hidden = quote()
        ready.set()
        drop.wait()
        del hidden
        end.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        assert paths(referrers(QUOTE))[0][0].startswith("local variable 'hidden'")
        drop.set()
        assert died.wait(30), "the frame still refers to it"
    finally:
        drop.set()
        end.set()
        thread.join()


def test_it_takes_a_tenth_of_a_core_and_says_how_it_searched(shop: types.ModuleType, make_class: MakeClass) -> None:
    shop.QUOTES = [make_class("Quote")() for _ in range(30)]  # type: ignore[attr-defined]
    work = searching.ReferrersRecording(options.referrers({"type": QUOTE}), HOST).run(Meter())
    waits, began = [], time.thread_time()
    gc.disable()
    try:
        while True:
            waits.append(next(work))
    except StopIteration as end:
        found = end.value
    finally:
        gc.enable()
    worked = time.thread_time() - began
    assert sum(waits) > 0.7 * 9 * worked
    assert "within the process" in found.notes[-1]
    assert found.holder is not None
    assert not found.holder.sure


def test_a_heap_that_would_be_held_for_long_is_refused(shop: types.ModuleType, make_class: MakeClass) -> None:
    shop.QUOTES = [make_class("Quote")() for _ in range(30)]  # type: ignore[attr-defined]
    large = Host(apart_s=0, total_objects=lambda: 900_000)
    with pytest.raises(Refused, match="900,000 objects cannot be searched within the process"):
        referrers(QUOTE, host=large)


def test_a_search_that_held_the_program_for_long_is_given_up(shop: types.ModuleType, make_class: MakeClass) -> None:
    shop.QUOTES = [make_class("Quote")() for _ in range(30)]  # type: ignore[attr-defined]
    work = searching.ReferrersRecording(options.referrers({"type": QUOTE}), HOST)
    meter = Meter()
    meter.held(3_000)
    with pytest.raises(Refused, match="held the program for 3000 ms"):
        run_to_end(work.run(meter))


def test_a_search_for_which_the_programs_requests_wait_is_given_up(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BEFORE_S", 0.2)
    shop.QUOTES = [make_class("Quote")() for _ in range(30)]  # type: ignore[attr-defined]
    handled = 0
    host = Host(apart_s=0, requests_handled=lambda: handled)
    work = searching.ReferrersRecording(options.referrers({"type": QUOTE}), host).run(Meter())
    for _ in range(2):  # the first of them looks at what was usual
        next(work)
        handled += 500
        time.sleep(0.1)

    def go_on() -> None:
        while True:
            time.sleep(min(0.05, next(work)))

    with pytest.raises(Refused, match="the program comes first: the program handled"):
        go_on()
