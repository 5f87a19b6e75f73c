"""The snapshots of this process, numbered, and what the last ones have found."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from memwatch.agent import work_counters
from memwatch.agent.collector_break import suspended
from memwatch.agent.config import AgentConfig
from memwatch.agent.flight.desk import FlightDesk
from memwatch.agent.full_collections import FullCollections
from memwatch.agent.near_limit import NearLimit
from memwatch.agent.outbox import Numbered
from memwatch.agent.thread import NativeThread
from memwatch.agent.work import meter
from memwatch.records import BigContainer, MemorySnapshot
from memwatch.sampling import Sampler

MOST_JOB_NAMES = 1_000
"""Then no more are counted: names that never end, one for each call, must not hide a leak or fill the memory."""


def make_sampler(config: AgentConfig, thread: NativeThread) -> Sampler:
    """The process's one sampler, which works in the agent's thread."""
    return Sampler(
        top_objects_count=config.top_objects_count,
        heap_limit_mb=config.heap_limit_mb,
        pause_budget_ms=config.pause_budget_ms,
        cpu_share_budget=config.cpu_budget_percent / 100,
        around_walk=suspended(thread.collector),
        leaving=lambda: thread.leaving,
        requests_handled=work_counters.requests_handled,
        tasks_handled=work_counters.tasks_handled,
    )


class Samples:
    """Used by the agent's thread alone. Times are monotonic seconds."""

    def __init__(
        self,
        sampler: Callable[[], Sampler],
        discount: Callable[[MemorySnapshot], MemorySnapshot],
        flight: FlightDesk,
        complain: Callable[..., None],
        *,
        heap_limit_mb: float | None = None,
    ) -> None:
        self._sampler = sampler
        self._discount = discount
        self._flight = flight
        self._complain = complain
        self._heap_limit_mb = heap_limit_mb
        self._seq = 0
        self._job_names = set[tuple[str, str]]()
        self.near_limit = NearLimit(keep=flight.second, has_room=self._has_room)
        self.full_collections = FullCollections()
        self.failures = 0
        self.latest: Numbered | None = None
        self.containers: tuple[BigContainer, ...] | None = None
        self.total_objects: int | None = None

    def take(self, *, census: bool | None) -> Numbered | None:
        """A numbered snapshot; ``None``, counted, when sampling failed."""
        try:
            snapshot = self._discount(self._sampler().sample(census=census))
            now = time.monotonic()
            work = meter.take()
            if len(self._job_names) < MOST_JOB_NAMES:
                self._job_names.update([(job.kind, job.name) for job in work or ()])
            snapshot = dataclasses.replace(
                snapshot,
                work=work,
                job_names=len(self._job_names) if meter.meter() is not None else None,
                rss_seconds=self.near_limit.take(now),
            )
            self.near_limit.snapshot(snapshot, now)
        except Exception as error:  # noqa: BLE001 - counted, and said once
            self.failures += 1
            self._complain("sample", "no snapshot could be taken: %s: %s", type(error).__name__, str(error))
            return None
        self._flight.snapshot(snapshot, self._sampler().baseline_counts())
        self._seq += 1
        self.full_collections.look(time.monotonic())
        self.latest = (self._seq, snapshot)
        self.containers = snapshot.big_containers or self.containers
        self.total_objects = snapshot.total_objects or self.total_objects
        return self.latest

    def watch_limit(self) -> Numbered | None:
        """Near the limit: the figure of this second, and once a look at what fills the heap."""
        self.near_limit.step(time.monotonic())
        if not self.near_limit.wants_look(time.monotonic()):
            return None
        taken = self.take(census=True)
        if taken is not None:
            self._flight.summary(taken[1])
        return taken

    def _has_room(self, needs_mb: float) -> bool:
        from memwatch.diagnosis.copy import memory_headroom  # noqa: PLC0415 - only near a limit

        return memory_headroom.refusal(needs_mb, heap_limit_mb=self._heap_limit_mb) is None
