"""The program's collector is on while the agent's thread waits, and only then."""

from __future__ import annotations

import gc
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import pytest

from memwatch.agent.collector_break import Break, PlainBreak, new_break, suspended

compiled = type(new_break())


@pytest.fixture(params=[PlainBreak, new_break], ids=["plain", "compiled"])
def collector(request: pytest.FixtureRequest) -> Iterator[Break]:
    made: Break = request.param()
    yield made
    made.end()
    gc.enable()


def test_it_ends_as_it_began(collector: Break) -> None:
    collector.begin()
    collector.begin()
    assert (gc.isenabled(), collector.taken) == (False, True)
    with suspended(collector):
        assert (gc.isenabled(), collector.taken) == (True, False)
    assert (gc.isenabled(), collector.taken) == (False, True)
    collector.end()
    collector.end()
    assert (gc.isenabled(), collector.taken) == (True, False)


def test_a_program_that_has_it_off_finds_it_off(collector: Break) -> None:
    gc.disable()
    collector.begin()
    assert not collector.call(gc.isenabled, ())
    assert collector.poll({}, 0) == []
    collector.end()
    assert not gc.isenabled()


def test_a_wait_has_the_collector_on_and_what_the_program_changes_there_stays(collector: Break) -> None:
    collector.begin()
    assert collector.call(gc.isenabled, ())
    assert not gc.isenabled()
    collector.call(gc.disable, ())
    assert not collector.taken
    collector.end()
    assert not gc.isenabled()


def test_an_error_is_raised_and_the_break_goes_on(collector: Break) -> None:
    collector.begin()
    with pytest.raises(ZeroDivisionError):
        collector.call(divmod, (1, 0))
    assert (gc.isenabled(), collector.taken) == (False, True)


def test_poll_says_what_is_ready_in_time(collector: Break) -> None:
    near, far = os.pipe()
    states: list[bool] = []
    try:
        collector.begin()
        wanted = {near: select.POLLIN, far: select.POLLOUT}
        assert collector.poll(wanted, 1000) == [(far, select.POLLOUT)]
        began = time.monotonic()
        assert collector.poll({near: select.POLLIN}, 20.5) == []
        assert time.monotonic() - began >= 0.02

        def write() -> None:
            deadline = time.monotonic() + 5
            while not gc.isenabled() and time.monotonic() < deadline:
                time.sleep(0.001)
            states.append(gc.isenabled())
            os.write(far, b"x")

        writer = threading.Thread(target=write)
        writer.start()
        assert collector.poll({near: select.POLLIN}, 1e6) == [(near, select.POLLIN)]
        writer.join()
        assert states == [True]
        assert not gc.isenabled()
    finally:
        os.close(near)
        os.close(far)
    assert collector.poll(wanted, 0) == [(near, select.POLLNVAL), (far, select.POLLNVAL)]


class Cycle:
    """Notes the thread that it ends in."""

    ended_in: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        Cycle.ended_in.add(threading.get_ident())


@pytest.mark.skipif(compiled is PlainBreak, reason="the agent's waits are not compiled here")
def test_no_finalizer_runs_in_the_thread_that_waits() -> None:
    """With a threshold of 1, nearly every allocation of the thread with the collector on would collect."""
    begun, stop, calm = threading.Event(), threading.Event(), threading.Event()
    waiter: list[int] = []
    polls = 0
    collector, near, lock = new_break(), os.pipe(), threading.Lock()
    lock.acquire()
    os.write(near[1], b"x")

    def wait() -> None:
        nonlocal polls
        waiter.append(threading.get_ident())
        kept = []
        collector.begin()
        begun.set()
        while not stop.is_set():
            kept.append(collector.poll({near[0]: select.POLLIN}, 1))  # a list and a tuple that no free list has
            collector.call(lock.acquire, (True, 0.0001))
            polls += 1
        calm.wait(30)
        collector.end()

    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait(30)
    Cycle.ended_in.clear()
    threshold = gc.get_threshold()
    try:
        gc.set_threshold(1, 1000, 1000)
        deadline = time.monotonic() + 30
        while polls < 2000 and time.monotonic() < deadline:
            Cycle()
            time.sleep(0.0001)
    finally:
        stop.set()
        gc.set_threshold(*threshold)
        calm.set()
        thread.join()
        for number in near:
            os.close(number)
    assert polls >= 2000
    assert Cycle.ended_in
    assert waiter[0] not in Cycle.ended_in
