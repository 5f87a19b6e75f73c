"""The exporter's own process: measures a refresh beside prometheus_client's, serves, and watches itself when told."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import django
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest

REPEATS = 5
INTERVAL_S = 5.0
"""As ``manage.py memwatch_exporter`` has it."""


def serve() -> None:
    """Say what was measured and where it serves; obey ``snapshot`` and ``judge`` on standard input."""
    django.setup()
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from memwatch.metrics.background_refresh import Refresher
    from memwatch.metrics.collector import FleetCollector
    from memwatch.metrics.rendered_page import Page
    from memwatch.metrics.server import MetricsServer

    collector = FleetCollector(max_age_s=0)
    with CaptureQueriesContext(connection) as queries:
        metrics = collector.metrics()
    gauges = _as_gauges(metrics)
    acts = (collector.metrics, lambda: Page(collector.metrics()).body(), partial(generate_latest, gauges))
    rounds = [[_timed(act) for act in acts] for _round in range(REPEATS)]
    reading, refresh, alone = (statistics.median(times) for times in zip(*rounds, strict=True))
    del gauges, acts, rounds
    refresher = Refresher(collector.metrics, interval_s=INTERVAL_S, max_age_s=600)
    refresher.refresh()
    for compressed in (True, False):
        refresher.page().body(compressed=compressed)
    server = MetricsServer(refresher.page, port=0)
    refresher.start()
    _say(
        port=server.port, samples=sum(len(family.samples) for family in metrics), queries=len(queries),
        reading_s=reading, refresh_s=refresh, peer_s=alone,
    )  # fmt: skip
    del metrics
    asyncio.run(_watch())
    refresher.stop()
    server.stop()


def _as_gauges(metrics: Sequence[Metric]) -> CollectorRegistry:
    """As many samples with the same labels, kept and rendered by prometheus_client alone."""
    registry = CollectorRegistry()
    for family in metrics:
        if not family.samples:
            continue
        names = tuple(family.samples[0].labels)
        gauge = Gauge(f"peer_{family.name}", family.documentation, names, registry=registry)
        for sample in family.samples:
            (gauge.labels(*(sample.labels[name] for name in names)) if names else gauge).set(sample.value)
    return registry


def _timed(act: Callable[[], object]) -> float:
    """CPU seconds of this thread: on a machine that others use as well, the only ones that compare."""
    started = time.thread_time()
    act()
    return time.thread_time() - started


async def _watch() -> None:
    from memwatch.profiler import MemoryProfiler

    profiler = MemoryProfiler()
    while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if command == "snapshot":
            await profiler.take_snapshot()
            _say(taken=True)
            continue
        leaks = await profiler.detect_leaks(profiler.get_snapshots())
        kept = profiler.get_snapshots()
        _say(
            snapshots=len(kept),
            leaks=[f"{leak.object_type} {leak.severity}: {leak.verdict}" for leak in leaks],
            rss_mb=[kept[0]["rss_mb"], kept[-1]["rss_mb"]],
            heap_mb=[kept[0]["heap_used_mb"], kept[-1]["heap_used_mb"]],
        )
        return


def _say(**values: object) -> None:
    print(json.dumps(values), flush=True)
