"""Objects of the host are put back without running its code."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.heap.borrowed import held


class Mortal:
    """Says in which thread it ended."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def __del__(self) -> None:
        self._said.append(threading.current_thread().name)


def in_the_agents_thread(work: Callable[[], None]) -> None:
    """As the agent does it: with the collector off."""
    gc.disable()
    try:
        thread = threading.Thread(target=work, name="the agent's")
        thread.start()
        thread.join()
    finally:
        gc.enable()


def test_what_only_we_still_held_ends_in_a_thread_of_the_host() -> None:
    said: list[str] = []
    kept = Mortal(said)

    def work() -> None:
        with held(Host()) as objects:
            objects.extend([Mortal(said), kept])
            objects.append(objects[0])

    in_the_agents_thread(work)
    assert said == []
    gc.collect()
    assert said == [threading.current_thread().name]
    assert kept is not None


def test_nothing_is_left_behind_of_objects_that_others_hold() -> None:
    said: list[str] = []
    kept = [Mortal(said) for _ in range(5)]

    def work() -> None:
        with held(Host()) as objects:
            objects.extend(kept)

    in_the_agents_thread(work)
    kept.clear()
    assert len(said) == 5, "by the last reference, not by the collector"


def test_a_host_without_a_collector_is_not_left_with_garbage_for_ever() -> None:
    said: list[str] = []

    def work() -> None:
        with held(Host(collects=lambda: False)) as objects:
            objects.append(Mortal(said))

    in_the_agents_thread(work)
    assert said == ["the agent's"]
