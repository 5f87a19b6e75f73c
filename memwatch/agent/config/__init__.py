"""What an agent needs to know; passed in, so that the agent imports no Django."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """The configuration of one process's agent."""

    transport: str
    """``local:///folder`` or ``redis://…``."""
    command_key: str
    """Commands not signed with it are refused: the deployment's key, or that of the service."""
    command_key_previous: tuple[str, ...] = ()
    """Keys before the last change, obeyed too."""
    host: str
    service: str | None = None
    """Guessed from the program when not given."""
    release: str = ""
    snapshot_interval: float = 60.0
    """Seconds."""
    top_objects_count: int = 20
    pause_budget_ms: float = 50.0
    cpu_budget_percent: float = 0.5
    """Share of one CPU, on average, for looking at the heap."""
    heap_limit_mb: float | None = None
    record_values: bool = False
    """Whether recordings may show values of objects."""
    enable_tracemalloc: bool = False
    """For ``get_memory_profiler()``; the agent itself never traces."""
    work: bool = True
    """Measure memory by view, task and command."""
    traces: str = "off"
    """``links``: note the span of OpenTelemetry that a job ran in; ``attributes``: also give it the job's figures."""
    flight_recorder: bool = True
    """Keep what the process is doing where it outlives it, and collect what others have left."""
    buffer_size: int = 500
    """Snapshots kept while the transport is away."""

    def __post_init__(self) -> None:
        if not self.snapshot_interval > 0:
            raise ValueError(f"snapshot_interval is {self.snapshot_interval}: give seconds above 0, e.g. 60")
