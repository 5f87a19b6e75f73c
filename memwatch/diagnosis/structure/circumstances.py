"""What the process adds to the findings of its copy: what its collector does, and how much memory it may take."""

from __future__ import annotations

import dataclasses
import gc

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy.memory_headroom import USABLE
from memwatch.diagnosis.results import Bound, Garbage, Lifetime
from memwatch.diagnosis.structure.bounds import MOST
from memwatch.sampling.limits import LimitReader
from memwatch.sampling.procmem import ProcessMemory


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """In MB, what the process has and how much more it may take."""

    rss_mb: float
    spare_mb: float | None
    """``None`` where only the machine limits it."""


def memory_of(host: Host) -> Memory:
    """By the limit of the setting, the process or the container, whichever leaves least."""
    limits, rss_mb = LimitReader(setting_mb=host.heap_limit_mb).read(), ProcessMemory().resident().rss_mb or 0.0
    spare = []
    if limits.limit_mb is not None and limits.source != "host":
        spare.append(USABLE * limits.limit_mb - rss_mb)
    if limits.cgroup_limit_mb is not None:
        spare.append(USABLE * limits.cgroup_limit_mb - (limits.cgroup_used_mb or rss_mb))
    return Memory(rss_mb, max(0.0, min(spare)) if spare else None)


def sized(bound: Bound, retained_kb: float, memory: Memory) -> Bound:
    """With what the holder takes when it is full, and whether that fits.

    It does not fit where what is still to come is more than the limits leave; without a limit, where it is more than
    the process has now, so that it would double.
    """
    if not bound.own or bound.entries < 1:
        return bound
    full_kb = min(round(retained_kb / bound.entries * max(bound.limit, bound.entries), 1), MOST)
    return dataclasses.replace(bound, when_full_kb=full_kb, fits=_fits(full_kb, retained_kb, memory))


def due(lifetime: Lifetime, retained_kb: float, per_s: float | None, memory: Memory) -> Lifetime:
    """With what the holder takes when the first of today's entries expire, and whether that fits.

    ``per_s``: the entries that it gains a second; ``None`` where that is not known.
    """
    if per_s is None or lifetime.entries < 1:
        return lifetime
    entries = max(per_s * lifetime.seconds, lifetime.entries)
    due_kb = min(round(retained_kb / lifetime.entries * entries, 1), MOST)
    return dataclasses.replace(lifetime, when_due_kb=due_kb, fits=_fits(due_kb, retained_kb, memory))


def _fits(then_kb: float, retained_kb: float, memory: Memory) -> bool:
    room_mb = memory.rss_mb if memory.spare_mb is None else memory.spare_mb
    return (then_kb - retained_kb) / 1024 <= room_mb


def garbage_of(host: Host, count: int | None, of: int, *, frozen: int = 0, unknown: str = "") -> Garbage:
    """What was counted, with what the collector of the process does. ``unknown``: why nothing was."""
    return Garbage(
        count=count,
        of=of,
        frozen=frozen,
        unknown=unknown if count is None else "",
        collects=host.collects() and gc.get_threshold()[0] > 0,
        thresholds=gc.get_threshold(),
        full_collections=gc.get_stats()[2]["collections"],
        since_full_s=host.since_full_s(),
    )
