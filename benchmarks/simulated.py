"""Processes that are not there: who they would be and what their snapshots would say, the same in every run.

What a Django process of middling size reports: 25 to 40 types, with every fourth snapshot a look at nine big
containers and the sizes of eight types, with every fifth what it shares with others.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from memwatch.records import BigContainer, MemorySnapshot
from memwatch.sampling.identity import ProcessInfo
from memwatch.transport.wire import Report

SERVICES = ("web", "api", "worker", "mailer", "beat")
HOSTS = 50
GROWING, FLAT, RESTARTING = "growing", "flat", "restarting"
LIFE = 6
"""Snapshots in the life of a process that is restarted again and again."""

_BUILTIN = (
    "function", "tuple", "dict", "weakref.ReferenceType", "cell", "list", "type", "getset_descriptor", "set",
    "method_descriptor", "wrapper_descriptor", "builtin_function_or_method", "module", "frozenset", "property",
)  # fmt: skip
_MODULES = ("_ssl", "numpy", "lxml.etree", "psycopg_c", "yaml._yaml")


@dataclasses.dataclass(frozen=True, slots=True)
class Simulated:
    """One process of a fleet, by its number."""

    number: int
    begin: datetime
    """When the fleet's first snapshots were taken."""
    interval_s: float = 60.0

    @property
    def kind(self) -> str:
        """One in ten grows, one in fifty is restarted every few minutes."""
        if self.number % 50 == 7:
            return RESTARTING
        return GROWING if self.number % 10 == 3 else FLAT

    def life(self, seq: int) -> int:
        """Which life of the process this snapshot belongs to."""
        return seq // LIFE if self.kind == RESTARTING else 0

    def when(self, seq: int) -> datetime:
        """When it is taken: every process at a phase of its own."""
        return self.begin + timedelta(seconds=(seq + (self.number * 0.6180339) % 1) * self.interval_s)

    def next_after(self, moment: datetime) -> int:
        """The number of the first snapshot after that."""
        seq = max(0, int((moment - self.begin).total_seconds() // self.interval_s) - 1)
        while self.when(seq) <= moment:
            seq += 1
        return seq

    def info(self, seq: int = 0) -> ProcessInfo:
        """Who it is."""
        life = self.life(seq)
        return ProcessInfo(
            host=f"host{self.number % HOSTS}",
            pid=1_000 + self.number + 100_000 * life,
            started_at=self.begin + timedelta(seconds=life * LIFE * self.interval_s - 30),
            nonce=f"{self.number:06x}{life:06x}",
            service=SERVICES[self.number // HOSTS % len(SERVICES)],
            program="gunicorn worker",
            command_line="gunicorn project.wsgi --workers 4",
            parent_pid=900,
            release="2026.11",
            python="3.11.7",
            agent="0.1.0",
            extension_modules=_MODULES,
        )

    def snapshot(self, seq: int) -> MemorySnapshot:
        """What it measures."""
        own = seq % LIFE if self.kind == RESTARTING else seq
        wobble = (seq * 7919 + self.number * 31) % 97
        grown = 40 * own if self.kind == GROWING else 0
        memory = 90 + self.number % 60 + grown / 500 + wobble / 400
        look, shared = seq % 4 == 0, seq % 5 == 0
        return MemorySnapshot(
            timestamp=self.when(seq),
            heap_size_mb=2048.0,
            heap_limit_source="cgroup",
            heap_used_mb=memory * 0.7,
            heap_committed_mb=memory * 0.8,
            pymalloc_used_mb=memory * 0.5,
            rss_mb=memory,
            vms_mb=memory * 4,
            uss_mb=memory * 0.6 if shared else None,
            pss_mb=memory * 0.7 if shared else None,
            swap_mb=0.0 if shared else None,
            cgroup_used_mb=memory * 4,
            cgroup_limit_mb=2048.0,
            total_objects=120_000 + 7 * wobble + grown,
            top_objects=self._counts(wobble, grown),
            big_containers=self._boxes(wobble) if look else None,
            type_sizes={name: 40 + 13 * n for n, name in enumerate(_BUILTIN[:8])} if look else None,
            allocated_blocks=400_000 + 9 * wobble + 3 * grown,
            gc_count=(wobble * 7, wobble % 10, wobble % 7),
            gc_threshold=(700, 10, 10),
            gc_collections_gen0=1_000 + 30 * own,
            gc_collections_gen1=100 + 3 * own,
            gc_collections_gen2=10 + own // 4,
            requests_handled=60 * own + wobble if self.number % 2 else None,
            tasks_handled=None if self.number % 2 else 20 * own,
            threads=4,
            census_pause_ms=4.0 + wobble / 50,
            snapshot_cpu_ms=9.0 + wobble / 20,
        )

    def report(self, seq: int, *, goodbye: bool = False) -> Report:
        """A report with this snapshot, or with the goodbye that comes after it."""
        taken = self.snapshot(seq)
        return Report(
            process=self.info(seq),
            sent_at=taken.timestamp,
            lease_s=3 * self.interval_s + 20,
            snapshots=() if goodbye else ((seq, taken),),
            goodbye=goodbye,
        )

    def _counts(self, wobble: int, grown: int) -> dict[str, int]:
        application = SERVICES[self.number // HOSTS % len(SERVICES)]
        names = [f"{application}.models.Type{number}" for number in range(10 + self.number % 16)]
        counts = {name: 30_000 // (n + 1) + wobble * 3 for n, name in enumerate((*_BUILTIN, *names))}
        if self.kind == GROWING:
            counts[names[0]] += grown
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def _boxes(self, wobble: int) -> tuple[BigContainer, ...]:
        at = 140_542_826_862_144 + self.number * 65_536
        return tuple(
            BigContainer(
                type="dict" if n % 2 else "list",
                length=1_300 + 40 * n + (wobble if n == 0 else 0),
                holds=("str", "tuple", "module", "weakref.ReferenceType")[n % 4],
                token=at + 1_248 * n,
                name=f"application.module{n}.REGISTRY" if n % 2 else None,
                entry_bytes=57.5 + n if n % 3 else None,
            )
            for n in range(9)
        )
