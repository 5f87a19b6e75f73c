"""The processes that are alive, each with what is shown of its last snapshot, in one query."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from memwatch.models.functions import Moment
from memwatch.queries.processes.fleet import alive_with_last
from memwatch.queries.series.snapshot_mapping import NUMBERS

_PROCESS: tuple[str | Moment, ...] = (
    "pk", "service_id", "service__name", "host", "slot_number", "release__name", "python", Moment("started_at"),
    "dropped_snapshots", "sampling_failures", "refused_commands", "outside", "growth_kib_per_hour", "leaks_known",
    "surroundings", "pid", "key", "resource",
)  # fmt: skip
_SHOWN = (*NUMBERS, "counts")
_LAST: tuple[str | Moment, ...] = (
    Moment("last__timestamp"),
    *(f"last__{column}" for column in _SHOWN),
)


class LastSnapshot:
    """What is shown of a last snapshot: the rest is neither read nor unpacked."""

    heap_limit_source = ""
    gc_count = gc_threshold = extras = None
    timestamp: datetime
    heap_used_kib: int | None
    counts: Any

    def __init__(self, timestamp: datetime, *values: object) -> None:
        self.timestamp = timestamp
        self.__dict__.update(zip(_SHOWN, values, strict=True))


class LivingProcess(NamedTuple):
    """One that is alive."""

    pk: int
    service_id: int
    service: str
    host: str
    slot_number: int
    release: str | None
    python: str
    started_at: datetime
    dropped_snapshots: int
    sampling_failures: int
    refused_commands: int
    outside: bool
    growth_kib_per_hour: int | None
    leaks_known: bool
    surroundings: Any
    pid: int
    key: str
    resource: Any
    last: LastSnapshot | None

    @property
    def heap_used_kib(self) -> int | None:
        return None if self.last is None else self.last.heap_used_kib

    @property
    def labels(self) -> dict[str, str]:
        return {"service": self.service, "host": self.host, "slot": f"{self.service}-{self.slot_number}"}


def living() -> list[LivingProcess]:
    """A pruned snapshot counts as none."""
    own, found = len(_PROCESS), []
    for row in alive_with_last().values_list(*_PROCESS, *_LAST):
        last = None if row[own] is None else LastSnapshot(*row[own:])
        found.append(LivingProcess._make((*row[:own], last)))
    return found
