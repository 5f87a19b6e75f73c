"""Programs that nothing can come between."""

from __future__ import annotations

import gc
import threading
import time
from functools import partial
from operator import call

import pytest

from memwatch.sampling.atomic import Headroom, uninterrupted


def test_steps_run_in_order_with_the_collector_off_and_leave_it_on() -> None:
    seen: list[bool] = []
    assert gc.isenabled()
    uninterrupted([partial(seen.extend, map(call, (gc.isenabled,)))])
    assert seen == [False]
    assert gc.isenabled()


def test_a_collector_that_the_host_has_turned_off_stays_off() -> None:
    gc.disable()
    try:
        uninterrupted([partial(int)])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_step_that_raises_leaves_the_collector_on() -> None:
    with pytest.raises(ZeroDivisionError):
        uninterrupted([partial(divmod, 1, 0)])
    assert gc.isenabled()


def test_a_program_releases_what_its_iterators_were_reading() -> None:
    class Host:
        pass

    host = Host()
    held = [host]
    before = gc.get_referrers(held)
    taken: list[object] = []
    uninterrupted([partial(taken.extend, map(id, zip(held, iter(held), strict=False)))])
    assert len(gc.get_referrers(held)) == len(before)


def test_no_other_thread_runs_within_a_program() -> None:
    """A thread that counts cannot count while a program runs, however long it is."""
    counted, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1

    other = threading.Thread(target=count)
    other.start()
    try:
        marks: list[int] = []
        read = counted.__getitem__
        uninterrupted(
            [
                partial(marks.extend, map(read, (0,))),
                partial(sum, range(3_000_000)),
                partial(marks.extend, map(read, (0,))),
            ]
        )
    finally:
        stop.set()
        other.join()
    assert marks[0] == marks[1]


def test_the_reserve_lowers_the_collectors_count() -> None:
    gc.collect()
    headroom = Headroom()
    headroom.restore()
    reserve = len(headroom)
    assert reserve >= 200
    kept = [iter(()) for _ in range(gc.get_threshold()[0] - gc.get_count()[0] - 50)]
    before = gc.get_count()[0]
    headroom.ask(100)
    assert before - gc.get_count()[0] >= 90
    assert len(headroom) == reserve - 100
    assert kept


def test_a_reserve_is_not_made_when_that_would_bring_the_next_collection_to_us() -> None:
    gc.collect()
    headroom = Headroom()
    kept = [iter(()) for _ in range(gc.get_threshold()[0] - gc.get_count()[0] - 50)]
    headroom.restore()
    assert len(headroom) == 0
    assert kept


def test_asking_for_room_waits_a_few_milliseconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (10_000, 0, 0))
    start = time.monotonic()
    Headroom().ask(100)
    assert time.monotonic() - start < 0.5
