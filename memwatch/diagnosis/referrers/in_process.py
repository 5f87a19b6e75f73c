"""Who refers to the instances of a type, found within the process itself: where no copy of it can be had.

It cannot tell old instances from new ones and measures nothing twice: it names no holder as a fact.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any

from memwatch.diagnosis import options, results
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.frames import local_variables
from memwatch.diagnosis.heap import frozen_objects, instances, introspection, walk
from memwatch.diagnosis.heap.big_containers import BigContainers, Gather, Objects, with_ids
from memwatch.diagnosis.heap.borrowed import held, put_back
from memwatch.diagnosis.heap.traversal import retained_bytes
from memwatch.diagnosis.pace import pace_of
from memwatch.diagnosis.referrers import graph, holding
from memwatch.diagnosis.referrers.chosen_container import find_container
from memwatch.diagnosis.referrers.climb import Noted
from memwatch.diagnosis.referrers.graph import Graph, Way
from memwatch.diagnosis.referrers.nodes import Node
from memwatch.diagnosis.structure.circumstances import garbage_of
from memwatch.records import BigContainer
from memwatch.sampling.atomic import Step, uninterrupted
from memwatch.sampling.module_names import module_level_names
from memwatch.sampling.type_names import clean

LONGEST_S = 75.0
"""After this time it ends with what it has found."""
SHARE = 0.1
"""Share of a core."""
EXAMINED_EACH = 5
"""Instances examined for each whose values may be shown."""
MOST_WANTED = 300
"""Objects whose holders are looked for in one pass."""
MOST_EXAMINED = 2_000
"""Holders looked at in one pass."""
MOST_DICTS_MADE = 200
"""Instances whose ``__dict__`` may come into being by our looking."""

DEPTH = 6
_NO_COPY = "that is counted in a copy of the process, and none was made"
Waits = Generator[float, None, results.Referrers]


def search_in_process(asked: options.ReferrersOptions, host: Host, meter: Meter, *, instead_of: str) -> Waits:
    """In small parts, at a tenth of a core. ``instead_of``: why there is no copy of the process.

    Raises :class:`Refused` where that would hold the program for long.
    """
    walk.refuse_large(host, meter, instead_of)
    pace = pace_of(host)
    yield from pace.look_before(meter)
    pace.begin()
    work = _Search(asked, host).run(meter)
    try:
        while True:
            began = time.thread_time()
            try:
                wait_s = next(work)
            except StopIteration as end:
                found: results.Referrers = end.value
                return found
            if meter.longest_hold_ms > 2 * walk.LONGEST_HOLD_MS:
                raise Refused(
                    f"the search was given up: it held the program for {meter.longest_hold_ms:.0f} ms, "
                    f"{walk.LONGEST_HOLD_MS:.0f} are allowed; record a process with less to do or with fewer objects"
                )
            if slow := pace.too_slow():
                raise Refused(f"the search was given up, for the program comes first: {slow}")
            yield max(wait_s, (time.thread_time() - began) * (1 / SHARE - 1))
    finally:
        work.close()


class _Search:
    """One pass for each step up, in parts between which the host runs."""

    def __init__(self, asked: options.ReferrersOptions, host: Host) -> None:
        self._asked = asked
        self._host = host
        self._notes: list[str] = []

    def run(self, meter: Meter) -> Waits:
        """Yields seconds to wait; returns the result. Raises :class:`Refused` for a type without an instance."""
        asked = self._asked
        if asked.type == options.UNTRACKED:
            return (yield from self._untracked(meter))
        found = yield from instances.find(asked.type, self._host, meter, most=EXAMINED_EACH * asked.samples)
        baseline = self._host.baseline()
        new = None if baseline is None else max(0, found.count - baseline.get(asked.type, 0))
        return (yield from self._explain(asked.type, found.sample, found.count, new=new, big=found.big, meter=meter))

    def _untracked(self, meter: Meter) -> Waits:
        """Its type is ``untracked``; the instances are the entries of the container."""
        container = find_container(self._host, self._asked.container, meter)
        self._notes.append(
            f"The {container.type} holds {container.length:,} entries, of those looked at mostly {container.holds}."
            if container.holds
            else f"The {container.type} holds {container.length:,} entries."
        )
        big = yield from walk.find_big_containers(self._host, meter)
        sample = (container.token or 0,)
        return (
            yield from self._explain(options.UNTRACKED, sample, 1, new=None, big=big, meter=meter, container=container)
        )

    def _explain(
        self, name: str, sample: tuple[int, ...], count: int, *,
        new: int | None, big: dict[int, int], meter: Meter, container: BigContainer | None = None,
    ) -> Waits:  # fmt: skip
        climbed = Graph(name if container is None else f"{container.type}, {introspection.counted(container.length)}")
        yield from _Climb(climbed, big, self._host, meter, self._notes).up(sample, self._asked.depth or DEPTH)
        ways = {instance: climbed.ways(instance) for instance in sample}
        holder = yield from self._holder(climbed, ways, container, meter)
        samples = (yield from self._values(sample, meter)) if self._asked.values else ()
        if frozen := frozen_objects.frozen_by_program():
            self._notes.append(
                f"{frozen:,} objects are frozen (gc.freeze): of them those are seen that modules lead to "
                f"in {frozen_objects.STEPS} steps."
            )
        if count > len(sample):
            self._notes.append(f"Counts are estimates from {len(sample)} of {count:,} instances, evenly spread.")
        return results.Referrers(
            type=name,
            instances=count if container is None else container.length,
            new_since_baseline=new,
            referrers=graph.referrers(climbed, sample, count),
            chains=graph.chains(ways, count),
            holder=holder,
            samples=samples,
            notes=tuple(self._notes),
            rooted=any(way.found for each in ways.values() for way in each) or None,
            garbage=None if container is not None else garbage_of(self._host, None, count, unknown=_NO_COPY),
        )

    def _holder(
        self, climbed: Graph, ways: dict[int, list[Way]], container: BigContainer | None, meter: Meter
    ) -> Generator[float, None, results.Holder | None]:
        if container is not None:
            (of_container,) = ways.values()
            name = " → ".join(of_container[0].elements) if of_container else container.type
            token = container.token or 0
            held_as = Node(id=token, type=container.type, label=container.type, length=container.length)
        else:
            likeliest = holding.candidates(climbed, list(ways), None, new=None)
            if not likeliest:
                return None
            token = likeliest[0].id
            held_as, to_it = climbed.nodes[token], climbed.ways(token)
            name = graph.ARROW.join(to_it[0].elements) if to_it else held_as.label
        size, complete = 0, False
        with held(self._host) as objects:
            yield from _fetch(frozenset((token,)), objects, self._host, meter)
            if objects:
                size, complete = yield from retained_bytes(objects, self._host, meter)
        return results.Holder(
            name=clean(name),
            type=held_as.type,
            length=held_as.length,
            retained_kb=round(size / 1024, 1),
            retained_is_lower_bound=not complete,
        )

    def _values(self, sample: tuple[int, ...], meter: Meter) -> Generator[float, None, tuple[dict[str, str], ...]]:
        chosen = frozenset(sample[:: max(1, len(sample) // self._asked.samples)][: self._asked.samples])
        values: dict[int, dict[str, str]] = {}
        with held(self._host) as objects:

            def gather(of_part: Objects, _size: int) -> list[Step]:
                return with_ids(chosen, objects, of_part)

            for walked in (walk.walk, walk.walk_frozen):
                for wait_s in walked(self._host, meter, gather) if not values else ():
                    values |= {id(item): introspection.own_values(item, self._asked.type) for item in objects}
                    put_back(objects, self._host)
                    yield wait_s
                values |= {id(item): introspection.own_values(item, self._asked.type) for item in objects}
        return tuple(values.values())


class _Climb:
    """Fills a graph from the instances up, one pass over the heap a level."""

    def __init__(self, climbed: Graph, big: dict[int, int], host: Host, meter: Meter, notes: list[str]) -> None:
        self._noted = Noted(climbed, most_dicts=MOST_DICTS_MADE)
        self._big = big
        self._host = host
        self._meter = meter
        self._notes = notes
        self._own: set[int] = set()
        """Ids of our own lists, which are no holders."""

    def up(self, sample: Iterable[int], depth: int) -> Generator[float, None, None]:
        """Climb until every object has a root, ``depth`` steps at most."""
        wanted = frozenset(sample)
        known = set(wanted)
        for level in range(depth):
            above = yield from self._level(wanted, first=level == 0)
            wanted = frozenset([each for each in above if each not in known][:MOST_WANTED])
            known |= wanted
            if not wanted:
                return
            if self._meter.elapsed_s > LONGEST_S:
                self._notes.append(f"The climb was ended after {self._meter.elapsed_s:.0f} s: the heap is large.")
                return
        self._notes.append(f"The climb was ended after {depth} steps: some ways may lead further up.")

    def _level(self, wanted: frozenset[int], *, first: bool) -> Generator[float, None, list[int]]:
        """Find who refers to ``wanted``; the holders whose own holders are to be found next."""
        with self._meter.pausing():
            named = module_level_names(wanted)
        self._noted.names(named)
        if not first:
            wanted -= named.keys()
        collections = gc.get_stats()[2]["collections"]
        above = yield from self._pass(wanted)
        if not above and gc.get_stats()[2]["collections"] != collections:
            above = yield from self._pass(wanted)  # a full collection had put the heap into another order
        if lonely := self._noted.lonely(wanted):
            self._noted.variables(local_variables(lonely, self._host, self._meter))
        return above

    def _pass(self, wanted: frozenset[int]) -> Generator[float, None, list[int]]:
        if not wanted:
            return []
        modules = frozen_objects.module_names()
        above: list[int] = []
        examined = 0
        with held(self._host) as found:
            self._own.add(id(found))
            big = BigContainers(self._big, wanted, found, self._own)

            def gather(objects: Objects, size: int) -> list[Step]:
                return walk.referring_to(wanted, big, found, self._own, objects=objects, size=size)

            for wait_s in self._parts(gather, big):
                known = set(self._own)
                for item in found:
                    if examined < MOST_EXAMINED and id(item) not in known:
                        known.add(id(item))
                        examined += 1
                        node = self._noted.holder(item, wanted, modules)
                        above += [node.id] if node is not None and node.root is None else []
                item = None
                put_back(found, self._host)
                yield wait_s
        if examined >= MOST_EXAMINED:
            self._notes.append(f"Of one level the first {MOST_EXAMINED:,} holders were looked at.")
        return list(dict.fromkeys(above))

    def _parts(self, gather: Gather, big: BigContainers) -> Iterator[float]:
        """Search the heap, then the frozen objects (``gc.freeze``), if there are any."""
        yield from walk.walk(self._host, self._meter, gather, parts=walk.SEARCH_PARTS, turns=big.turns)
        yield 0.0
        if frozen_objects.frozen_by_program():
            yield from walk.walk_frozen(self._host, self._meter, gather, turns=big.turns, big=self._big)


def _fetch(wanted: frozenset[int], found: list[Any], host: Host, meter: Meter) -> Generator[float, None, None]:
    """Put the objects with these ids into ``found``, where they still live."""

    def gather(objects: Objects, _size: int) -> list[Step]:
        return with_ids(wanted, found, objects)

    def named() -> Iterator[Any]:
        return chain.from_iterable(map(dict.values, frozen_objects.namespaces()))

    with meter.pausing():
        uninterrupted(with_ids(wanted, found, named))  # a holder mostly has a name, and then no pass is needed
    if len(found) < len(wanted):
        yield from walk.walk(host, meter, gather)
    if not found:
        yield from walk.walk_frozen(host, meter, gather)
    unique = {id(item): item for item in found}
    found[:] = unique.values()
