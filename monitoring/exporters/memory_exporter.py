"""The stand-alone exporter: one process's memory for Prometheus, without Django.

In a program of your own::

    from memory_exporter import get_memory_exporter

    exporter = get_memory_exporter()
    exporter.set_memory_profiler(profiler)
    await exporter.start()          # http://127.0.0.1:9202/metrics

By itself, ``python memory_exporter.py`` watches its own process. With ``--transport local:///var/run/memwatch`` or
``--transport redis://host:6379/0`` it shows what the agents there report, and leaves them to the worker, which ingests
them. The exporter of a whole deployment, with its leaks and baselines, is ``manage.py memwatch_exporter``.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib.util
import logging
import os
import platform
import signal
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if importlib.util.find_spec("memwatch") is None:  # run from a checkout, where the package is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil

try:
    from prometheus_client.core import Metric
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    raise SystemExit(
        'memory_exporter: prometheus_client is not installed: pip install "memwatch[prometheus]"'
    ) from None

from memwatch.exposition import families
from memwatch.metrics.rendered_page import Page
from memwatch.metrics.server import DEFAULT_PORT, ListenError, MetricsServer, required_token
from memwatch.metrics.transport_fleet import Follower
from memwatch.observation import SELF, Observation, Observed
from memwatch.profiler import MemoryProfiler, get_memory_profiler
from memwatch.records import Leak, MemorySnapshot
from memwatch.transport import Peek, TransportUnavailable, open_hub, open_peek, redacted
from memwatch.transport.peek import Taking

logger = logging.getLogger("memory_exporter")


class MemoryExporter:
    """Serves the figures of a :class:`MemoryProfiler` at ``/metrics``."""

    def __init__(
        self, *, address: str = "127.0.0.1", port: int = DEFAULT_PORT, namespace: str = "fogcompute", token: str = ""
    ) -> None:
        """Where other hosts reach the address, who scrapes must send the ``token``, by default that of
        ``MEMWATCH_METRICS_TOKEN``."""
        self._token = token or os.environ.get("MEMWATCH_METRICS_TOKEN", "")
        self._address, self._port, self._namespace = address, port, namespace
        self._profiler: MemoryProfiler | None = None
        self._server: MetricsServer | None = None
        self._follower: Follower | None = None
        self._source = "this process"
        self._detections: Counter[str] = Counter()
        self._counted: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._started_at = datetime.fromtimestamp(psutil.Process().create_time(), UTC)

    @property
    def port(self) -> int:
        """The port listened on; the one asked for before :meth:`start`."""
        return self._port if self._server is None else self._server.port

    def set_memory_profiler(self, profiler: MemoryProfiler) -> None:
        """Show this profiler's figures from now on. Its leaks are counted in ``leak_detections_total``."""
        if profiler is self._profiler:
            return
        for leak in profiler.get_detected_leaks():
            self._count_leak(Leak.from_dict(leak))
        profiler.register_leak_callback(self._count_leak)
        self._profiler = profiler

    def set_transport(self, url: str, *, take: bool = False) -> None:
        """Show what the agents at ``url`` report, instead of a profiler. ``take``: and take the reports away.

        Raises :class:`ValueError` for a URL that is wrong, :class:`TransportUnavailable` where redis-py lacks.
        """
        peek: Peek = Taking(open_hub(url)) if take else open_peek(url)
        self._follower = Follower(peek, namespace=self._namespace)
        self._source = f"the agents at {redacted(url)}" + (", taking their reports" if take else "")

    async def start(self) -> None:
        """Start serving; :class:`ListenError` says what to do where the port is taken. Harmless when repeated."""
        if self._server is None:
            token = required_token(self._address, self._token)
            self._server = MetricsServer(self.page, address=self._address, port=self._port, token=token)
            logger.info("serving http://%s:%s/metrics, source: %s", self._address, self.port, self._source)
            if self._follower is not None:
                self._follower.start()
            elif self._profiler is None:
                logger.warning("no profiler is linked, memwatch_up is 0: call set_memory_profiler()")

    async def stop(self) -> None:
        """Stop serving. Harmless when repeated."""
        server, self._server = self._server, None
        follower, self._follower = self._follower, None
        if server is not None:
            await asyncio.to_thread(server.stop)
            if follower is not None:
                await asyncio.to_thread(follower.stop)

    def page(self) -> Page:
        """The metrics of now. ``memwatch_up`` is 0 before the first snapshot."""
        return Page(self.metrics())

    def metrics(self) -> list[Metric]:
        """The same as metric families."""
        if self._follower is not None:
            return self._follower.metrics()
        observed = self._observe()
        with self._lock:
            detections = dict(self._detections)
        observation = Observation(
            source=SELF, processes=[] if observed is None else [observed], leak_detections=detections
        )
        return families(observation, namespace=self._namespace, up=observed is not None)

    def _observe(self) -> Observed | None:
        """What the profiler knows, from any thread; ``None`` before its first snapshot."""
        if self._profiler is None:
            return None
        try:
            last = self._profiler.get_snapshots(count=1)
            leaks = Counter(str(leak["severity"]) for leak in self._profiler.get_active_leaks())
            baseline = self._profiler.get_baseline_snapshot()
            if not last:
                return None
            return Observed(
                labels={},
                started_at=self._started_at,
                python=platform.python_version(),
                figures=MemorySnapshot.from_dict(last[-1]),
                drift_percent=_drift_percent(baseline, last[-1]),
                leaks=leaks,
            )
        except Exception:  # a scrape is answered whatever the profiler does
            logger.exception("the profiler's figures cannot be read")
            return None

    def _count_leak(self, leak: Leak) -> None:
        """Once for each type, at the severity it was found with: it is announced again when it becomes worse."""
        with self._lock:
            if (leak.kind, leak.object_type) not in self._counted:
                self._counted.add((leak.kind, leak.object_type))
                self._detections[leak.severity] += 1


def _drift_percent(baseline: Mapping[str, Any] | None, current: Mapping[str, Any]) -> float | None:
    before, now = (baseline or {}).get("heap_used_mb"), current.get("heap_used_mb")
    return (now - before) / before * 100 if before and now is not None else None


@functools.cache
def get_memory_exporter() -> MemoryExporter:
    """The exporter of this process: always the same one."""
    return MemoryExporter()


async def _run(exporter: MemoryExporter, interval_s: float | None) -> None:
    """Serve until SIGINT or SIGTERM. ``interval_s``: seconds between snapshots of this process; ``None`` for none."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if interval_s is None:
        await exporter.start()
        await stop.wait()
        await exporter.stop()
        return
    profiler = get_memory_profiler()
    profiler.snapshot_interval = interval_s
    exporter.set_memory_profiler(profiler)
    await exporter.start()
    await profiler.start_memory_profiler()
    await stop.wait()
    await exporter.stop()
    await profiler.stop_memory_profiler()


def main() -> None:
    """Watch this very process, or follow a transport, until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="Serves memory figures to Prometheus: its own, or a fleet's.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the port to listen on (default: %(default)s)")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between snapshots (default: %(default)s)")
    parser.add_argument("--transport", help="show what the agents at this URL report: local:///folder, redis://host/0")
    parser.add_argument(
        "--take", action="store_true", help="remove the reports: for a transport without another reader"
    )
    arguments = parser.parse_args()
    if not arguments.interval > 0:
        parser.error(f"--interval is {arguments.interval:g}: give seconds above 0, e.g. 60")
    if arguments.take and not arguments.transport:
        parser.error("--take goes with --transport")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    exporter = MemoryExporter(address=arguments.address, port=arguments.port)
    try:
        if arguments.transport:
            exporter.set_transport(arguments.transport, take=arguments.take)
        asyncio.run(_run(exporter, None if arguments.transport else arguments.interval))
    except (ListenError, TransportUnavailable, ValueError) as error:
        raise SystemExit(f"memory_exporter: {error}") from None


if __name__ == "__main__":
    main()
