"""Chrome's format: valid for a parser that is not ours, which finds the same retained sizes."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest

from memwatch.heapdump.analysis.dominators import dominator_tree
from memwatch.heapdump.export.heapsnapshot import EDGE_TYPES, NODE_TYPES, write_heapsnapshot
from memwatch.heapdump.format import Edge, Family
from tests.heapdump.graphs import Heap, plain_graph
from tests.heapdump.planted import PLANTED, Planted
from tests.servers import node_with_memlab


def written(graph):
    file = io.StringIO()
    write_heapsnapshot(graph, file)
    return file.getvalue()


def rows(snapshot, name):
    width = len(snapshot["snapshot"]["meta"][f"{name[:-1]}_fields"])
    values = snapshot[name]
    assert len(values) % width == 0
    return [values[start : start + width] for start in range(0, len(values), width)]


def test_nodes_and_edges_fit_each_other():
    planted = Planted()
    PLANTED["two_holders"][0](planted)
    graph = planted.graph()
    snapshot = json.loads(written(graph))
    nodes, edges = rows(snapshot, "nodes"), rows(snapshot, "edges")
    assert (len(nodes), len(edges)) == (snapshot["snapshot"]["node_count"], snapshot["snapshot"]["edge_count"])
    assert sum(node[4] for node in nodes) == len(edges)
    width = len(nodes[0])
    assert all(edge[2] % width == 0 and edge[2] // width < len(nodes) for edge in edges)
    assert all(node[1] < len(snapshot["strings"]) and node[0] < len(NODE_TYPES) for node in nodes)
    assert len({node[2] for node in nodes}) == len(nodes)
    assert sum(node[3] for node in nodes) == graph.sizes.sum() - 2 * 72  # no root reaches the module objects


def test_the_root_is_first_and_refers_to_the_roots():
    planted = Planted()
    PLANTED["list_of_a_module"][0](planted)
    snapshot = json.loads(written(planted.graph()))
    nodes, edges, strings = rows(snapshot, "nodes"), rows(snapshot, "edges"), snapshot["strings"]
    assert strings[nodes[0][1]] == "(all roots)"
    width = len(nodes[0])
    held = [strings[nodes[edge[2] // width][1]] for edge in edges[: nodes[0][4]]]
    assert held == ["dict of module shop.leaks", "dict of module framework.core"]


def test_references_have_their_names_and_items_their_places():
    heap = Heap()
    namespace = heap.module("shop.leaks", "/srv/shop/leaks.py")
    container = heap.add("list", family=Family.LIST)
    heap.refer(namespace, container, Edge.GLOBAL, "QUOTES")
    for _ in range(3):
        heap.refer(container, heap.add("shop.leaks.Quote"), Edge.INDEX)
    weak = heap.add("weakref.ReferenceType")
    heap.refer(namespace, weak, Edge.GLOBAL, "WEAK")
    heap.refer(weak, container, Edge.WEAK)
    snapshot = json.loads(written(heap.graph()))
    strings = snapshot["strings"]
    found = [
        (EDGE_TYPES[kind], name if EDGE_TYPES[kind] == "element" else strings[name])
        for kind, name, _to in rows(snapshot, "edges")[1:]
    ]
    assert [each for each in found if each[0] == "element"] == [("element", 0), ("element", 1), ("element", 2)]
    assert [each for each in found if each[0] == "property"] == [("property", "QUOTES"), ("property", "WEAK")]
    assert ("weak", "weak reference") in found


def test_hostile_names_are_texts():
    heap = Heap()
    heap.refer(heap.module('a"],"b</script>\x00\n\u2028'), heap.add("x\ud800.Ünï"), Edge.GLOBAL, '"\\')
    snapshot = json.loads(written(heap.graph()))
    assert 'dict of module a"],"b</script>\x00\n\u2028' in snapshot["strings"]
    assert "x\ud800.Ünï" in snapshot["strings"]
    assert '"\\' in snapshot["strings"]


def test_every_number_fits_into_32_bits_and_an_address_keeps_its_id():
    heap = Heap()
    namespace = heap.module("shop.leaks", "/srv/shop/leaks.py")
    for _ in range(50_000):
        heap.refer(namespace, heap.add("shop.leaks.Huge", 2**40), Edge.ATTRIBUTE, "x")
    snapshots = []
    for _ in range(2):
        snapshots.append(json.loads(written(heap.graph())))
        heap.refer(namespace, heap.add("shop.leaks.New"), Edge.ATTRIBUTE, "x")
    before, after = ([row[2] for row in rows(snapshot, "nodes")] for snapshot in snapshots)
    assert max(map(max, rows(snapshots[0], "nodes"))) < 2**32
    assert len(set(before)) == len(before)
    assert len(set(before) - set(after)) < 5  # those that met another one's number
    assert all(id_ % 2 for id_ in before)


def test_a_heap_without_objects_is_a_snapshot():
    snapshot = json.loads(written(plain_graph(2, [(0, 1)], [])))
    assert (snapshot["snapshot"]["node_count"], snapshot["snapshot"]["edge_count"]) == (1, 0)


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_memlab_reads_it_and_finds_the_same_retained_sizes(name, tmp_path):
    program = node_with_memlab()
    planted = Planted()
    PLANTED[name][0](planted)
    graph = planted.graph()
    path = tmp_path / "test.heapsnapshot"
    path.write_text(written(graph))
    script = Path(__file__).with_name("retained_by_memlab.cjs")
    done = subprocess.run([program, script, path], capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    tree = dominator_tree(graph)
    reached = [node for node in range(graph.objects) if tree.reached()[node]]
    ids = [row[2] for row in rows(json.loads(path.read_text()), "nodes")][1:]
    assert len(found["nodes"]) == len(reached) + 1
    for node, id_ in zip(reached, ids, strict=True):
        assert found["nodes"][str(id_)][2:] == [graph.sizes[node], tree.retained[node]], node
