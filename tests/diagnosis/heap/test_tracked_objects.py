"""What a pass lists of the host is out of sight, let go of in time, and nothing of it ends in the agent's thread."""

from __future__ import annotations

import gc
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from memwatch.agent import lifecycle, recordings
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import frozen_objects, tracked_objects, traversal, walk
from memwatch.sampling.atomic import Step
from memwatch.sampling.container_scan import look
from tests.references import references


class Mortal:
    """Says in which thread it ended."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def __del__(self) -> None:
        self._said.append(threading.current_thread().name)


class Passes:
    """A pass over the heap in many parts, and the ids that it went by."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.steps = walk.walk(Host(), Meter(), self._gather)

    def _gather(self, objects: Callable[[], Iterator[Any]], _size: int) -> list[Step]:
        return [partial(self.seen.extend, map(id, objects()))]

    def go(self, parts: int) -> None:
        """Go on by so many parts."""
        for _ in range(parts):
            next(self.steps)

    def end(self) -> set[int]:
        """Go on to the end; all ids."""
        for _ in self.steps:
            pass
        return set(self.seen)


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Passes]:
    """A pass, begun in a process that collects nothing meanwhile."""
    monkeypatch.setattr(walk, "LEAST_PART", 1_000)
    oldest = [[number] for number in range(30_000)]
    gc.collect()
    gc.disable()
    passes = Passes()
    try:
        yield passes
        assert oldest
    finally:
        passes.steps.close()
        gc.enable()


def test_the_collector_and_snapshots_do_not_see_the_list(passed: Passes) -> None:
    passed.go(3)
    (listed,) = tracked_objects.LISTED
    assert len(listed) > 20_000
    assert not gc.is_tracked(listed)
    assert id(listed) not in {each.token for each in look(total=len(gc.get_objects())).containers}


def test_each_object_is_gone_through_once(passed: Passes) -> None:
    kept = [[number] for number in range(3_000)]
    gc.collect()
    ids = passed.end()
    assert set(map(id, kept)) <= ids
    assert len(passed.seen) < len(ids) + 100, "the younger generations belong to the first part alone"


def test_what_died_while_it_was_listed_ends_in_a_thread_of_the_host(passed: Passes) -> None:
    said: list[str] = []
    kept = [Mortal(said) for _ in range(50)]
    gc.collect()

    def work() -> None:
        passed.go(2)
        kept.clear()
        passed.end()

    thread = threading.Thread(target=work, name="the agent's")
    thread.start()
    thread.join()
    assert said == []
    gc.collect()
    assert said == [threading.current_thread().name] * 50


def test_a_pass_that_is_given_up_lets_go_of_all(passed: Passes) -> None:
    kept = object.__new__(Mortal)
    kept._said = []
    gc.collect()
    before = references([kept])
    passed.go(1)
    assert references([kept]) == before + 1
    passed.steps.close()
    assert references([kept]) == before
    assert tracked_objects.LISTED == []


def test_a_pass_that_cannot_even_let_go_in_order_lets_go_of_all(
    passed: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_args: object) -> None:
        raise MemoryError

    passed.go(1)
    monkeypatch.setattr(tracked_objects.Held, "_let_go_from", no_memory)
    with pytest.raises(MemoryError):
        passed.steps.close()
    assert tracked_objects.LISTED == []


def test_a_list_that_cannot_be_made_whole_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(steps: list[Step]) -> None:
        steps[0]()
        raise MemoryError

    monkeypatch.setattr(tracked_objects, "uninterrupted", out_of_memory)
    with pytest.raises(MemoryError):
        tracked_objects.Listing(Host(), Meter(), 2)
    assert tracked_objects.LISTED == []


@pytest.mark.parametrize("held_s", [0.0, 1e9])
def test_a_list_made_anew_leaves_out_nobody(passed: Passes, monkeypatch: pytest.MonkeyPatch, held_s: float) -> None:
    monkeypatch.setattr(tracked_objects, "HELD_S", held_s)
    others = [[number] for number in range(5_000)]
    kept = [[number] for number in range(3_000)]
    gc.collect()
    for part in range(10):
        passed.go(1)
        del others[part * 100 : part * 100 + 50]
        if held_s:
            recordings.release_objects()
    ids = passed.end()
    assert set(map(id, kept)) | set(map(id, others)) <= ids
    assert len(passed.seen) < len(ids) + 2_000


def test_a_heap_that_grows_meanwhile_comes_to_an_end(passed: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the collector off all of it is young."""
    monkeypatch.setattr(tracked_objects, "HELD_S", 0.0)
    grown: list[list[int]] = [[number] for number in range(walk.MOST_YOUNG + 1)]
    first = set(map(id, grown))
    for parts, _ in enumerate(passed.steps):
        grown += [[number] for number in range(1_500)]
        assert parts < 500
    assert first <= set(passed.seen)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_child_holds_nothing_of_a_pass_of_its_parent(passed: Passes) -> None:
    kept = [[number] for number in range(3_000)]
    gc.collect()
    passed.go(2)
    before = references([kept[0]])
    lifecycle._hook()  # as every agent does when it starts
    pid = os.fork()
    if not pid:
        os._exit(0 if references([kept[0]]) == before - 1 and not tracked_objects.LISTED else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert set(map(id, kept)) <= passed.end()


def test_a_frozen_heap_is_gone_through_in_parts_and_our_own_list_is_no_way_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walk, "LEAST_PART", 500)
    monkeypatch.setattr(walk, "SEARCH_PARTS", 1_000_000)
    monkeypatch.setattr(traversal, "AT_ONCE", 1_000)
    monkeypatch.setattr(frozen_objects, "BIG", 2_000)
    shop: Any = types.ModuleType("frozen_shop")
    shop.KEPT = {number: [number] for number in range(3_000)}
    shop.DEEP = [[[[]]]]
    monkeypatch.setitem(sys.modules, "frozen_shop", shop)
    seen: list[int] = []
    sizes: list[int] = []
    big: dict[int, int] = {}

    def gather(objects: Callable[[], Iterator[Any]], size: int) -> list[Step]:
        sizes.append(size)
        return [partial(seen.extend, map(id, objects()))]

    before = references([shop.KEPT])
    waits = sum(1 for _ in walk.walk_frozen(Host(), Meter(), gather, big=big))
    assert waits > len(sizes) > 10
    assert max(sizes) <= 500
    wanted = {id(shop.KEPT), *map(id, shop.KEPT.values()), id(shop.DEEP[0][0])}
    assert wanted <= set(seen)
    assert id(tracked_objects.LISTED) not in seen
    assert len(seen) == len(set(seen)), "each once"
    assert big[id(shop.KEPT)] == 3_000
    after = references([shop.KEPT])
    assert after == before
