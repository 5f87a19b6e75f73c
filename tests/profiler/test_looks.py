"""Growth of a process is called a leak after a look at its heap: caches and garbage are none."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from memwatch.diagnosis.copy.parent import impossible
from memwatch.profiler.looks import STANDS_FOR_S, HeapLooks, of_this_process
from memwatch.records import Leak, MemorySnapshot

PROGRAM = """
import asyncio, functools, gc, json, sys
from memwatch import MemoryProfiler

class Row:
    def __init__(self):
        self.me = self  # garbage of it waits for a collection

class Page:
    def __init__(self):
        self.rows = []

kept, pages = [], {}

@functools.lru_cache(maxsize=1000)
def cached(key):
    return Row()

@functools.lru_cache(maxsize=4)
def page(key):
    return Page()

def cache(i):
    cached(i)

def dynamic(i):
    cached_class(i)

@functools.lru_cache(maxsize=1000)
def cached_class(key):
    return type("Base", (), {"rows": [type("Made", (), {"row": Row()})()]})

def leak(i):
    kept.append(Row())

def inside(i):
    page(i % 4).rows.append(Row())

class Sessions:
    ttl = 600

    def __init__(self):
        self.rows = {}

sessions = Sessions()

def expiring(i):
    sessions.rows[i] = Row()

def dropped(i):
    Row()

async def main(step, given):
    gc.collect()
    gc.set_threshold(700, 10, 10_000)  # no full collection meets what is dropped
    profiler = MemoryProfiler()
    snapshots = [await profiler.take_snapshot()]
    for part in range(20):
        for i in range(part * 100, part * 100 + 100):
            step(i)
        snapshots.append(await profiler.take_snapshot())
    found = await profiler.detect_leaks(snapshots if given else None)
    again = await profiler.detect_leaks([s.to_dict() for s in snapshots])
    print(json.dumps([sorted(leak.object_type for leak in leaks) for leaks in (found, again)]))

asyncio.run(main(globals()[sys.argv[1]], sys.argv[2] == "given"))
"""

needs_copies = pytest.mark.skipif(impossible() is not None, reason="a copy of the process cannot be had here")


def found_by(step: str, given: str = "kept") -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, step, given], capture_output=True, text=True, check=True, timeout=120
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


@needs_copies
@pytest.mark.parametrize("step", ["cache", "dynamic", "dropped", "expiring"])
@pytest.mark.parametrize("given", ["kept", "given"])
def test_what_a_cache_holds_and_what_waits_for_a_collection_is_no_leak(step: str, given: str) -> None:
    assert found_by(step, given) == [[], []]


@needs_copies
@pytest.mark.parametrize("step", ["leak", "inside"])
def test_what_a_list_holds_is_a_leak_and_so_is_what_grows_inside_a_cache(step: str) -> None:
    assert found_by(step) == [["__main__.Row"], ["__main__.Row"]]


def leak_of(object_type: str, kind: str = "objects") -> Leak:
    return Leak(
        object_type=object_type, initial_count=0, current_count=900, growth_count=900, growth_percent=100.0,
        detection_time=datetime.now(UTC), severity="high", kind=kind,
    )  # fmt: skip


def test_a_type_is_looked_at_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "memwatch.profiler.looks._explained",
        lambda name, _before, _age: (asked.append(name) or "a cache", STANDS_FOR_S),
    )
    now = [0.0]
    looks = HeapLooks(clock=lambda: now[0])
    native = leak_of("native", "native")
    for now[0] in (0.0, STANDS_FOR_S - 1, STANDS_FOR_S + 1):
        assert looks.confirmed([leak_of("shop.Row"), native], None) == [native]
    assert asked == ["shop.Row", "shop.Row"]


@pytest.mark.parametrize("error", [OSError("no descriptor is left"), ValueError("no JSON")])
def test_where_the_look_fails_the_curve_decides(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("memwatch.diagnosis.referrers.recording.ReferrersRecording.in_copies", fails)
    leak = leak_of("shop.Row")
    assert HeapLooks().confirmed([leak], None) == [leak]


def test_only_snapshots_with_the_latest_of_this_process_are_of_this_process() -> None:
    ours, other = (MemorySnapshot(timestamp=datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2))
    assert of_this_process([other, ours.to_dict()], ours)
    assert not of_this_process([other.to_dict()], ours)
    assert not of_this_process([ours], None)
