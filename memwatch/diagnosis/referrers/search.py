"""What refers to a type, answered in a copy of the process: the instances, the climb, the holder, its place in code.

Everything here may hold what it likes, since the copy ends with it. It reads through the type slots alone all the same:
no line of the host's code runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any

from memwatch.diagnosis import own_code
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap.retained import Weigher
from memwatch.diagnosis.referrers import graph, growing_container, holding
from memwatch.diagnosis.referrers.climb import Climb
from memwatch.diagnosis.referrers.graph import Graph, Way
from memwatch.diagnosis.referrers.growing_container import NONE_GREW
from memwatch.diagnosis.referrers.looks import Question
from memwatch.diagnosis.referrers.subjects import by_age, container_of, counted, evenly, instances_of
from memwatch.diagnosis.results import Expiring
from memwatch.diagnosis.structure.bounds import bound_of
from memwatch.diagnosis.structure.expiring import Expiries
from memwatch.diagnosis.structure.garbage import KNOWN, OutOfTime, Unreachable
from memwatch.sampling.atomic import FREE_THREADED
from memwatch.sampling.type_names import clean, type_name

MOST_REMEMBERED = 1_000_000
"""Instances whose addresses are kept from one look to the next."""
MOST_KEPT = 50
"""Types of what a holder keeps alive that are named."""
LEAST_NEW = 3
"""Objects that came between two looks, from which these are what is traced."""


def answer(question: Question, handled: Mapping[str, int]) -> bytes:
    """One line of JSON, then the instances' addresses, eight bytes each. Raises :class:`Refused`.

    ``handled``: the calls of each kind that the process has handled by now.
    """
    found, ids = _Search(question).answer()
    found["handled"] = dict(handled)
    return json.dumps(found, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" + ids.tobytes()


_EMPTY: Mapping[str, Any] = {
    "new": None, "traced": 0, "referrers": [], "chains": [], "candidates": [], "expiring": None, "garbage": None,
    "frozen": 0, "rooted": None, "retained_kb": None, "retained_is_lower_bound": False,
}  # fmt: skip
"""An answer of which nothing is known."""


class _Search:
    def __init__(self, question: Question) -> None:
        self._blocks = sys.getallocatedblocks()
        self._asked = question
        self._notes: list[str] = []
        self._frozen: frozenset[int] = frozenset()
        self._unreachable: Unreachable | None = None
        self._weigher = Weigher()

    def answer(self) -> tuple[dict[str, Any], array[int]]:
        asked = self._asked
        if asked.least_new and not asked.any_container and self._came() < asked.least_new:
            return {"instances": 0, "lengths": [], "blocks": self._blocks, "too_few": True}, array("Q")
        # Before there are references of our own.
        if KNOWN and asked.count_garbage and not asked.only_remember and not asked.of_container:
            with contextlib.suppress(OutOfTime):
                self._unreachable = Unreachable()
        if count := gc.get_freeze_count():
            own = frozenset(map(id, gc.get_objects())) if FREE_THREADED else frozenset()
            gc.unfreeze()  # of the copy: the lists then have them too, as the last of the oldest
        if asked.any_container:
            return self._any_container()
        if count:
            thawed = map(id, gc.get_objects()) if FREE_THREADED else map(id, gc.get_objects(2)[-count:])
            self._frozen = frozenset(thawed) - own
        return self._about(self._instances())

    def _any_container(self) -> tuple[dict[str, Any], array[int]]:
        asked, big = self._asked, growing_container.containers()
        if asked.before is None:
            return {"instances": 0, "lengths": growing_container.lengths(big), "blocks": self._blocks}, array("Q")
        least = asked.least_new or growing_container.LEAST_GROWTH
        item = growing_container.that_grew(big, asked.before.lengths, least=least)
        if item is not None:
            self._notes.append(f"Of {len(big):,} large containers this one has grown most between the two looks.")
            big.clear()  # else it would be a holder
            return self._about([item])
        nothing = {"instances": 0, "lengths": [], "blocks": self._blocks, "too_few": True, "notes": [NONE_GREW]}
        return {**_EMPTY, **nothing}, array("Q")

    def _about(self, instances: list[Any]) -> tuple[dict[str, Any], array[int]]:
        asked = self._asked
        ids = array("Q", map(id, instances[-MOST_REMEMBERED:]))
        sample, new, of = self._sample(instances)
        climbed = Graph(asked.type if not asked.of_container else introspection.described(sample[0]))
        climb = Climb(climbed)
        climb.disown(instances, sample)
        climb.up(sample, asked.depth)
        found: dict[str, Any] = {"instances": len(instances), "blocks": self._blocks}
        found["lengths"] = [
            (key, node.type, node.length) for key, node in climbed.nodes.items() if node.length is not None
        ]
        if asked.of_container:
            item = sample[0]
            found["lengths"].append((id(item), type_name(type(item)), introspection.length(item)))
        if asked.only_remember:
            return found, ids
        examined = [id(item) for item in sample]
        ways = {key: climbed.ways(key) for key in examined}
        found["new"], found["traced"] = new, len(sample)
        self._weigher = Weigher(instances, sample, climb.objects.values(), has_room=asked.count_garbage)
        weighed = self._weigher.weigh(instances)
        found["retained_kb"] = round(weighed.bytes / 1024, 1)
        found["retained_is_lower_bound"] = not weighed.complete
        found["referrers"] = [dataclasses.asdict(each) for each in graph.referrers(climbed, examined, of)]
        found["chains"] = [dataclasses.asdict(each) for each in graph.chains(ways, of)]
        garbage = self._garbage(instances)
        alive = len(instances) - (garbage or 0)
        before = None if asked.before is None else _still(asked.before.lengths, climb.objects)
        expiries = Expiries(climbed, climb.objects, examined, before, instances=alive)
        if not asked.of_container:
            found["candidates"] = self._candidates(
                climbed, examined, climb, new=new, alive=alive, before=before, expiries=expiries
            )
            expiring = expiries.all_together()
        else:
            one, expiring = self._of_container(climbed, examined[0], climb, before, expiries)
            found["candidates"] = [one]
        found["expiring"] = _plain(expiring)
        found["notes"] = self._notes + climb.notes
        found["garbage"] = garbage
        found["frozen"] = sum(id(item) in self._frozen for item in instances)
        found["rooted"] = _rooted(ways, all_garbage=garbage == len(instances))
        if asked.values:
            chosen = sample[:: max(1, len(sample) // asked.values)][: asked.values]
            found["samples"] = [introspection.own_values(item, asked.type) for item in chosen]
        return found, ids

    # Which objects:

    def _came(self) -> int:
        """Objects, or entries of the container, that came since the look before; frozen ones are older."""
        asked = self._asked
        assert asked.before is not None  # noqa: S101 - for mypy
        if asked.container is not None:
            item = container_of(asked.container)
            _kind, length = asked.before.lengths.get(id(item), ("", 0))
            return (introspection.length(item) or 0) - length
        known = frozenset(asked.before.ids)
        return sum(id(item) not in known for found in instances_of(asked.type) for item in found if item is not found)

    def _instances(self) -> list[Any]:
        """The oldest first, as far as the collector's lists tell."""
        asked = self._asked
        if asked.container is not None:
            return [container_of(asked.container)]
        found: list[Any] = []
        for each in instances_of(asked.type):
            found += each
        others = [item for item in found if item is not found]
        found.clear()  # where lists are asked for it holds itself
        return by_age(others, self._frozen)

    def _sample(self, instances: list[Any]) -> tuple[list[Any], int | None, int]:
        """Those to trace; how many came since the first look; of how many they are a sample."""
        asked = self._asked
        new: list[Any] | None = None
        if asked.before is not None and not asked.of_container and self._remembers_all():
            known = frozenset(asked.before.ids)
            new = [item for item in instances if id(item) not in known]
            alive = self._alive(new)
            if len(alive) < len(new):
                self._notes.append(f"{len(new) - len(alive):,} of the {len(new):,} that came are garbage: left out.")
            new = alive
            if len(new) >= LEAST_NEW:
                self._notes.append(f"Traced: {counted(asked.samples, len(new))} that came between two looks.")
                return evenly(new, asked.samples), len(new), len(new)
        since = 0 if asked.at_baseline is None else len(instances) - asked.at_baseline
        if since >= LEAST_NEW and not asked.of_container and not FREE_THREADED:
            youngest = self._alive(instances[-since:])
            if len(youngest) < len(instances):
                self._notes.append(
                    f"Traced: {counted(asked.samples, len(youngest))} that came since the baseline, by their age."
                )
            return evenly(youngest, asked.samples), None if new is None else len(new), len(youngest)
        sample = evenly(instances, asked.samples)
        if len(sample) < len(instances):
            self._notes.append(
                f"Counts are estimates from {len(sample)} of {len(instances):,} instances, evenly spread."
            )
        return sample, None if new is None else len(new), len(instances)

    def _remembers_all(self) -> bool:
        """Whether those that the look before has forgotten were older than all others, or none."""
        return not FREE_THREADED or self._asked.before is None or len(self._asked.before.ids) < MOST_REMEMBERED

    # What is garbage:

    def _alive(self, found: list[Any]) -> list[Any]:
        """Without garbage, where that is known and enough is left."""
        unreachable = self._unreachable
        if unreachable is None:
            return found
        alive = [item for item in found if id(item) not in unreachable]
        return alive if len(alive) >= LEAST_NEW else found

    def _garbage(self, instances: list[Any]) -> int | None:
        unreachable = self._unreachable
        return None if unreachable is None else sum(id(item) in unreachable for item in instances)

    # Who holds them:

    def _candidates(
        self, climbed: Graph, examined: list[int], climb: Climb, *, new: int | None, alive: int,
        before: Mapping[int, int] | None, expiries: Expiries,
    ) -> list[dict[str, Any]]:  # fmt: skip
        asked = self._asked
        found = []
        for each in holding.candidates(climbed, examined, before, new=new):
            length = climbed.nodes[each.id].length or 0
            explains = holding.of_entries(each, length, new=new, instances=alive)
            bounded = holding.of_bounded(
                each, length, instances=alive - (asked.at_baseline or 0), complete=not climb.notes
            )
            one = self._holder(climbed, each.id, climb, grew=each.grew, explains=explains, bounded=bounded)
            lifetime = expiries.of(each.id)
            found.append({**one, "holds": each.holds, "of": each.of, "sure": each.sure, "lifetime": _plain(lifetime)})
        return found

    def _of_container(
        self, climbed: Graph, key: int, climb: Climb, before: Mapping[int, int] | None, expiries: Expiries
    ) -> tuple[dict[str, Any], Expiring | None]:
        length = introspection.length(climb.objects[key])
        grew = None if before is None or key not in before or length is None else length - before[key]
        blocks = None if self._asked.before is None else self._asked.before.blocks
        grows = growing_container.explains(grew or 0, None if blocks is None else self._blocks - blocks)
        # What is asked about is that it has more entries: a bound that is enforced explains it in any case.
        found = self._holder(climbed, key, climb, grew=grew, explains=grows, bounded=True)
        lifetime, expiring = expiries.of_suspect(key, grew=grows)
        return {**found, "holds": None, "of": None, "sure": grows, "lifetime": _plain(lifetime)}, expiring

    def _holder(
        self, climbed: Graph, key: int, climb: Climb, *, grew: int | None, explains: bool, bounded: bool = False
    ) -> dict[str, Any]:
        """``bounded``: whether a bound that is enforced explains the growth."""
        item = climb.objects[key]
        bound, lie = bound_of(key, climbed, climb.objects)
        if lie:
            self._notes.append(lie)
        if bound is not None:
            explained = bound.own and (explains or (bounded and bound.enforced))
            bound = dataclasses.replace(bound, explains=explained)
        weighed = self._weigher.weigh([item])
        most = nlargest(MOST_KEPT, weighed.types if weighed.complete else (), key=itemgetter(1))
        node, ways = climbed.nodes.get(key), climbed.ways(key)
        kind = type_name(type(item))
        return {
            "name": clean(graph.shortened(ways[0].elements if ways else ())) or (kind if node is None else node.label),
            "type": kind,
            "length": introspection.length(item) if node is None else node.length,
            "grew": grew,
            "bound": _plain(bound),
            "keeps": [{"type": clean(type_name(kind)), "count": count} for kind, count in most],
            "retained_kb": round(weighed.bytes / 1024, 1),
            "retained_is_lower_bound": not weighed.complete,
            "place": _plain(own_code.locate(key, climbed, climb.objects)),
        }


def _still(lengths: Mapping[int, tuple[str, int]], objects: Mapping[int, Any]) -> dict[int, int]:
    """Of those that are of the same type as at the first look: an address may have a new tenant."""
    of_type = {key: type_name(type(objects[key])) for key in lengths.keys() & objects.keys()}
    return {key: lengths[key][1] for key, kind in of_type.items() if lengths[key][0] == kind}


def _rooted(ways: Mapping[int, Sequence[Way]], *, all_garbage: bool) -> bool | None:
    if any(way.found for each in ways.values() for way in each):
        return True
    return False if all_garbage else None


def _plain(found: Any) -> dict[str, Any] | None:
    """JSON-ready."""
    return None if found is None else dataclasses.asdict(found)
