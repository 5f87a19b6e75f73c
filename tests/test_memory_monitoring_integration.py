"""Profiler and stand-alone exporter together, as the reference uses them."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from memwatch.metrics.server import ListenError
from memwatch.profiler import MemoryProfiler
from memwatch.records import Leak
from memwatch.transport import open_hub, open_uplink
from tests.reports import START, report, snapshot

EXPORTERS = Path(__file__).parent.parent / "monitoring" / "exporters"


@functools.cache
def exporter_module() -> ModuleType:
    """``monitoring/exporters/memory_exporter.py`` as a program next to it imports it."""
    spec = importlib.util.spec_from_file_location("memory_exporter", EXPORTERS / "memory_exporter.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["memory_exporter"] = module
    spec.loader.exec_module(module)
    return module


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def samples(text: str) -> dict[str, float]:
    """By name and label values."""
    return {
        ":".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_exporter_serves_what_the_profiler_sees() -> None:
    async def run() -> tuple[dict[str, float], dict[str, Any]]:
        profiler = MemoryProfiler(snapshot_interval=60)
        exporter = exporter_module().MemoryExporter(port=0)
        exporter.set_memory_profiler(profiler)
        await profiler.start_memory_profiler()
        await exporter.start()
        try:
            # A blocking client in the program's own event loop gets its answer too.
            return samples(scrape(exporter.port)), profiler.get_snapshots(count=1)[0]
        finally:
            await exporter.stop()
            await profiler.stop_memory_profiler()

    shown, snapshot = asyncio.run(run())
    assert shown["memwatch_up"] == 1
    assert shown["fogcompute_memory_total_objects"] == snapshot["total_objects"]
    assert shown["fogcompute_memory_rss_mb"] == pytest.approx(snapshot["rss_mb"])
    assert shown["fogcompute_memory_object_count:dict"] == snapshot["top_objects"]["dict"]
    assert shown["fogcompute_memory_gc_collections_total:0"] == snapshot["gc_collections_gen0"]
    assert shown["fogcompute_memory_baseline_drift_percent"] == 0
    assert shown["fogcompute_memory_active_leaks"] == 0
    assert shown["memwatch_exporter_source:self"] == 1


def test_without_a_profiler_up_is_zero_and_the_names_are_there() -> None:
    async def run() -> str:
        exporter = exporter_module().MemoryExporter(port=0)
        await exporter.start()
        try:
            return scrape(exporter.port)
        finally:
            await exporter.stop()

    text = asyncio.run(run())
    assert samples(text)["memwatch_up"] == 0
    assert "# TYPE fogcompute_memory_heap_used_mb gauge" in text


def test_an_address_that_others_reach_wants_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> int:
        exporter = exporter_module().MemoryExporter(address="0.0.0.0", port=0)
        await exporter.start()
        try:
            with pytest.raises(urllib.error.HTTPError) as refused:
                scrape(exporter.port)
            with refused.value as answer:
                return answer.code
        finally:
            await exporter.stop()

    monkeypatch.delenv("MEMWATCH_METRICS_TOKEN", raising=False)
    with pytest.raises(ListenError, match="METRICS_TOKEN"):
        asyncio.run(run())
    monkeypatch.setenv("MEMWATCH_METRICS_TOKEN", "a token of the tests")
    assert asyncio.run(run()) == 401


def test_a_leak_is_counted_once_though_it_becomes_worse_and_is_cleared() -> None:
    def snapshot(minute: int) -> dict[str, Any]:
        return {
            "timestamp": f"2026-01-31T12:{minute:02}:00+00:00",
            "total_objects": 50_000 + minute * 200,
            "top_objects": {"dict": 9_000, "shop.Quote": 200 + minute * 200},
        }

    async def run() -> tuple[list[Leak], dict[str, float], dict[str, float]]:
        profiler = MemoryProfiler()
        exporter = exporter_module().MemoryExporter()
        exporter.set_memory_profiler(profiler)
        heard: list[Leak] = []
        profiler.register_leak_callback(heard.append)
        await profiler.take_snapshot()
        await profiler.detect_leaks([snapshot(minute) for minute in range(40)])
        during = samples(exporter.page().body()[0].decode())
        profiler.clear_detected_leaks()
        await profiler.detect_leaks([snapshot(minute) for minute in range(40)])
        profiler.clear_detected_leaks()
        return heard, during, samples(exporter.page().body()[0].decode())

    heard, during, after = asyncio.run(run())
    assert {leak.object_type for leak in heard} == {"shop.Quote"}
    assert during["fogcompute_memory_active_leaks"] == 1
    assert during[f"fogcompute_memory_leak_detections_total:{heard[0].severity}"] == 1
    assert after["fogcompute_memory_active_leaks"] == 0
    assert after[f"fogcompute_memory_leak_detections_total:{heard[0].severity}"] == 1


def test_starting_and_stopping_twice_is_harmless() -> None:
    async def run() -> None:
        exporter = exporter_module().MemoryExporter(port=0)
        await exporter.start()
        port = exporter.port
        await exporter.start()
        assert exporter.port == port
        await exporter.stop()
        await exporter.stop()

    asyncio.run(run())


def test_a_port_that_is_taken_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        exporter = exporter_module().MemoryExporter(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="is taken"):
            asyncio.run(exporter.start())


def test_there_is_one_exporter_and_its_port_is_9202() -> None:
    module = exporter_module()
    assert module.get_memory_exporter() is module.get_memory_exporter()
    assert module.get_memory_exporter().port == 9202


def test_scrapes_are_answered_while_the_event_loop_is_busy() -> None:
    async def run() -> dict[str, float]:
        profiler = MemoryProfiler()
        exporter = exporter_module().MemoryExporter(port=0)
        exporter.set_memory_profiler(profiler)
        await profiler.take_snapshot()
        await exporter.start()
        found: list[str] = []
        client = threading.Thread(target=lambda: found.append(scrape(exporter.port)))
        client.start()
        client.join(10)  # blocks the loop
        await exporter.stop()
        return samples(found[0])

    assert asyncio.run(run())["memwatch_up"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_by_itself_it_watches_its_own_process_and_stops_when_told(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As a newcomer starts it: from its folder, the package not installed (-S), no Django in sight.
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('django', 'celery', 'redis')));"
        f"sys.argv[1:] = ['--port', '{port}', '--interval', '1'];"
        "sys.path.insert(0, ''); import memory_exporter; memory_exporter.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code],
        cwd=EXPORTERS,
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("platlib")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert f"http://127.0.0.1:{port}/metrics, source: this process" in line
        shown: dict[str, float] = {}
        for _attempt in range(100):
            shown = samples(scrape(port))
            if shown["memwatch_up"]:
                break
        assert shown["fogcompute_memory_total_objects"] > 5_000
        process.send_signal(number)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.parametrize("take", [False, True])
def test_pointed_at_a_transport_it_shows_what_the_agents_report_and_leaves_the_reports(
    take: bool, tmp_path: Path
) -> None:
    url = f"local://{tmp_path}/transport"
    now = datetime.now(UTC)
    uplink = open_uplink(url, "agent")
    uplink.send(report(snapshots={0: snapshot((now - START).total_seconds())}).encode())
    uplink.close()
    process = subprocess.Popen(
        [sys.executable, "memory_exporter.py", "--port", "0", "--transport", url, *(["--take"] if take else [])],
        cwd=EXPORTERS, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert f"/metrics, source: the agents at local://{tmp_path}/transport" in line
        port = int(line.partition("http://127.0.0.1:")[2].partition("/")[0])
        deadline = time.monotonic() + 30
        while not (shown := samples(scrape(port)))["memwatch_up"]:
            assert time.monotonic() < deadline
        assert shown["fogcompute_memory_rss_mb:h1:web:web-1"] == 96
        assert shown["memwatch_exporter_source:transport"] == 1
        hub = open_hub(url)
        assert len(hub.read(limit=10)) == (0 if take else 1)
        hub.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--transport", "ftp://x"], "transport 'ftp://x': give local:///folder or redis://host:6379/0"),
        (["--transport", "local://relative"], "give an absolute folder after three slashes"),
        (["--take"], "--take goes with --transport"),
    ],
)
def test_a_transport_that_is_none_is_said_in_one_plain_line(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "memory_exporter.py", "--port", "0", *arguments],
        cwd=EXPORTERS, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert said in done.stderr.splitlines()[-1]


def test_started_without_prometheus_client_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ModuleNotFoundError('no prometheus_client')")
    done = subprocess.run(
        [sys.executable, "memory_exporter.py", "--port", "0"],
        cwd=EXPORTERS, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        'memory_exporter: prometheus_client is not installed: pip install "memwatch[prometheus]"'
    ]


def test_started_where_the_port_is_taken_it_says_one_plain_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "memory_exporter.py", "--port", str(port)],
            cwd=EXPORTERS, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"memory_exporter: port {port} on 127.0.0.1 is taken: stop what listens there, or give another port"
    ]
