"""What an exposition shows, as values: the figures of processes, their leaks, what waits on the way. No Django."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from memwatch.records import MemorySnapshot

FLEET, SELF, TRANSPORT = "fleet", "self", "transport"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """One process as the exporters see it. ``labels`` name it: service, host and slot in a fleet, nothing alone."""

    labels: Mapping[str, str]
    started_at: datetime | None = None
    figures: MemorySnapshot | None = None
    """The figures of its last snapshot."""
    release: str = ""
    python: str = ""
    """The interpreter's version."""
    drift_percent: float | None = None
    """Drift of heap used from the baseline."""
    leaks: Mapping[str, int] | None = dataclasses.field(default_factory=dict)
    """Open leaks by severity; ``None`` if leaks are not judged."""
    dropped_snapshots: int = 0
    sampling_failures: int = 0
    refused_commands: int = 0
    counted_at: datetime | None = None
    """When the objects in ``figures`` were counted, where that was before the last snapshot."""
    growth_kib_per_hour: float | None = None
    """Growth of resident memory, while it is steady."""
    leaks_known: bool | None = None
    """Whether its objects were counted often enough to say whether it leaks; ``None`` if leaks are not judged."""
    container: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Bytes of its container by what they are (the keys of ``CONTAINER_PARTS``), if it reports it."""
    pid: int | None = None
    instance: str = ""
    """The identity of this run of the process: no other has it."""
    resource: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Attributes of its OpenTelemetry resource, as it reports them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class OpenLeak:
    """One open leak."""

    labels: Mapping[str, str]
    """Those of its process; host and slot are empty for a leak of a whole service."""
    kind: str
    object_type: str
    seconds: float | None = None
    """How long until it uses up the memory there is; ``None`` where no end is in sight."""
    growth_per_hour: float | None = None
    """Objects or blocks, KiB for native memory."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ObservedWork:
    """The calls of one view, task or command."""

    labels: Mapping[str, str]
    """Service, kind and name."""
    calls: int
    kept_bytes: int
    """Resident memory that they kept; never falls."""
    peak_bytes: int | None = None
    """The most that resident memory rose during one of them within the last hour; ``None`` where it is not known."""
    peak_span: str = ""
    """Of that call, as :mod:`memwatch.records.traces` writes it; empty where none is known."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What waits between the agents and the server."""

    reports: int
    oldest_s: float | None = None
    lost: int = 0
    used_bytes: int | None = None
    limit_bytes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """Everything one exposition shows."""

    source: str
    """``FLEET`` (the deployment by its database), ``TRANSPORT`` (what its agents report) or ``SELF`` (one process)."""
    at: datetime | None = None
    """When it was read."""
    processes: Sequence[Observed] = ()
    service_leaks: Sequence[tuple[Mapping[str, str], Mapping[str, int]]] = ()
    """Labels and open leaks by severity of services that leak as a whole (recycled workers)."""
    open_leaks: Sequence[OpenLeak] = ()
    leaking_types: frozenset[str] = frozenset()
    """Types of open leaks: they keep a label of their own, though they are rarely among the largest."""
    work: Sequence[ObservedWork] = ()
    leak_detections: Mapping[str, int] | None = dataclasses.field(default_factory=dict)
    """Leaks ever detected by severity; never falls. ``None`` if leaks are not judged."""
    deaths: Sequence[tuple[Mapping[str, str], int]] = ()
    """Labels (service and reason) and how many processes ever ended so; never falls."""
    recycles: Sequence[tuple[Mapping[str, str], int]] = ()
    """Labels (service, reason and result) and how many workers were recycled so; never falls."""
    recycling: Sequence[tuple[Mapping[str, str], bool]] = ()
    """Services whose policy acts, and whether it has stopped itself."""
    release_changes: Sequence[tuple[Mapping[str, str], float]] = ()
    """Labels (service, release and figure) and how many bytes a worker takes more than one of the release before, of
    the newest release that runs; 0 where the figure is the same. Growth is in bytes an hour."""
    rejected_reports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Reports ever refused by reason; never falls."""
    notifications: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    """Messages of alerts by what became of them (the keys of ``NOTIFICATIONS``) and channel; never falls."""
    totals: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Other totals that never fall, by the keys of ``TOTALS``."""
    backlog: Backlog | None = None
