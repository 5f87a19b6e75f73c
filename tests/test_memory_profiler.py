"""The profiler of one process: the reference's asyncio API."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from memwatch import profiler as module
from memwatch.agent.config import AgentConfig
from memwatch.profiler import MemoryProfiler, get_memory_profiler
from memwatch.records import DriftReport, Leak, MemoryMetrics, MemorySnapshot

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 60))


@pytest.fixture
def profiler() -> Iterator[MemoryProfiler]:
    made = MemoryProfiler(snapshot_interval=0.05)
    yield made
    run(made.stop_memory_profiler())


def history(*, growth: int, count: int = 20, percent: float | None = None) -> list[MemorySnapshot]:
    """An hour of snapshots in which ``shop.Quote`` grows by ``growth`` each, and memory with it."""
    start = datetime.now(UTC) - timedelta(hours=1)
    return [
        MemorySnapshot(
            timestamp=start + timedelta(minutes=number * 60 / count),
            heap_used_mb=100 + number * growth / 1000,
            heap_size_mb=1000.0,
            heap_percent=percent,
            heap_limit_source="setting",
            rss_mb=150 + number * growth / 1000,
            total_objects=50_000 + number * growth,
            top_objects={"dict": 20_000, "shop.Quote": 100 + number * growth},
            allocated_blocks=200_000 + 3 * number * growth,
            gc_collections_gen0=number * 10,
            gc_collections_gen1=number,
            gc_collections_gen2=0,
        )
        for number in range(count)
    ]


async def until(condition: Any, seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.01)


def test_the_constructor_and_its_defaults_are_the_references() -> None:
    made = MemoryProfiler()
    assert (made.snapshot_interval, made.enable_tracemalloc, made.top_objects_count) == (60.0, False, 20)
    assert (made.heap_warning_percent, made.heap_critical_percent) == (80.0, 90.0)
    assert (made.growth_rate_warning, made.gc_spike_threshold) == (10.0, 2.0)
    assert (made.leak_min_growth_percent, made.leak_min_growth_count) == (50.0, 100)
    MemoryProfiler(60.0, True, 10)


@pytest.mark.parametrize("wrong", [{"snapshot_interval": 0}, {"snapshot_interval": -1.0}, {"top_objects_count": 0}])
def test_a_wrong_argument_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MemoryProfiler(**wrong)


def test_a_snapshot_is_taken_kept_and_the_first_is_the_baseline(profiler: MemoryProfiler) -> None:
    assert profiler.get_snapshots() == []
    assert profiler.get_baseline_snapshot() is None
    first = run(profiler.take_snapshot())
    second = run(profiler.take_snapshot())
    assert isinstance(first, MemorySnapshot)
    assert first.total_objects is not None
    assert first.total_objects > 10_000
    assert profiler.get_snapshots() == [first.to_dict(), second.to_dict()]
    assert profiler.get_snapshots(count=1) == [second.to_dict()]
    assert profiler.get_baseline_snapshot() == first.to_dict()
    json.dumps(profiler.get_snapshots())


def test_running_takes_snapshots_by_itself_until_it_is_stopped(profiler: MemoryProfiler) -> None:
    async def scenario() -> None:
        await profiler.start_memory_profiler()
        assert profiler.is_running
        assert profiler.get_baseline_snapshot() == profiler.get_snapshots()[0]
        await until(lambda: len(profiler.get_snapshots()) >= 4)
        await profiler.stop_memory_profiler()
        assert not profiler.is_running
        kept = len(profiler.get_snapshots())
        await asyncio.sleep(0.15)
        assert len(profiler.get_snapshots()) == kept

    run(scenario())


def test_starting_twice_and_stopping_without_a_start_do_no_harm(profiler: MemoryProfiler) -> None:
    async def scenario() -> None:
        await profiler.stop_memory_profiler()
        await asyncio.gather(*(profiler.start_memory_profiler() for _ in range(3)))
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "memwatch profiler"]) == 1
        await profiler.stop_memory_profiler()
        await profiler.stop_memory_profiler()
        await profiler.start_memory_profiler()
        assert profiler.is_running
        await profiler.stop_memory_profiler()

    others = set(threading.enumerate())  # profilers of other tests may still be around

    def threads() -> list[threading.Thread]:
        started = set(threading.enumerate()) - others
        return [thread for thread in started if thread.name.startswith("memwatch-profiler")]

    run(scenario())
    run(until(lambda: not threads()))


def test_it_can_be_started_in_a_second_event_loop(profiler: MemoryProfiler) -> None:
    run(profiler.start_memory_profiler())
    assert not profiler.is_running  # the first loop is closed, its task with it

    async def scenario() -> None:
        await profiler.start_memory_profiler()
        assert profiler.is_running
        await profiler.stop_memory_profiler()

    run(scenario())


def test_a_snapshot_that_fails_does_not_end_the_run(
    profiler: MemoryProfiler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        await profiler.start_memory_profiler()
        works = profiler._sampler.sample

        def fail(**_keywords: object) -> MemorySnapshot:
            raise OSError("no memory")

        monkeypatch.setattr(profiler._sampler, "sample", fail)
        await until(lambda: profiler.get_stats()["failures"] >= 2)
        monkeypatch.setattr(profiler._sampler, "sample", works)
        kept = len(profiler.get_snapshots())
        await until(lambda: len(profiler.get_snapshots()) > kept)

    with caplog.at_level(logging.ERROR):
        run(scenario())
    assert "goes on" in caplog.text


def test_tracing_lasts_as_long_as_the_run_it_was_enabled_for() -> None:
    tracing = MemoryProfiler(enable_tracemalloc=True)

    async def scenario() -> MemorySnapshot:
        await tracing.start_memory_profiler()
        assert tracemalloc.is_tracing()
        snapshot = await tracing.take_snapshot()
        await tracing.stop_memory_profiler()
        return snapshot

    assert run(scenario()).tracemalloc_current_mb > 0
    assert not tracemalloc.is_tracing()


def test_tracing_that_the_host_has_begun_goes_on() -> None:
    tracemalloc.start()
    try:
        tracing = MemoryProfiler(enable_tracemalloc=True)

        async def scenario() -> None:
            await tracing.start_memory_profiler()
            await tracing.stop_memory_profiler()

        run(scenario())
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_the_event_loop_waits_no_longer_than_the_census_pauses(profiler: MemoryProfiler) -> None:
    heap = [{"number": number} for number in range(300_000)]

    async def scenario() -> tuple[float, float]:
        worst, done = 0.0, False

        async def beat() -> None:
            nonlocal worst
            last = time.perf_counter()
            while not done:
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                worst, last = max(worst, now - last), now

        await profiler.take_snapshot()
        beating = asyncio.create_task(beat())
        await asyncio.sleep(0.05)
        snapshot = await profiler.take_snapshot()
        done = True
        await beating
        return worst * 1e3, snapshot.census_pause_ms or 0.0

    worst, pause = min((run(scenario()) for _ in range(3)), key=lambda found: found[0] - found[1])
    assert worst < pause + 40
    assert heap


def test_leaks_are_found_in_snapshots_and_in_their_dicts(profiler: MemoryProfiler) -> None:
    snapshots = history(growth=500)
    leaks = run(profiler.detect_leaks(snapshots))
    assert [leak.object_type for leak in leaks] == ["shop.Quote"]
    assert isinstance(leaks[0], Leak)
    assert leaks[0].growth_count == 500 * 19
    again = run(profiler.detect_leaks([snapshot.to_dict() for snapshot in snapshots]))
    assert [leak.object_type for leak in again] == ["shop.Quote"]
    assert [leak["object_type"] for leak in profiler.get_detected_leaks()] == ["shop.Quote"]
    json.dumps(profiler.get_detected_leaks())
    profiler.clear_detected_leaks()
    assert profiler.get_detected_leaks() == []


def test_native_growth_names_the_extension_modules_of_this_process(profiler: MemoryProfiler) -> None:
    rows = [
        replace(snapshot, heap_used_mb=100 + number / 2, pymalloc_used_mb=60.0, malloc_used_mb=40 + number / 2)
        for number, snapshot in enumerate(history(growth=0))
    ]
    (leak,) = run(profiler.detect_leaks(rows))
    assert leak.kind == "native"
    assert "psutil" in leak.evidence["extension_modules"]
    assert leak.evidence["extension_modules"][0] in leak.verdict


def test_nothing_grows_and_nothing_leaks(profiler: MemoryProfiler) -> None:
    assert run(profiler.detect_leaks(history(growth=0))) == []
    assert run(profiler.detect_leaks([])) == []
    run(profiler.take_snapshot())
    assert run(profiler.detect_leaks()) == []


def test_the_thresholds_of_the_contract_can_be_raised(profiler: MemoryProfiler) -> None:
    few = history(growth=30, count=6)
    assert run(profiler.detect_leaks(few)) != []
    profiler.leak_min_growth_count = 10_000
    assert run(profiler.detect_leaks(few)) == []


def test_what_is_no_snapshot_is_refused(profiler: MemoryProfiler) -> None:
    with pytest.raises(ValueError, match="snapshot"):
        run(profiler.detect_leaks([7, 8]))  # type: ignore[list-item]


def test_a_leak_is_announced_once_and_again_when_it_is_forgotten(profiler: MemoryProfiler) -> None:
    told: list[str] = []
    profiler.register_leak_callback(lambda leak: told.append(leak.object_type))
    for _ in range(3):
        run(profiler.detect_leaks(history(growth=500)))
    assert told == ["shop.Quote"]
    profiler.clear_detected_leaks()
    run(profiler.detect_leaks(history(growth=500)))
    assert told == ["shop.Quote"] * 2


def test_callbacks_may_be_coroutines_and_one_that_raises_stops_no_other(
    profiler: MemoryProfiler, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []

    def broken(_leak: Leak) -> None:
        raise RuntimeError("callback is broken")

    async def broken_later(_leak: Leak) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("coroutine is broken")

    async def later(leak: Leak) -> None:
        await asyncio.sleep(0)
        told.append(("later", leak.object_type))

    for callback in (broken, broken_later, later):
        profiler.register_leak_callback(callback)
    profiler.register_leak_callback(lambda leak: told.append(("at once", leak.object_type)))
    profiler.register_alert_callback(told.append)
    with caplog.at_level(logging.ERROR):
        run(profiler.detect_leaks(history(growth=500)))
    assert told[:2] == [("later", "shop.Quote"), ("at once", "shop.Quote")]
    assert told[2]["type"] == "leak"
    assert "callback is broken" in caplog.text
    assert "coroutine is broken" in caplog.text


def test_a_heap_alert_is_raised_once_until_it_is_over(profiler: MemoryProfiler) -> None:
    alerts: list[dict[str, Any]] = []
    profiler.register_alert_callback(alerts.append)
    profiler.heap_warning_percent = 1e-9
    run(profiler.take_snapshot())
    run(profiler.take_snapshot())
    assert len(alerts) == 1
    alert = alerts[0]
    assert list(alert) == ["type", "severity", "message", "value", "threshold", "timestamp"]
    assert (alert["type"], alert["severity"], alert["threshold"]) == ("heap_warning", "medium", 1e-9)
    assert alert["value"] > 0
    assert datetime.fromisoformat(alert["timestamp"]).tzinfo is not None
    profiler.heap_critical_percent = 1e-9
    run(profiler.take_snapshot())
    assert [one["type"] for one in alerts] == ["heap_warning", "heap_critical"]
    profiler.heap_warning_percent = profiler.heap_critical_percent = 80.0
    run(profiler.take_snapshot())
    profiler.heap_warning_percent = 1e-9
    run(profiler.take_snapshot())
    assert [one["type"] for one in alerts] == ["heap_warning", "heap_critical", "heap_warning"]


def test_a_callback_may_stop_its_profiler(profiler: MemoryProfiler) -> None:
    async def stop(_alert: dict[str, Any]) -> None:
        await profiler.stop_memory_profiler()

    async def scenario() -> None:
        await profiler.start_memory_profiler()
        profiler.register_alert_callback(stop)
        profiler.heap_warning_percent = 1e-9
        await until(lambda: not profiler.is_running)

    run(scenario())


def test_drift_is_told_from_the_baseline_and_a_reset_begins_anew(profiler: MemoryProfiler) -> None:
    run(profiler.take_snapshot())
    pile = [bytes(1000) for _ in range(30_000)]
    report = run(profiler.compare_to_baseline())
    assert isinstance(report, DriftReport)
    assert report.heap_drift_mb is not None
    assert 25 < report.heap_drift_mb < 40
    profiler.reset_baseline()
    after = run(profiler.compare_to_baseline())
    assert after.heap_drift_mb is not None
    assert abs(after.heap_drift_mb) < 5
    assert profiler.get_baseline_snapshot() == profiler.get_snapshots()[1]
    given = history(growth=0)[0]
    assert run(profiler.compare_to_baseline(given)).current_timestamp == given.timestamp
    assert pile


OFTEN = """
import asyncio, gc
from memwatch.profiler import MemoryProfiler

profiler = MemoryProfiler(enable_tracemalloc=False)
gc.collect()
asyncio.run(profiler.take_snapshot())
for _ in range(300):
    gc.collect()
print(asyncio.run(profiler.compare_to_baseline()).gc_frequency_change)
"""


def test_drift_says_how_much_more_often_everything_is_collected() -> None:
    """In a process of its own: this one has collected often since it started."""
    done = subprocess.run([sys.executable, "-c", OFTEN], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 1


def test_before_any_snapshot_a_reset_and_a_comparison_do_no_harm(profiler: MemoryProfiler) -> None:
    profiler.reset_baseline()
    report = run(profiler.compare_to_baseline())
    assert report.heap_drift_mb == 0.0


def test_metrics_are_those_of_now(profiler: MemoryProfiler) -> None:
    profiler.snapshot_interval = 3600.0
    metrics = run(profiler.get_memory_metrics())
    assert isinstance(metrics, MemoryMetrics)
    snapshot = MemorySnapshot.from_dict(profiler.get_snapshots()[0])
    assert (metrics.heap_used_mb, metrics.total_objects) == (snapshot.heap_used_mb, snapshot.total_objects)
    assert (metrics.active_leaks, metrics.baseline_drift_percent) == (0, 0.0)
    run(profiler.get_memory_metrics())
    assert len(profiler.get_snapshots()) == 1
    run(profiler.detect_leaks(history(growth=500)))
    assert run(profiler.get_memory_metrics()).active_leaks == 1
    profiler.snapshot_interval = 1e-6
    run(profiler.get_memory_metrics())
    assert len(profiler.get_snapshots()) == 2


def test_statistics_can_be_sent_as_json(profiler: MemoryProfiler) -> None:
    before = profiler.get_stats()
    assert before["running"] is False
    assert before["last_timestamp"] is None
    run(profiler.take_snapshot())
    stats = profiler.get_stats()
    json.dumps(stats)
    assert (stats["snapshots_taken"], stats["snapshots_kept"], stats["failures"]) == (1, 1, 0)
    assert stats["history_bytes"] <= 2 * 1024 * 1024


def test_the_process_has_one_profiler() -> None:
    assert get_memory_profiler() is get_memory_profiler()


def test_it_shares_the_agents_sampler_where_an_agent_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from memwatch.sampling import Sampler

    class RunningAgent:
        sampler = Sampler()

    shared = get_memory_profiler()
    assert shared._sampler is not RunningAgent.sampler
    monkeypatch.setattr(module.agent, "current", RunningAgent, raising=False)
    assert shared._sampler is RunningAgent.sampler
    assert shared.get_stats()["shares_agent"] is True
    assert MemoryProfiler()._sampler is not RunningAgent.sampler


def test_in_a_watched_process_the_setting_decides_whether_it_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    class RunningAgent:
        config = AgentConfig(transport="local:///nowhere", command_key="", host="h", enable_tracemalloc=True)

    monkeypatch.setattr(module, "_profiler", None)
    monkeypatch.setattr(module.agent, "current", RunningAgent)
    assert get_memory_profiler().enable_tracemalloc
    assert not MemoryProfiler().enable_tracemalloc


def test_a_forked_child_has_a_profiler_of_its_own() -> None:
    parent = get_memory_profiler()
    run(parent.take_snapshot())
    own = MemoryProfiler()
    run(own.take_snapshot())
    child = os.fork()
    if child == 0:
        ok = False
        try:
            mine = get_memory_profiler()
            run(mine.take_snapshot())
            run(own.take_snapshot())
            ok = mine is not parent and len(mine.get_snapshots()) == 1 and len(own.get_snapshots()) == 2
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_growers_reported_to_the_agent_are_backfilled_for_the_profiler_too() -> None:
    class Leaked:
        pass

    made = MemoryProfiler(top_objects_count=3)
    run(made.take_snapshot())
    kept = [Leaked() for _ in range(500)]
    made._sampler.sample(census=True)  # another reader is told first
    snapshot = run(made.take_snapshot())
    assert snapshot.backfill is not None
    assert snapshot.backfill[f"{__name__}.{Leaked.__qualname__}"] == 0
    assert kept


def test_it_works_without_django_and_friends() -> None:
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('django', 'celery', 'redis', 'kombu', 'numpy'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import asyncio\n"
        "from memwatch.profiler import get_memory_profiler\n"
        "p = get_memory_profiler()\n"
        "async def go():\n"
        "    await p.start_memory_profiler(); await p.detect_leaks(); await p.stop_memory_profiler()\n"
        "    return (await p.get_memory_metrics()).total_objects\n"
        "print(asyncio.run(go()) > 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "True"
    assert done.stderr == ""
