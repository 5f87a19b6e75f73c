"""Who the process is, as its reports say, and what a recording must know of it."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from memwatch.agent import own, server_settings, work_counters
from memwatch.agent.config import AgentConfig
from memwatch.agent.samples import Samples
from memwatch.agent.thread import NativeThread
from memwatch.agent.work import meter
from memwatch.sampling import Sampler
from memwatch.sampling.identity import ProcessInfo, describe_process, own_arguments

if TYPE_CHECKING:
    from memwatch.diagnosis.context import Host

DESCRIBE_EVERY_S = 600.0
"""Extension modules are imported late: who the process is, is looked at again so often."""


class Description:
    """Who this process is; made once, and again when its server says something new of itself."""

    def __init__(self, config: AgentConfig, nonce: str) -> None:
        self._config, self._nonce = config, nonce
        self._made: ProcessInfo | None = None
        self._made_at = 0.0

    def current(self) -> ProcessInfo:
        """At most :data:`DESCRIBE_EVERY_S` old."""
        now, noted, config = time.monotonic(), server_settings.noted(), self._config
        known = self._made is not None and self._made.server_settings == noted
        if self._made is None or not known or now - self._made_at > DESCRIBE_EVERY_S:
            self._made_at = now
            self._made = describe_process(
                service=config.service,
                host=config.host,
                release=config.release,
                nonce=self._nonce,
                cpu_budget_percent=config.cpu_budget_percent,
                server_settings=noted,
            )
        return self._made


def circumstances(
    config: AgentConfig, process: ProcessInfo, sampler: Sampler, samples: Samples, thread: NativeThread
) -> Host:
    """The agent's figures and counters, as they will be when they are asked for."""
    from memwatch.diagnosis.context import Host  # noqa: PLC0415 - only where somebody records

    return Host(
        program=process.program,
        arguments=tuple(own_arguments()),
        heap_limit_mb=config.heap_limit_mb,
        shows_values=config.record_values and not own.is_own(),
        baseline=sampler.baseline_counts,
        mappings=sampler.baseline_mappings,
        containers=lambda: samples.containers,
        total_objects=lambda: samples.total_objects,
        requests_handled=work_counters.requests_handled,
        tasks_handled=work_counters.tasks_handled,
        since_full_s=lambda: samples.full_collections.since_s(time.monotonic()),
        collects=lambda: thread.collector.taken or gc.isenabled(),
        note_jobs=meter.look_for,
        made_in=meter.made,
    )
