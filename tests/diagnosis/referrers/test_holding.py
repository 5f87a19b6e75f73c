"""The container that grew, from what two looks have measured."""

from __future__ import annotations

import pytest

from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.referrers.holding import candidates, growth_inside
from memwatch.diagnosis.referrers.nodes import Link, Node
from memwatch.heapdump.format import Edge

DICT, LISTS, INSTANCES = 1, (2, 3, 4), range(100, 130)


@pytest.mark.parametrize("not_met_before", [(), (4,), (3, 4)])
def test_a_list_that_the_first_look_did_not_meet_grows_as_the_others_do(not_met_before: tuple[int, ...]) -> None:
    graph = Graph("shop.Quote")
    links = tuple(Link(child, Edge.VALUE) for child in LISTS)
    graph.add(Node(DICT, "dict", "dict", length=3, links=links))
    for place, each in enumerate(LISTS):
        links = tuple(Link(child, Edge.INDEX) for child in INSTANCES[place::3])
        graph.add(Node(each, "list", "list", length=110, links=links))
    before = {DICT: 3} | {each: 100 for each in LISTS if each not in not_met_before}
    likeliest, *_ = candidates(graph, list(INSTANCES), before, new=30)
    assert (likeliest.id, likeliest.grew, likeliest.sure) == (DICT, 30, True)


def test_what_is_as_long_and_grew_as_much_has_the_same_entries() -> None:
    """As the dict of an ``lru_cache``, which is beside its entries."""
    graph = Graph("shop.Quote")
    graph.add(Node(DICT, "lru_cache", "lru_cache", length=110, links=(Link(2, Edge.OTHER, "cache"),)))
    graph.add(Node(2, "dict", "dict", length=110, links=tuple(Link(child, Edge.KEY) for child in INSTANCES)))
    assert growth_inside(graph, {DICT: 30, 2: 30}, {DICT: 80, 2: 80})[DICT] == 0
    assert growth_inside(graph, {DICT: 30, 2: 30}, {DICT: 109, 2: 80})[DICT] == 30
