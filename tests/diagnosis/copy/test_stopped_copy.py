"""On a free-threaded build, a copy is made while all other threads are stopped where they hold no lock."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.copy.parent import in_child
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.recorder import Recorder
from memwatch.sampling import atomic, walk
from memwatch.sampling.atomic import FREE_THREADED
from memwatch.sampling.type_names import type_name
from tests.waiting import until

free_threaded = pytest.mark.skipif(not FREE_THREADED, reason="this Python has the global lock")
THREADS, COPIES = 8, 25
TRAIL: list[Any] = []


class Crumb:
    """What the threads leave behind, sometimes."""

    def __init__(self) -> None:
        self.own = [{"crumb": 1}]


def stray(over: threading.Event) -> None:
    """Make objects, drop most, and wait for the others at one list."""
    mine: list[Crumb] = []
    while not over.is_set():
        mine.append(Crumb())
        TRAIL.append(mine[-1])
        if len(mine) > 500:
            mine.clear()
            del TRAIL[2_000:]
        if len(mine) % 50 == 0:
            time.sleep(0.002)  # else they keep a small machine from the copy


@pytest.fixture
def busy_threads() -> Iterator[None]:
    over = threading.Event()
    threads = [threading.Thread(target=stray, args=(over,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        TRAIL.clear()


def to_the_end(running: Any) -> Any:
    try:
        while True:
            time.sleep(next(running))
    except StopIteration as end:
        return end.value


def recorded(kind: str, **given: Any) -> dict[str, Any]:
    recorder = Recorder(kind, given, Host(apart_s=0.0))
    while (outcome := recorder.step()) is None:
        time.sleep(max(0.0, recorder.next_at - time.monotonic()))
    assert outcome.state == "done", outcome.error
    found: dict[str, Any] = json.loads(outcome.content)
    return found


def look() -> bytes:
    """What needs each kind of lock: the world's, the contended list's, and those of its entries."""
    assert atomic.possible()
    assert not gc.isenabled()
    objects = gc.get_objects()
    referrers = gc.get_referrers(Crumb)
    entries = [dict(vars(each)) for each in list(TRAIL)]
    return json.dumps([len(objects) > 1_000, len(referrers) > 0, len(entries) > 0]).encode()


@free_threaded
def test_copies_beside_busy_threads_always_answer(busy_threads: None) -> None:
    until(lambda: len(TRAIL) > 0)
    for _ in range(COPIES):
        assert json.loads(to_the_end(in_child(look, Host(), Meter(), needs_mb=500.0))) == [True, True, True]


@free_threaded
def test_the_holder_is_found_beside_busy_threads(busy_threads: None) -> None:
    until(lambda: len(TRAIL) >= 1_000)
    found = recorded("referrers", type=f"{__name__}.Crumb", samples=3)
    assert found["candidates"][0]["name"].startswith(f"{__name__}.TRAIL (list")
    assert any(chain["root"].startswith("thread ") for chain in found["chains"])


@free_threaded
def test_a_heap_summary_counts_each_object_once() -> None:
    class Once:
        """Of this test alone."""

    kept = [Once() for _ in range(3_000)]
    types = {each["type"]: each for each in recorded("heap_summary")["types"]}
    assert types[type_name(Once)]["count"] == len(kept)
    assert types[type_name(Once)]["size_kb"] > 0


@free_threaded
def test_what_a_copy_is_no_help_for_is_refused() -> None:
    for kind in ("flamegraph", "allocations", "trim"):
        with pytest.raises(Refused, match="needs the global lock, which this interpreter lacks"):
            Recorder(kind, {}, Host())


@free_threaded
def test_without_the_compiled_part_there_is_no_copy_and_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "copy_stopped", None)
    assert "the compiled part" in (parent.impossible() or "")
    recorder = Recorder("heap_summary", {}, Host())
    outcome = recorder.step()
    assert outcome is not None
    assert "nothing can be searched within the process without the global lock" in outcome.error
