"""Which container holds the new objects, and how sure that is. Values only: nothing here touches the heap.

The holder is the container nearest to the objects at which the ways of most of them meet, and that has grown between
two looks. What was as long before, a constant of a library say, is never named as a fact.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from memwatch.diagnosis.referrers.graph import Graph

MOST_CANDIDATES = 4
_WORTH_NAMING = 0.2
"""Least share of the examined objects that a candidate holds."""
SURE = 0.8
MOST_WAYS = 0.5
MOST_EACH = 10
"""Objects in an entry of a bounded container, at most: with more, the entries may grow."""
_AS_MANY = 1.5
"""Objects for each new entry, to those for each of all."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A container at which ways meet."""

    id: int
    holds: int
    """How many of the examined objects it holds."""
    of: int
    steps: float
    """Mean number of steps from it down to them."""
    grew: int | None
    """By so many entries between the looks, its own or those of what it holds; ``None`` where not measured."""
    inside: int = 0
    """By so many did what it holds grow."""
    sure: bool = False

    @property
    def share(self) -> float:
        """Share of the examined objects."""
        return self.holds / self.of


def candidates(
    graph: Graph, examined: Sequence[int], before: Mapping[int, int] | None, *, new: int | None
) -> list[Candidate]:
    """The likeliest first. ``before``: entries by id at the first look; ``new``: objects that came since."""
    held: Counter[int] = Counter()
    steps: defaultdict[int, int] = defaultdict(int)
    for instance in examined:
        for key, distance in graph.above(instance).items():
            held[key] += 1
            steps[key] += distance
    inner = growth_inside(graph, held, before)
    found = []
    for key, holds in held.items():
        node = graph.nodes[key]
        if node.length is None or node.root is not None:
            continue
        grew = _growth(key, graph, before)
        if grew == 0:  # a dict of lists, say: what it holds grows
            grew = inner.get(key, 0)
        if graph.is_namespace(key) and not (grew or 0) > 0:
            continue
        if node.length > 1 and (holds > 1 or len(examined) == 1):
            found.append(
                Candidate(
                    id=key, holds=holds, of=len(examined), steps=steps[key] / holds, grew=grew, inside=inner.get(key, 0)
                )
            )
    found = [each for each in found if each.share >= _WORTH_NAMING] or found
    found.sort(key=lambda each: _rank(each, graph, new))
    chosen = found[:1]
    for each in found[1:]:  # beside the likeliest: what is not merely further up the same way
        if len(chosen) < MOST_CANDIDATES and not any(each.id in graph.above(other.id) for other in chosen):
            chosen.append(each)
    return [dataclasses.replace(each, sure=_is_sure(each, new)) for each in chosen]


def growth_inside(graph: Graph, held: Mapping[int, int], before: Mapping[int, int] | None) -> dict[int, int]:
    """By how many entries what a container holds has grown.

    A part that the first look did not meet is taken to grow as the others do, by its share of the examined objects. One
    that is as long as the container itself, and grew as much, has the same entries: it is how the container finds them.
    """
    grew: Counter[int] = Counter()
    measured: Counter[int] = Counter()
    all_held: Counter[int] = Counter()
    for key, holds in held.items():
        if graph.nodes[key].length is None:
            continue
        growth = _growth(key, graph, before)
        for parent in {parent for parent, _edge in graph.parents(key)}:
            all_held[parent] += holds
            if growth is not None and _is_index(key, parent, graph, before):
                measured[parent] += holds
            elif growth is not None:
                grew[parent] += max(0, growth)
                measured[parent] += holds
    return {parent: round(grew[parent] * all_held[parent] / measured[parent]) for parent in measured}


def _is_index(key: int, parent: int, graph: Graph, before: Mapping[int, int] | None) -> bool:
    is_as_long = graph.nodes[parent].length == graph.nodes[key].length
    return is_as_long and _growth(parent, graph, before) == _growth(key, graph, before)


def _growth(key: int, graph: Graph, before: Mapping[int, int] | None) -> int | None:
    """By so many entries; ``None`` where they were not counted twice."""
    length = graph.nodes[key].length
    return None if before is None or key not in before or length is None else length - before[key]


def of_entries(each: Candidate, entries: int, *, new: int | None, instances: int) -> bool:
    """Whether it grows by entries alone: a new one holds no more of the objects than one of before."""
    grew = each.grew or 0
    if each.inside or grew <= 0 or not new or each.share < SURE:
        return False
    return each.share * new / grew <= _AS_MANY * max(1.0, instances / max(entries, 1))


def of_bounded(each: Candidate, entries: int, *, instances: int, complete: bool = True) -> bool:
    """Whether a container that keeps to its bound holds nearly all of them, a few in each entry.

    It only fills, or replaces its entries. Where the entries themselves grow, there are soon more in each. Where the
    climb was not ``complete``, it may not have met all ways: then most of them are enough.
    """
    least = SURE if complete else MOST_WAYS
    return not each.inside and each.share >= least and instances <= MOST_EACH * entries


def of_expiring(holds: int, of: int, entries: int, *, inside: int, instances: int) -> bool:
    """Whether what a container holds comes and goes with its entries: a few objects in each, and these do not grow."""
    return not inside and holds / of * instances <= MOST_EACH * entries


def _rank(each: Candidate, graph: Graph, new: int | None) -> tuple[bool, bool, int, float, int]:
    grows = _keeps_up(each, new)
    return (not grows, each.share < 0.5, -round(each.share * 10), each.steps, -(graph.nodes[each.id].length or 0))


def _keeps_up(each: Candidate, new: int | None) -> bool:
    """Whether its growth may account for the objects that it holds of those that came."""
    return bool(new) and (each.grew or 0) > 0 and (each.grew or 0) >= 0.3 * each.share * (new or 0)


def _is_sure(each: Candidate, new: int | None) -> bool:
    return each.share >= SURE and _keeps_up(each, new)
