"""Fleets that are not there: workers of a service over three weeks, with what is usual in life and what is not.

Plain Python: a fleet of 50 takes about a second. Usual are a daily and a weekly curve of load, busy and idle workers,
caches that fill with age, high-water marks that stay, short spikes, recycled workers, rolling deploys, missing figures,
hours without data, clock changes and autoscaling. None of that should be said.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator, Mapping

PASS_S = 600.0
HOUR_PASSES = 6
DAY = 144
WEEK = 7 * DAY
WEEKS = 3
PASSES = WEEKS * WEEK
BEGIN = 1_767_571_200.0
"""A Monday, 2026-01-05 00:00 UTC."""

WORKER_KINDS = ("leak", "jump", "native", "threads", "fragmentation", "collections")
SERVICE_KINDS = ("hours", "deploy")
KINDS = WORKER_KINDS + SERVICE_KINDS


@dataclasses.dataclass(frozen=True)
class Injected:
    """One thing that is wrong, and so the truth that findings are held against."""

    kind: str
    begin: int
    """Pass."""
    length: int
    size: float
    """How much of the usual is added, 0.5 for half."""
    slot: int | None
    """The worker's slot; ``None`` for the whole service."""

    def part(self, now: int) -> float:
        """How much of the size there is now."""
        if not self.begin <= now < self.begin + self.length:
            return 0.0
        if self.kind == "leak":
            return self.size * (now - self.begin) / self.length
        return self.size


@dataclasses.dataclass
class Worker:
    """One run of a process."""

    id: int
    slot: int
    started: int
    ends: int
    release: int
    size: float
    busy: float
    high_water: float = 0.0
    spike: float = 0.0
    spike_ends: int = 0
    pool: int = 0


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a pass sees of a worker."""

    id: int
    slot: int
    release: int
    age_s: float
    values: Mapping[str, float]
    jobs: float


class Fleet:
    """A service with its workers. The same seed gives the same three weeks."""

    def __init__(self, seed: int, *, workers: int | None = None, quiet: bool = False) -> None:
        self.seed = seed
        rng = self.rng = random.Random(seed)
        self.workers = workers or round(2 * 100 ** rng.random())
        self.rss, self.cache = rng.uniform(90, 420), rng.uniform(0.05, 0.35)
        self.tau = rng.uniform(0.5, 10) * HOUR_PASSES
        self.object_bytes = rng.uniform(90, 260)
        self.threads = rng.choice((2, 4, 9, 17, 33))
        self.collections = rng.uniform(0.5, 6)
        self.load_memory = rng.choice((0.02, 0.08, 0.2))
        self.daily, self.weekend = rng.uniform(0.2, 0.95), rng.uniform(0.2, 1.0)
        self.jobs = rng.uniform(150, 3_000)
        self.uneven = rng.choice((0.0, 0.2, 0.8))
        self.spread = rng.uniform(0.01, 0.07)
        self.marks = rng.choice((0.05, 0.3, 1.0)) / DAY
        self.life = rng.choice((None, None, 3 * DAY, DAY, DAY // 3))
        self.deploys = sorted(rng.randrange(DAY, PASSES) for _ in range(rng.choice((0, 1, 3, 6))))
        self.autoscaled = not quiet and self.workers >= 8 and rng.random() < 0.25
        self.clock_change = rng.randrange(WEEK, PASSES) if rng.random() < 0.3 else PASSES
        self.gap = self._gap() if rng.random() < 0.2 else (PASSES, PASSES)
        self.has_uss = rng.random() < 0.8
        self.drift = rng.uniform(-0.03, 0.06)
        self.injected = [] if quiet else self._inject()
        for each in self.injected:
            if each.kind == "deploy":
                self.deploys = sorted({each.begin, *(d for d in self.deploys if abs(d - each.begin) > 3 * DAY)})
        self._next_id = 0

    def _gap(self) -> tuple[int, int]:
        begin = self.rng.randrange(DAY, PASSES - DAY)
        return begin, begin + self.rng.randrange(6, DAY)

    def _inject(self) -> list[Injected]:
        """Two for each fleet, days apart, in turn of all kinds over the seeds; the first week is usual."""
        found = []
        for number, first in enumerate((WEEK + DAY // 4, 2 * WEEK + DAY // 4)):
            kind = KINDS[(2 * self.seed + number + self.seed // 4) % len(KINDS)]
            if kind in WORKER_KINDS and self.workers < 3:
                kind = SERVICE_KINDS[self.seed % 2]
            begin = first + self.rng.randrange(3 * DAY)
            length = self.rng.randrange(DAY // 3, 2 * DAY)
            size = self.rng.uniform(0.5, 1.1)
            if kind in SERVICE_KINDS:
                size = self.rng.uniform(0.3, 0.6)
            if kind == "deploy":
                length = min(2 * DAY, PASSES - begin)
            if kind == "leak":
                length, size = self.rng.randrange(DAY, 2 * DAY), self.rng.uniform(0.8, 1.6)
            slot = self.rng.randrange(self.workers // 2 + 1) if kind in WORKER_KINDS else None
            found.append(Injected(kind, begin, length, size, slot))
        return found

    def load(self, now: int) -> float:
        """Of the service, about 1 at its usual noon."""
        hour = now - (HOUR_PASSES if now >= self.clock_change else 0)
        curve = 1 - self.daily * (0.5 + 0.5 * math.cos(2 * math.pi * (hour - 2 * HOUR_PASSES) / DAY))
        weekend = self.weekend if (hour // DAY) % 7 >= 5 else 1.0
        return max(0.02, curve * weekend * (1 + self.drift * now / WEEK) * self._weather)

    def run(self) -> Iterator[tuple[int, list[Seen]]]:
        """Each pass with what it sees; nothing during a gap."""
        rng, self._weather, release = self.rng, 1.0, 0
        fleet: dict[int, Worker] = {}
        rolls: dict[int, int] = {}
        for now in range(PASSES):
            self._weather = 1 + 0.97 * (self._weather - 1) + rng.gauss(0, 0.015)
            if release < len(self.deploys) and now >= self.deploys[release]:
                release += 1
                rolls = {slot: now + slot * 3 // max(1, self.workers) for slot in fleet}
            load = self.load(now)
            wanted = self._wanted(load)
            for slot in [slot for slot in fleet if slot >= wanted]:
                del fleet[slot]
            for slot in range(wanted):
                worker = fleet.get(slot)
                if worker is None or now >= worker.ends or rolls.get(slot, PASSES) <= now:
                    rolls.pop(slot, None)
                    fleet[slot] = self._born(slot, now, release)
            if not self.gap[0] <= now < self.gap[1]:
                yield now, [self._seen(worker, now, load) for worker in fleet.values() if rng.random() > 0.01]

    def _wanted(self, load: float) -> int:
        return max(2, min(self.workers, round(self.workers * load))) if self.autoscaled else self.workers

    def _born(self, slot: int, now: int, release: int) -> Worker:
        rng = self.rng
        self._next_id += 1
        held = any(
            each.slot == slot and each.begin - DAY // 4 <= now < each.begin + each.length for each in self.injected
        )
        ends = PASSES if self.life is None or held else now + round(self.life * rng.uniform(0.6, 1.4))
        if self.life is not None:  # the process that goes wrong lives long enough to be seen
            ends = max([ends, *(e.begin + e.length for e in self.injected if e.slot == slot and now <= e.begin < ends)])
        busy = math.exp(rng.gauss(0, 0.08)) * (1 + self.uneven * (0.5 - slot / max(1, self.workers)))
        return Worker(self._next_id, slot, now, ends, release, math.exp(rng.gauss(0, self.spread)), busy)

    def _seen(self, worker: Worker, now: int, load: float) -> Seen:
        rng, gauss = self.rng, self.rng.gauss
        age = now - worker.started
        if rng.random() < self.marks:
            worker.high_water = max(worker.high_water, 0.03 * rng.paretovariate(2.2))
        if rng.random() < 0.004:
            worker.spike, worker.spike_ends = 0.1 * rng.paretovariate(1.5), now + rng.randrange(1, 4)
        if now >= worker.spike_ends:
            worker.spike = 0.0
        if rng.random() < 0.01:
            worker.pool = rng.choice((0, 0, 1, 3))
        own_load = load * worker.busy
        usual = worker.size * (1 - self.cache * math.exp(-age / self.tau)) + self.load_memory * own_load
        mark = min(0.6, worker.high_water)
        more = {"": 0.0}
        for each in self.injected:
            if each.slot is None or each.slot == worker.slot:
                part = each.part(now)
                if part and (each.kind != "deploy" or worker.release >= self._bad_release(each)):
                    more[each.kind] = more.get(each.kind, 0.0) + part
        get = more.get
        live = (
            get("leak", 0.0) + get("jump", 0.0) + get("hours", 0.0) + get("deploy", 0.0) + 0.3 * get("collections", 0.0)
        )
        heap_share = usual + 0.3 * mark + 0.7 * min(2.0, worker.spike) + live
        rss_share = usual + mark + min(2.0, worker.spike) + live
        rss_share += get("native", 0.0) + get("fragmentation", 0.0) + 0.25 * get("threads", 0.0)
        rss = self.rss * rss_share * (1 + gauss(0, 0.006))
        heap = 0.62 * self.rss * (heap_share + get("native", 0.0)) * (1 + gauss(0, 0.006))
        objects = 0.62 * self.rss * heap_share * 1_048_576 / self.object_bytes / 3 * (1 + gauss(0, 0.01))
        jobs = max(0.0, self.jobs * own_load * (1 + gauss(0, 0.1)))
        values = {
            "rss": rss, "heap": heap, "objects": objects, "blocks": 2.6 * objects * (1 + gauss(0, 0.01)),
            "free_heap": max(0.0, 0.85 * rss - heap),
            "threads": float(round(self.threads * (1 + 2 * get("threads", 0.0)) + worker.pool)),
            "swap": 0.0,
        }  # fmt: skip
        if self.has_uss:
            values["uss"] = rss - 0.15 * self.rss
        if jobs >= 20:
            values["collections"] = self.collections * math.exp(gauss(0, 0.15)) * (1 + 2.5 * get("collections", 0.0))
            values["page_faults"] = (rng.random() < 0.01) * rng.expovariate(0.01)
        return Seen(worker.id, worker.slot, worker.release, age * PASS_S, values, jobs)

    def _bad_release(self, each: Injected) -> int:
        return self.deploys.index(each.begin) + 1
