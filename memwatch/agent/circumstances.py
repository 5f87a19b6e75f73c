"""What a recording must know of the process that it runs in."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from memwatch.agent import own, work_counters
from memwatch.agent.config import AgentConfig
from memwatch.agent.samples import Samples
from memwatch.agent.thread import NativeThread
from memwatch.agent.work import meter
from memwatch.sampling import Sampler
from memwatch.sampling.identity import ProcessInfo, own_arguments

if TYPE_CHECKING:
    from memwatch.diagnosis.context import Host


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
