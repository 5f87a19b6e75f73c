"""The whole snapshot."""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import threading
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from memwatch.records import MemorySnapshot
from memwatch.sampling import Sampler, walk
from memwatch.sampling import sampler as module
from memwatch.sampling.budget import Budget
from memwatch.sampling.limits import LimitReader
from memwatch.sampling.procmem import ProcessMemory, SharedFigures
from tests.sampling.ways import BOTH, use

IDLE = """
import array, gc, json, sys
from memwatch.sampling import Sampler
from memwatch.sampling.snapshot_ring import KeptSnapshots
names = ("total_objects", "allocated_blocks", "heap_used_mb", "malloc_used_mb")
rows = {name: array.array("d", bytes(8 * 1000)) for name in names}
first, last = {}, {}
sampler, kept = Sampler(), KeptSnapshots()
gc.collect()  # what imports have left would go amid the snapshots, here earlier and there later
for number in range(1000):
    snapshot = sampler.sample(census=number % 2 == 0 or None)
    kept.add(snapshot)
    for name in names:
        value = getattr(snapshot, name)
        rows[name][number] = -1 if value is None else value
    for name, count in (snapshot.top_objects or {}).items() if number > 2 else ():
        first.setdefault(name, count)
        last[name] = count
print(json.dumps({"rows": {name: list(row) for name, row in rows.items()}, "first": first, "last": last}))
"""


def test_a_snapshot_has_every_figure_of_this_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    # However large the heap that other tests have left here.
    monkeypatch.setattr(Budget, "allows", lambda _self, **_options: True)
    snapshot = Sampler().sample()
    absent = {name for name, value in snapshot.to_dict().items() if value is None}
    of_the_agent = {"requests_handled", "tasks_handled", "job_names", "work", "rss_seconds"}
    assert absent <= {"cgroup_limit_mb", "cgroup_used_mb", "backfill", *of_the_agent}
    assert snapshot.timestamp.tzinfo is not None
    assert abs((datetime.now(UTC) - snapshot.timestamp).total_seconds()) < 30
    assert snapshot.total_objects is not None
    assert snapshot.total_objects > 10_000
    assert snapshot.heap_used_mb is not None
    assert snapshot.heap_size_mb is not None
    assert snapshot.heap_free_mb == pytest.approx(snapshot.heap_size_mb - snapshot.heap_used_mb)
    assert snapshot.heap_percent == pytest.approx(snapshot.heap_used_mb / snapshot.heap_size_mb * 100)
    assert snapshot.pymalloc_used_mb is not None
    assert snapshot.malloc_used_mb is not None
    assert snapshot.heap_used_mb == pytest.approx(snapshot.pymalloc_used_mb + snapshot.malloc_used_mb)
    assert snapshot.heap_committed_mb is not None
    assert snapshot.rss_mb is not None
    assert snapshot.heap_committed_mb <= snapshot.rss_mb
    assert 0 <= (snapshot.fragmentation_percent or 0) <= 100
    assert snapshot.gc_threshold == gc.get_threshold()
    assert snapshot.tracemalloc_current_mb == 0.0
    assert snapshot.snapshot_cpu_ms is not None
    assert snapshot.census_pause_ms is not None
    assert MemorySnapshot.from_dict(json.loads(json.dumps(snapshot.to_dict()))) == snapshot


def test_a_thousand_snapshots_change_nothing_they_measure() -> None:
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(done.stdout)
    rows = {name: [value for value in row if value >= 0] for name, row in found["rows"].items()}
    # The very first snapshot does not yet see what starting made for good: imports, caches of the interpreter.
    assert max(rows["total_objects"][1:]) - min(rows["total_objects"][1:]) <= 60
    assert max(rows["allocated_blocks"][1:]) - min(rows["allocated_blocks"][1:]) <= 700
    assert abs(rows["allocated_blocks"][-1] - rows["allocated_blocks"][100]) <= 400
    assert abs(rows["total_objects"][-1] - rows["total_objects"][1]) <= 30
    assert rows["heap_used_mb"][-1] - rows["heap_used_mb"][1] < 0.25
    # By type from the fourth on: a scan of the big containers, which keeps a pair for each, comes with the third.
    first, last = found["first"], found["last"]
    assert {name: count - first[name] for name, count in last.items() if abs(count - first[name]) > 10} == {}
    assert not [name for name in last if name.startswith("memwatch.")]


def test_blocks_grow_when_untracked_objects_pile_up() -> None:
    gc.collect()  # what other tests left may not be freed between the two snapshots
    sampler = Sampler()
    sampler.sample()
    before = sampler.sample()
    pile = [f"<p>{number}</p>" for number in range(20_000)]
    after = sampler.sample()
    assert before.allocated_blocks is not None
    assert after.allocated_blocks is not None
    assert 19_500 < after.allocated_blocks - before.allocated_blocks < 21_500
    assert pile


def test_uss_pss_and_swap_come_with_every_fifth_snapshot() -> None:
    sampler = Sampler()
    measured = [sampler.sample(census=False).uss_mb is not None for _ in range(11)]
    assert measured == [True, False, False, False, False] * 2 + [True]


def test_a_slow_read_of_them_is_not_repeated_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    sampler = Sampler()
    measured = [sampler.sample(census=False).uss_mb is not None for _ in range(51)]
    assert measured == [True] + [False] * 49 + [True]


def test_a_budget_that_censuses_use_up_still_leaves_a_look_for_big_containers_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walk, "native", lambda: False)  # which brings them with each census
    moments = iter(range(0, 70_000, 700))  # the deepest debt is paid after ten minutes
    sampler = Sampler(cpu_share_budget=1e-9, pause_budget_ms=0.001, monotonic=lambda: float(next(moments)))
    snapshots = [sampler.sample() for _ in range(30)]
    assert all(snapshot.total_objects is not None for snapshot in snapshots)
    assert 2 <= sum(snapshot.big_containers is not None for snapshot in snapshots) <= 4


def test_cheap_figures_go_on_when_the_census_is_not_affordable() -> None:
    moments = iter(range(1000))
    sampler = Sampler(cpu_share_budget=1e-9, pause_budget_ms=0.001, monotonic=lambda: float(next(moments)))
    snapshots = [sampler.sample() for _ in range(5)]
    assert snapshots[0].total_objects is not None
    assert [snapshot.total_objects for snapshot in snapshots[1:]] == [None] * 4
    assert [snapshot.census_pause_ms for snapshot in snapshots[1:]] == [None] * 4
    assert all(snapshot.heap_used_mb and snapshot.rss_mb and snapshot.allocated_blocks for snapshot in snapshots)
    assert sampler.sample(census=True).total_objects is not None
    assert sampler.sample(census=False).total_objects is None


def test_a_part_that_fails_leaves_the_rest_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ProcessMemory):
        def shared(self) -> SharedFigures:
            raise OSError("broken")

    class BrokenLimits(LimitReader):
        def read(self) -> Any:
            raise RuntimeError("broken")

    def requests() -> int:
        raise RuntimeError("broken")

    sampler = Sampler(memory=Broken(), limits=BrokenLimits(), requests_handled=requests, tasks_handled=lambda: 7)
    with caplog.at_level(logging.ERROR):
        for _ in range(7):
            snapshot = sampler.sample(census=True)
    assert (snapshot.uss_mb, snapshot.heap_size_mb, snapshot.heap_percent) == (None, None, None)
    assert (snapshot.requests_handled, snapshot.tasks_handled) == (None, 7)
    assert snapshot.total_objects
    assert snapshot.heap_used_mb
    assert len(caplog.records) == 3


def test_a_census_that_fails_leaves_the_cheap_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_keywords: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "take_census", fail)
    snapshot = Sampler().sample()
    assert (snapshot.total_objects, snapshot.top_objects) == (None, None)
    assert snapshot.rss_mb


def test_an_interpreter_without_the_global_lock_takes_no_census(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(walk, "native", lambda: False)  # without a compiler
    snapshot = Sampler().sample(census=True)
    assert snapshot.total_objects is None
    assert snapshot.rss_mb
    monkeypatch.setattr(walk, "_native", None)
    assert walk.census_method().startswith("nothing: ")


def test_traced_memory_is_reported_while_tracing() -> None:
    tracemalloc.start()
    try:
        snapshot = Sampler().sample(census=False)
    finally:
        tracemalloc.stop()
    assert snapshot.tracemalloc_current_mb > 0
    assert snapshot.tracemalloc_peak_mb >= snapshot.tracemalloc_current_mb


def test_a_growing_type_outside_the_top_is_reported_with_its_baseline() -> None:
    class Leaked:
        pass

    sampler = Sampler(top_objects_count=3)
    kept = [Leaked() for _ in range(5)]
    sampler.sample(census=True)
    kept += [Leaked() for _ in range(150)]
    snapshot = sampler.sample(census=True)
    name = f"{__name__}.{Leaked.__qualname__}"
    assert snapshot.top_objects is not None
    assert snapshot.backfill is not None
    assert snapshot.top_objects[name] == 155
    assert snapshot.backfill[name] == 5
    sampler.reset_baseline()
    assert name in (sampler.sample(census=True).top_objects or {})


def test_a_list_that_fills_up_is_found_within_a_few_snapshots() -> None:
    sampler = Sampler(cpu_share_budget=50.0, pause_budget_ms=60_000)  # the heap of a whole test run is a large one
    pile: list[str] = []
    seen = []
    for number in range(12):
        pile.extend(f"<p>{number}-{entry}</p>" for entry in range(400))
        snapshot = sampler.sample()
        seen += [c.length for c in snapshot.big_containers or () if c.token == id(pile)]
    assert len(seen) >= 2
    assert seen == sorted(seen)


def test_many_threads_may_ask_at_once() -> None:
    sampler = Sampler()
    snapshots: list[MemorySnapshot] = []
    threads = [threading.Thread(target=lambda: snapshots.append(sampler.sample(census=True))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(snapshots) == 6
    assert all(snapshot.total_objects for snapshot in snapshots)


def test_a_child_forked_amid_a_sampling_can_sample() -> None:
    sampler = Sampler()
    sampler._lock.acquire()  # as a fork finds it while another thread samples
    child = os.fork()
    if child == 0:
        try:
            ok = sampler.sample(census=True).total_objects is not None
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    sampler._lock.release()


@pytest.mark.parametrize("gc_on", [True, False])
def test_the_collector_is_left_as_it_was(gc_on: bool) -> None:
    if not gc_on:
        gc.disable()
    try:
        Sampler().sample(census=True)
        assert gc.isenabled() is gc_on
    finally:
        gc.enable()


@pytest.mark.parametrize("way", BOTH)
def test_collections_seldom_fall_to_the_sampling_thread(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host makes garbage in cycles without end; its finalizers should run in its own thread."""
    use(way, monkeypatch)
    main, by_sampler = threading.get_ident(), [0, 0]

    def note(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            by_sampler[threading.get_ident() != main] += 1

    taken = [0]
    stop = threading.Event()

    def sample() -> None:
        sampler = Sampler()
        while not stop.is_set():
            sampler.sample(census=True)
            taken[0] += 1
            stop.wait(0.005)

    gc.callbacks.append(note)
    thread = threading.Thread(target=sample)
    thread.start()
    try:
        while taken[0] < 25:
            cycle: list[Any] = [[number] for number in range(20)]
            cycle.append(cycle)
    finally:
        stop.set()
        thread.join()
        gc.callbacks.remove(note)
    assert by_sampler[0] > 100
    # A heap of thousands of big containers, as a suite leaves behind, makes a few objects for each.
    assert by_sampler[1] <= max(taken[0] * 0.2, by_sampler[0] * 0.01)


def test_mappings_are_kept_from_the_first_census_on_and_from_a_new_baseline() -> None:
    sampler = Sampler()
    sampler.sample(census=False)
    assert sampler.baseline_mappings() is None
    sampler.sample(census=True)
    before = sampler.baseline_mappings()
    assert before
    sampler.sample(census=True)
    assert sampler.baseline_mappings() is before
    sampler.reset_baseline()
    assert sampler.baseline_mappings() is None
    sampler.sample(census=True)
    assert sampler.baseline_mappings() is not before
