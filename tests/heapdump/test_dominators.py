"""Retained sizes are what a search without the object says; no graph is too deep or too strange."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwatch.heapdump.analysis.dominators import NOWHERE, dominator_tree
from memwatch.heapdump.analysis.graph import HeapGraph, Objects, References, Root, Type
from memwatch.heapdump.analysis.reaching import NOT_REACHED, reached_from, shortest_paths
from memwatch.heapdump.format import Root as RootKind
from tests.heapdump.graphs import Heap, dies_with, plain_graph, reached


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 40))
    node = st.integers(0, count - 1)
    pairs = st.tuples(node, node)
    density = draw(st.sampled_from([1, 2, 4]))
    edges = draw(st.lists(pairs, max_size=count * density))
    weak = draw(st.lists(pairs, max_size=5))
    roots = draw(st.lists(node, max_size=4))
    sizes = draw(st.lists(st.integers(0, 1000), min_size=count, max_size=count))
    return count, edges, weak, roots, sizes


@given(graphs())
@settings(max_examples=300)
def test_what_a_node_retains_is_what_no_root_reaches_without_it(made):
    count, edges, weak, roots, sizes = made
    graph = plain_graph(count, edges, roots, sizes, weak)
    tree = dominator_tree(graph)
    alive = reached(count, edges, roots)
    for node in range(count):
        lost = dies_with(count, edges, roots, node)
        assert tree.retained[node] == sum(sizes[each] for each in lost), node
        assert tree.retained_objects[node] == len(lost), node
        assert (tree.first[node] != NOWHERE) == (node in alive)
        if node in alive:
            start = tree.first[node]
            below = tree.order[start : start + tree.retained_objects[node]]
            assert set(below.tolist()) == lost
    assert tree.retained[graph.top] == sum(sizes[each] for each in alive)
    assert set(np.flatnonzero(tree.reached()).tolist()) == alive | {graph.top}


@given(graphs())
@settings(max_examples=100)
def test_the_children_of_a_node_are_what_it_dominates_nearest_the_largest_first(made):
    count, edges, weak, roots, sizes = made
    graph = plain_graph(count, edges, roots, sizes, weak)
    tree = dominator_tree(graph)
    for node in range(graph.nodes):
        children = tree.children(node).tolist()
        assert sorted(children) == [each for each in range(graph.nodes) if tree.dominators[each] == node]
        retained = [int(tree.retained[child]) for child in children]
        assert retained == sorted(retained, reverse=True)


@given(graphs())
@settings(max_examples=200)
def test_paths_are_the_shortest_and_use_no_weak_reference(made):
    count, edges, weak, roots, sizes = made
    graph = plain_graph(count, edges, roots, sizes, weak)
    paths = shortest_paths(graph)
    distances = dict.fromkeys(roots, 1)
    level = set(roots)
    while level:
        new = {target for source, target in edges if source in level} - set(distances)
        distances.update(dict.fromkeys(new, max(distances.values()) + 1))
        level = new
    for node in range(count):
        assert paths.depths[node] == distances.get(node, NOT_REACHED)
        if node in distances:
            parent, reference = int(paths.parents[node]), int(paths.references[node])
            assert graph.targets[reference] == node
            assert graph.offsets[parent] <= reference < graph.offsets[parent + 1]
            assert paths.depths[parent] == distances[node] - 1


def test_without_a_node_only_other_ways_count():
    edges = [(0, 1), (1, 2), (0, 3), (3, 2), (1, 4)]
    graph = plain_graph(5, edges, [0])
    without = np.zeros(graph.nodes, np.bool_)
    without[1] = True
    assert np.flatnonzero(reached_from(graph, [graph.top], without=without)).tolist() == [0, 2, 3, graph.top]


def test_no_roots_reach_nothing():
    graph = plain_graph(3, [(0, 1), (1, 2)], [])
    tree = dominator_tree(graph)
    assert not tree.retained.any()
    assert tree.children(graph.top).tolist() == []
    assert tree.children(0).tolist() == []


def test_a_heap_without_objects_is_a_heap():
    graph = Heap().graph()
    assert dominator_tree(graph).retained.tolist() == [0]
    assert shortest_paths(graph).depths.tolist() == [0]


@pytest.mark.parametrize("back", [False, True], ids=["chain", "chain with references back"])
def test_a_chain_of_a_million_objects_needs_no_recursion(back):
    count = 1_000_000
    graph = _chain(count, back=back)
    tree = dominator_tree(graph)
    assert tree.retained[[0, 1, 500_000, count - 1]].tolist() == [count, count - 1, 500_000, 1]
    assert shortest_paths(graph).depths[count - 1] == count


def test_many_references_to_one_object_and_to_itself():
    count = 200_001
    sources = np.arange(count)
    graph = _graph(
        count, np.concatenate([np.zeros(count, int), sources]), np.concatenate([sources, np.zeros(count, int)])
    )
    tree = dominator_tree(graph)
    assert tree.retained[0] == count
    assert tree.retained[1:count].tolist() == [1] * (count - 1)


def test_a_ladder_needs_no_quadratic_time():
    """Two chains with rungs both ways: each node's dominator is far above it."""
    count = 100_000
    left, right = np.arange(0, 2 * count, 2), np.arange(1, 2 * count, 2)
    sources = np.concatenate([[0], left[:-1], right[:-1], left, right])
    targets = np.concatenate([[1], left[1:], right[1:], right, left])
    tree = dominator_tree(_graph(2 * count, sources, targets))
    assert tree.retained[0] == 2 * count
    assert tree.dominators[2 : 2 * count].max() == 0


def _chain(count: int, *, back: bool) -> HeapGraph:
    nodes = np.arange(count - 1)
    sources, targets = nodes, nodes + 1
    if back:
        sources, targets = np.concatenate([sources, targets]), np.concatenate([targets, sources])
    return _graph(count, sources, targets)


def _graph(count: int, sources: np.ndarray, targets: np.ndarray) -> HeapGraph:
    return HeapGraph(
        types=[Type(name="shop.Thing", module="shop")],
        objects=Objects(types=np.zeros(count, int), sizes=np.ones(count, int)),
        references=References(
            sources=sources,
            targets=targets,
            kinds=np.zeros(len(sources), int),
            names=np.full(len(sources), -1),
        ),
        roots=[Root(target=0, kind=RootKind.INTERPRETER, name="test")],
    )
