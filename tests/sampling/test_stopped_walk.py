"""On a free-threaded build, objects are counted while all other threads are stopped."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections import deque

import pytest

from memwatch.sampling import Sampler, walk

FREE_THREADED = "t" in sys.abiflags
free_threaded = pytest.mark.skipif(not FREE_THREADED, reason="this Python has the global lock")


class Kept:
    """Something to count."""


def counted() -> dict[type, int]:
    walked = walk.walk_heap(last_cpu_ms=0.0)
    return dict(zip(walked.types, walked.counts, strict=True))


@pytest.mark.skipif(FREE_THREADED, reason="this Python has no global lock")
def test_a_build_with_the_lock_has_no_use_for_it() -> None:
    with pytest.raises(ImportError, match=r"has lists to walk|No module named"):
        importlib.import_module("memwatch.sampling._stopped_walk")


@free_threaded
def test_it_is_the_way_to_count_and_leaves_the_threads_free() -> None:
    assert walk.census_method() == "stop-the-world walk"
    assert not sys._is_gil_enabled()  # type: ignore[attr-defined]  # of Python 3.13


@free_threaded
def test_every_tracked_object_is_counted_once() -> None:
    kept = [Kept() for _ in range(12_345)]
    gc.collect()
    walked = walk.walk_heap(last_cpu_ms=0.0)
    assert dict(zip(walked.types, walked.counts, strict=True))[Kept] == len(kept)
    assert sum(walked.counts) == walked.total
    assert walked.total == pytest.approx(len(gc.get_objects()), abs=1_000)


@free_threaded
def test_big_containers_are_found_with_the_type_of_their_entries() -> None:
    kept = {list: [Kept() for _ in range(400)], dict: {n: [n] for n in range(500)}, deque: deque([[]] * 600)}
    for number in range(100):
        del kept[dict][number]
    found = {each.token: each for each in walk.walk_heap(last_cpu_ms=0.0).seen.containers}
    assert {kind: found[id(each)].length for kind, each in kept.items()} == {list: 400, dict: 400, deque: 600}
    assert [found[id(kept[kind])].entry_types for kind in (list, dict)] == [[Kept], [list]]


@free_threaded
def test_destructors_run_in_the_threads_of_the_program() -> None:
    ours, wrong, over = threading.get_ident(), [], threading.Event()

    class Dies:
        def __init__(self) -> None:
            self.own = [self.__class__]

        def __del__(self) -> None:
            if threading.get_ident() == ours:
                wrong.append(1)

    def churn() -> None:
        pool: list[Dies] = []
        while not over.is_set():
            pool.append(Dies())
            if len(pool) > 1_000:
                del pool[::2]

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        seen = [counted().get(Dies, 0) for _ in range(50)]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert max(seen) > 500
    assert wrong == []


@free_threaded
def test_a_snapshot_has_its_census() -> None:
    kept = [Kept() for _ in range(3_000)]
    snapshot = Sampler(top_objects_count=100).sample(census=True)
    assert snapshot.total_objects
    assert (snapshot.top_objects or {})[f"{__name__}.Kept"] == len(kept)
    assert snapshot.census_pause_ms


@free_threaded
def test_a_walk_that_was_called_off_does_not_begin() -> None:
    walk_again = walk._native
    stops = walk_again.stops()
    walk_again.stop()
    with pytest.raises(InterruptedError):
        walk_again.walk(250, 500, 1.0, stops)
    for arguments in ((0, 500, 1.0), (250, -1, 1.0), (250, 500, -1.0)):
        with pytest.raises(ValueError, match="or more"):
            walk_again.walk(*arguments)
