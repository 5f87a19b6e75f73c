"""What refers to a type, answered in a copy of the process: the instances, the climb, the holder, its place in code.

Everything here may hold what it likes, since the copy ends with it. It reads through the type slots alone all the same:
no line of the host's code runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
from array import array
from collections.abc import Mapping, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any

from memwatch.diagnosis import own_code
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap.retained import Weigher
from memwatch.diagnosis.referrers import graph, holding
from memwatch.diagnosis.referrers.climb import Climb
from memwatch.diagnosis.referrers.graph import Graph, Way
from memwatch.diagnosis.referrers.subjects import container_of, counted, evenly, instances_of
from memwatch.diagnosis.results import Expiring
from memwatch.diagnosis.structure.bounds import bound_of
from memwatch.diagnosis.structure.expiring import Expiries
from memwatch.diagnosis.structure.garbage import OutOfTime, Unreachable
from memwatch.records import BigContainer
from memwatch.sampling.type_names import clean, type_name

MOST_REMEMBERED = 1_000_000
"""Instances whose addresses are kept from one look to the next."""
MOST_KEPT = 50
"""Types of what a holder keeps alive that are named."""
LEAST_NEW = 3
"""Objects that came between two looks, from which these are what is traced."""
DEPTH = 16
"""Levels to climb, unless fewer are asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one look leaves for the next: where the instances were, and how long the containers above them."""

    count: int
    ids: array[int]
    lengths: Mapping[int, tuple[str, int]]
    """Type and entries by id."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of one look."""

    type: str
    samples: int
    """Instances that are traced."""
    depth: int = DEPTH
    values: int = 0
    """Instances whose values are shown."""
    at_baseline: int | None = None
    """Instances at the agent's baseline."""
    container: BigContainer | None = None
    """In place of a type's instances: the container with this id, or this name."""
    before: Look | None = None
    count_garbage: bool = True
    """Whether the copy may come to own all pages of the heap, as it does where it counts every reference."""
    only_remember: bool = False
    """The first of two looks: what it leaves is wanted, no more."""


def first_of_two(question: Question) -> Question:
    """It leaves what the second compares with; the youngest objects are traced."""
    return dataclasses.replace(question, only_remember=True, values=0)


def second_of_two(question: Question, before: Look) -> Question:
    """It answers."""
    return dataclasses.replace(question, before=before)


def answer(question: Question, handled: Mapping[str, int]) -> bytes:
    """One line of JSON, then the instances' addresses, eight bytes each. Raises :class:`Refused`.

    ``handled``: the calls of each kind that the process has handled by now.
    """
    found, ids = _Search(question).answer()
    found["handled"] = dict(handled)
    return json.dumps(found, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" + ids.tobytes()


def parse(content: bytes) -> tuple[dict[str, Any], Look]:
    """The same, back in the process."""
    line, _, rest = content.partition(b"\n")
    found = json.loads(line)
    ids = array("Q")
    ids.frombytes(rest)
    lengths = {int(key): (str(kind), int(length)) for key, kind, length in found.pop("lengths")}
    return found, Look(count=int(found["instances"]), ids=ids, lengths=lengths)


class _Search:
    def __init__(self, question: Question) -> None:
        self._asked = question
        self._notes: list[str] = []
        self._frozen: frozenset[int] = frozenset()
        self._unreachable: Unreachable | None = None
        self._weigher = Weigher()

    def answer(self) -> tuple[dict[str, Any], array[int]]:
        asked = self._asked
        # Before there are references of our own.
        if asked.count_garbage and not asked.only_remember and asked.container is None:
            self._look_for_garbage()
        if count := gc.get_freeze_count():
            gc.unfreeze()  # of the copy: the lists then have them too, as the last of the oldest
            self._frozen = frozenset(map(id, gc.get_objects(2)[-count:]))
        instances = self._instances()
        ids = array("Q", map(id, instances[-MOST_REMEMBERED:]))
        sample, new, of = self._sample(instances)
        climbed = Graph(asked.type if asked.container is None else introspection.described(sample[0]))
        climb = Climb(climbed)
        climb.disown(instances, sample)
        climb.up(sample, asked.depth)
        found: dict[str, Any] = {"instances": len(instances)}
        found["lengths"] = [
            (key, node.type, node.length) for key, node in climbed.nodes.items() if node.length is not None
        ]
        if asked.container is not None:
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
        before = None if asked.before is None else self._lengths_before(climbed, asked.before)
        expiries = Expiries(climbed, climb.objects, examined, before, instances=alive)
        if asked.container is None:
            found["candidates"] = self._candidates(
                climbed, examined, climb, new=new, alive=alive, before=before, expiries=expiries
            )
            expiring = expiries.all_together()
        else:
            one, expiring = self._of_container(climbed, examined[0], climb, asked.before, expiries)
            found["candidates"] = [one]
        found["expiring"] = None if expiring is None else expiring.to_dict()
        found["notes"] = self._notes + climb.notes
        found["garbage"] = garbage
        found["frozen"] = sum(id(item) in self._frozen for item in instances)
        found["rooted"] = _rooted(ways, all_garbage=garbage == len(instances))
        if asked.values:
            chosen = sample[:: max(1, len(sample) // asked.values)][: asked.values]
            found["samples"] = [introspection.own_values(item, asked.type) for item in chosen]
        return found, ids

    # Which objects:

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
        return self._by_age(others)

    def _by_age(self, found: list[Any]) -> list[Any]:
        """The collector's lists come the youngest first, each with its oldest first, frozen objects last of all."""
        ages = dict.fromkeys(self._frozen, 0)
        for age, generation in ((3, 0), (2, 1)):
            ages.update(dict.fromkeys(map(id, gc.get_objects(generation)), age))
        return sorted(found, key=lambda item: ages.get(id(item), 1))

    def _sample(self, instances: list[Any]) -> tuple[list[Any], int | None, int]:
        """Those to trace; how many came since the first look; of how many they are a sample."""
        asked = self._asked
        new: list[Any] | None = None
        if asked.before is not None and asked.container is None:
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
        if since >= LEAST_NEW and asked.container is None:
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

    # What is garbage:

    def _look_for_garbage(self) -> None:
        with contextlib.suppress(OutOfTime):
            self._unreachable = Unreachable()

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
            node = climbed.nodes[each.id]
            ways = climbed.ways(each.id)
            elements = ways[0].elements if ways else ()
            found.append(
                {
                    "name": clean(graph.ARROW.join(elements)) or node.label,
                    "type": node.type,
                    "length": node.length,
                    "holds": each.holds,
                    "of": each.of,
                    "grew": each.grew,
                    "sure": each.sure,
                    "bound": self._bound(
                        climb,
                        climbed,
                        each.id,
                        explains=holding.of_entries(each, node.length or 0, new=new, instances=alive),
                        bounded=holding.of_bounded(
                            each, node.length or 0, instances=alive - (asked.at_baseline or 0), complete=not climb.notes
                        ),
                    ),
                    "lifetime": None if (lifetime := expiries.of(each.id)) is None else lifetime.to_dict(),
                    **self._size_and_place(climb, climbed, each.id),
                }
            )
        return found

    def _of_container(
        self, climbed: Graph, key: int, climb: Climb, before: Look | None, expiries: Expiries
    ) -> tuple[dict[str, Any], Expiring | None]:
        item = climb.objects[key]
        kind, length = type_name(type(item)), introspection.length(item)
        was = (before.lengths if before is not None else {}).get(key)
        grew = length - was[1] if was is not None and was[0] == kind and length is not None else None
        ways = climbed.ways(key)
        name = graph.ARROW.join(ways[0].elements) if ways else kind
        found: dict[str, Any] = {
            "name": clean(name),
            "type": kind,
            "length": length,
            "holds": None,
            "of": None,
            "grew": grew,
        }
        found["bound"] = self._bound(climb, climbed, key, explains=(grew or 0) > 0)
        lifetime, expiring = expiries.of_suspect(key, grew=(grew or 0) > 0)
        found["lifetime"] = None if lifetime is None else lifetime.to_dict()
        return {**found, "sure": (grew or 0) > 0, **self._size_and_place(climb, climbed, key)}, expiring

    def _bound(
        self, climb: Climb, climbed: Graph, key: int, *, explains: bool, bounded: bool = False
    ) -> dict[str, Any] | None:
        """``bounded``: whether a bound that is enforced explains the growth."""
        bound, lie = bound_of(key, climbed, climb.objects)
        if lie:
            self._notes.append(lie)
        if bound is None:
            return None
        return {**bound.to_dict(), "explains": bound.own and (explains or (bounded and bound.enforced))}

    def _size_and_place(self, climb: Climb, climbed: Graph, key: int) -> dict[str, Any]:
        place = own_code.locate(key, climbed, climb.objects)
        weighed = self._weigher.weigh([climb.objects[key]])
        most = nlargest(MOST_KEPT, weighed.types if weighed.complete else (), key=itemgetter(1))
        return {
            "keeps": [{"type": clean(type_name(kind)), "count": count} for kind, count in most],
            "retained_kb": round(weighed.bytes / 1024, 1),
            "retained_is_lower_bound": not weighed.complete,
            "place": None if place is None else place.to_dict(),
        }

    @staticmethod
    def _lengths_before(climbed: Graph, before: Look) -> dict[int, int]:
        """Entries at the first look, of those that are of the same type still: an address may have a new tenant."""
        return {
            key: length
            for key, (kind, length) in before.lengths.items()
            if key in climbed.nodes and climbed.nodes[key].type == kind
        }


def _rooted(ways: Mapping[int, Sequence[Way]], *, all_garbage: bool) -> bool | None:
    if any(way.found for each in ways.values() for way in each):
        return True
    return False if all_garbage else None
