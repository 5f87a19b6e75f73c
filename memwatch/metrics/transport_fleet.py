"""The fleet as its agents report it, without a database: what the stand-alone exporter shows of a transport. No Django.

Baselines, leaks and slots are the server's. Here a slot is the smallest number free among the processes seen, so it may
differ from the server's; drift and leaks are not shown.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from prometheus_client.core import Metric

from memwatch.exposition import families
from memwatch.observation import TRANSPORT, Observation, Observed
from memwatch.records import MemorySnapshot
from memwatch.transport import Peek
from memwatch.transport.wire import Report, WireError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
MAX_PROCESSES = 20_000
"""More than this are not kept: a transport that anybody can write to must not fill the exporter."""


@dataclasses.dataclass(slots=True)
class _Seen:
    """The last that is known of one process."""

    service: str
    host: str
    slot: int
    started_at: datetime
    release: str
    python: str
    silent_at: float
    """When it counts as dead, by this machine's clock."""
    seq: int = -1
    figures: MemorySnapshot | None = None
    dropped: int = 0
    failures: int = 0
    refused: int = 0


class ReportedFleet:
    """What the reports say. Call :meth:`look` more often than an ingest reads them; safe from several threads."""

    def __init__(self, peek: Peek, *, clock: Callable[[], float] = time.time) -> None:
        self._peek, self._clock = peek, clock
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._slots: dict[tuple[str, str], set[int]] = {}
        self._rejected: Counter[str] = Counter()
        self._began = False

    def look(self) -> None:
        """Take note of what came. Raises :class:`TransportUnavailable`."""
        payloads = self._peek.look()
        with self._lock:
            now = self._clock()
            for payload in payloads:
                try:
                    self._take(Report.decode(payload), now)
                except WireError as error:
                    self._rejected[error.reason] += 1
            self._began = True

    def observe(self) -> Observation:
        """Who is alive, with the latest figures."""
        with self._lock:
            now = self._clock()
            for key in [key for key, seen in self._seen.items() if seen.silent_at <= now]:
                self._forget(key)
            return Observation(
                source=TRANSPORT,
                processes=[_observed(seen) for seen in self._seen.values()],
                leak_detections=None,
                rejected_reports=dict(self._rejected),
            )

    def _take(self, report: Report, now: float) -> None:
        key = report.process.key
        if report.goodbye:
            self._forget(key)
            return
        # What waited before we came may be old; what comes now is of now, whatever the sender's clock says.
        heard_at = now if self._began else min(now, report.sent_at.timestamp())
        seen = self._seen.get(key) or self._enrol(report)
        if seen is None:
            return
        seen.silent_at = max(seen.silent_at, heard_at + report.lease_s)
        seen.dropped, seen.failures = max(seen.dropped, report.dropped), max(seen.failures, report.failures)
        seen.refused = max(seen.refused, report.refused_commands)
        for seq, figures in report.snapshots:
            if seq > seen.seq:
                seen.seq, seen.figures = seq, figures

    def _enrol(self, report: Report) -> _Seen | None:
        if len(self._seen) >= MAX_PROCESSES:
            logger.warning("more than %d processes report, the others are not shown", MAX_PROCESSES)
            return None
        who = report.process
        taken = self._slots.setdefault((who.service, who.host), set())
        slot = next(number for number in range(1, len(taken) + 2) if number not in taken)
        taken.add(slot)
        seen = _Seen(
            service=who.service, host=who.host, slot=slot, started_at=who.started_at, release=who.release,
            python=who.python, silent_at=0.0,
        )  # fmt: skip
        self._seen[who.key] = seen
        return seen

    def _forget(self, key: str) -> None:
        seen = self._seen.pop(key, None)
        if seen is not None:
            self._slots[seen.service, seen.host].discard(seen.slot)


def _observed(seen: _Seen) -> Observed:
    return Observed(
        labels={"service": seen.service, "host": seen.host, "slot": f"{seen.service}-{seen.slot}"},
        started_at=seen.started_at,
        release=seen.release,
        python=seen.python,
        figures=seen.figures,
        leaks=None,
        dropped_snapshots=seen.dropped,
        sampling_failures=seen.failures,
        refused_commands=seen.refused,
    )


class Follower:
    """Looks at a transport every ``interval_s`` seconds in a thread of its own, and keeps the fleet's metrics."""

    def __init__(self, peek: Peek, *, namespace: str = "fogcompute", interval_s: float = LOOK_EVERY_S) -> None:
        self._peek, self._namespace, self._interval_s = peek, namespace, interval_s
        self._fleet = ReportedFleet(peek)
        self._away = True
        self._told = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memwatch-follower", daemon=True)

    def start(self) -> None:
        """Begin; the first look is taken at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the look under way."""
        self._stopping.set()
        self._thread.join(timeout=2)
        self._peek.close()

    def metrics(self) -> list[Metric]:
        """``memwatch_up 0`` and no figures before the first look and while the transport is away."""
        if self._away:
            return families(Observation(source=TRANSPORT, leak_detections=None), namespace=self._namespace, up=False)
        return families(self._fleet.observe(), namespace=self._namespace)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._fleet.look()
            except Exception as error:  # noqa: BLE001 - whatever fails, scrapes get an answer that says so
                if not self._told:
                    logger.warning("the transport cannot be read, memwatch_up is 0: %s", error)
                self._away = self._told = True
            else:
                if self._told:
                    logger.info("the transport can be read again")
                self._away = self._told = False
            self._stopping.wait(self._interval_s)
