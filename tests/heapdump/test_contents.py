"""Duplicates, containers, what only frames or caches hold, garbage, totals: what is right to say of small heaps."""

from __future__ import annotations

import json
import sys
from collections import deque

import numpy as np
import pytest

from memwatch.heapdump import results
from memwatch.heapdump.analysis.graph import HeapGraph, Label, Objects, References, Type
from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.loading import load
from memwatch.heapdump.analysis.result import analysis_of
from memwatch.heapdump.format import Edge, Family, HeapDumpError
from memwatch.heapdump.format import Root as RootKind
from tests.heapdump import graphs
from tests.heapdump.planted import OWN_FILE, PLANTED, Planted


def module(heap=None):
    heap = heap or graphs.Heap()
    return heap, heap.module("shop.leaks", OWN_FILE)


def add_list(heap, owner, name="THINGS"):
    container = heap.add("list", 56, family=Family.LIST)
    heap.refer(owner, container, Edge.GLOBAL, name)
    return container


def test_equal_texts_would_save_all_but_one():
    heap, owner = module()
    container = add_list(heap, owner)
    for hash_, count, size, length in ((7, 5, 60, 11), (8, 1, 500, 451), (9, 2, 50, 1), (0, 3, 1000, 951)):
        for _ in range(count):
            heap.refer(container, heap.add("str", size, family=Family.STR, hash_=hash_, length=length), Edge.INDEX)
    for _ in range(2):
        heap.refer(container, heap.add("bytes", 60, family=Family.BYTES, hash_=7, length=11), Edge.INDEX)
    found = Heap(heap.graph()).duplicates()
    assert found["saved"] == 4 * 60 + 50 + 60
    assert [(row["type"], row["length"], row["count"], row["saved"]) for row in found["groups"]] == [
        ("str", 11, 5, 240),
        ("bytes", 11, 2, 60),
        ("str", 1, 2, 50),
    ]
    assert {row["holder"] for row in found["groups"]} == {"shop.leaks.THINGS"}
    assert [(row["type"], row["count"], row["distinct"]) for row in found["types"]] == [("str", 8, 3), ("bytes", 2, 1)]


CONTAINERS = {
    "list": (Family.LIST, [], [None] * 1000, lambda: [None] * 1000),
    "dict": (Family.DICT, {}, dict.fromkeys(range(1000)), lambda: dict.fromkeys(range(1000))),
    "set": (Family.SET, set(), set(range(1000)), lambda: set(range(1000))),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_as_python_makes_it_is_not_over_allocated(name):
    family, empty, full, make = CONTAINERS[name]
    heap, owner = module()
    for each in (empty, full, make()):
        node = heap.add(name, sys.getsizeof(each), family=family, length=len(each))
        heap.refer(owner, node, Edge.GLOBAL, "a")
    found = Heap(heap.graph()).containers()
    assert [(row["type"], row["count"]) for row in found["empty"]] == [(name, 1)]
    assert found["over_allocated"] == []


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_that_was_much_larger_is_over_allocated(name):
    family, _empty, full, make = CONTAINERS[name]
    shrunk = make()
    size = sys.getsizeof(full)
    heap, owner = module()
    node = heap.add(name, size, family=family, length=len(shrunk) // 10)
    heap.refer(owner, node, Edge.GLOBAL, "a")
    (row,) = Heap(heap.graph()).containers()["over_allocated"]
    assert row["type"] == name
    assert 0.5 * size < row["bytes"] < size


def test_lengths_that_are_not_known_say_nothing():
    heap, owner = module()
    heap.refer(owner, heap.add("list", 10**6, family=Family.LIST), Edge.GLOBAL, "a")
    heap.refer(
        owner, heap.add("collections.deque", sys.getsizeof(deque()), family=Family.DEQUE, length=0), Edge.GLOBAL, "b"
    )
    found = Heap(heap.graph()).containers()
    assert found["over_allocated"] == []
    assert [row["type"] for row in found["empty"]] == ["collections.deque"]


def test_slots_would_save_the_dict_without_its_values():
    heap, owner = module()
    for _ in range(3):
        instance = heap.add("shop.leaks.Quote", 48)
        attributes = heap.add("dict", 184, family=Family.DICT, length=2)
        heap.refer(owner, instance, Edge.GLOBAL, "a")
        heap.refer(instance, attributes, Edge.DICT)
    rows = Heap(heap.graph()).containers()["instance_dicts"]
    assert rows == [{"type": "shop.leaks.Quote", "count": 3, "bytes": 3 * 184, "saved": 3 * (184 - 16)}]


@pytest.mark.parametrize(
    ("leak", "group"),
    [
        ("variable_of_a_running_function", "frames"),
        ("exception_that_is_kept", "tracebacks"),
        ("variable_of_a_closure", "closures"),
        ("generator_that_has_not_ended", "generators"),
        ("cache_of_a_function", "caches"),
    ],
)
def test_what_only_a_frame_a_traceback_a_closure_a_generator_or_a_cache_holds(leak, group):
    planted = Planted()
    PLANTED[leak][0](planted)
    heap = Heap(planted.graph())
    truth = PLANTED[leak][1]
    held = heap.held()["only_by"]
    assert held[group]["bytes"] >= truth.retained
    assert held[group]["holders"] == 1
    others = {name for name, row in held.items() if row["bytes"]} - {group}
    assert others <= {"frames"}  # a traceback holds a frame


def test_what_something_else_holds_too_is_not_only_held_by_a_frame():
    heap, owner = module()
    frame = heap.add("frame", family=Family.FRAME)
    heap.root(frame, RootKind.FRAME, "work")
    shared = heap.add("shop.leaks.Quote", 1000)
    heap.refer(frame, shared, Edge.LOCAL, "quote")
    heap.refer(owner, shared, Edge.GLOBAL, "QUOTE")
    assert Heap(heap.graph()).held()["only_by"]["frames"] == {"holders": 1, "bytes": 100, "objects": 1}


def test_caches_are_named_by_their_function():
    heap, owner = module()
    for name, size in (("shop.leaks.small", 10), ("shop.leaks.large", 5000)):
        cache = heap.add("functools._lru_cache_wrapper", 100, family=Family.LRU_CACHE)
        heap.labels[cache] = Label(name, OWN_FILE, 3)
        heap.refer(owner, cache, Edge.GLOBAL, name.rpartition(".")[2])
        heap.refer(cache, heap.add("bytes", size, family=Family.BYTES), Edge.OTHER)
    rows = Heap(heap.graph()).held()["caches"]
    assert [(row["function"], row["retained"]) for row in rows] == [
        ("shop.leaks.large", 5100),
        ("shop.leaks.small", 110),
    ]


def test_garbage_is_what_no_root_reaches_and_its_cycles_are_told_from_what_hangs_on_them(tmp_path):
    heap, owner = module()
    heap.refer(owner, heap.add("shop.leaks.Alive", references=1), Edge.GLOBAL, "a")
    before, one, other, after = (
        heap.add(f"shop.leaks.{name}", 10, references=1) for name in ("Before", "A", "A", "After")
    )
    heap._rows[before] = (*heap._rows[before][:4], 0)
    heap._rows[one] = (*heap._rows[one][:4], 2)
    for source, target in ((before, one), (one, other), (other, one), (other, after)):
        heap.refer(source, target, Edge.ATTRIBUTE, "x")
    # The module object: known by its name alone, held by C code.
    found = Heap(load(heap.write(tmp_path / "garbage.heap"))).held()["garbage"]
    assert (found["count"], found["bytes"]) == (4, 40)
    assert [(row["type"], row["count"]) for row in found["in_cycles"]] == [("shop.leaks.A", 2)]


def test_more_references_than_edges_mean_that_c_code_holds_it(tmp_path):
    heap, _owner = module()
    held = heap.add("shop.leaks.Held", 10, references=2)
    below = heap.add("shop.leaks.Below", 10, references=1)
    heap.refer(held, below)
    heap.refer(below, held)
    graph = load(heap.write(tmp_path / "held.heap"))
    assert graph.roots[held].label == "C code"
    assert below not in graph.roots
    assert Heap(graph).held()["garbage"]["count"] == 0


def test_totals_count_each_byte_once():
    heap, owner = module()
    outer = heap.add("shop.leaks.Node", 100)
    heap.refer(owner, outer, Edge.GLOBAL, "FIRST")
    for _ in range(9):
        inner = heap.add("shop.leaks.Node", 100)
        heap.refer(outer, inner, Edge.ATTRIBUTE, "next")
        outer = inner
    opened = Heap(heap.graph())
    (row,) = opened.types(search="NODE")
    assert (row["count"], row["size"], row["retained"]) == (10, 1000, 1000)
    assert opened.modules()[0]["name"] in ("builtins", "shop.leaks")
    assert {"shop", "builtins"} == {row["name"] for row in opened.packages()}
    (root,) = (row for row in opened.roots() if row["name"] == "module shop.leaks")
    assert root["retained"] == 232 + 1000


def test_the_kept_analysis_answers_what_the_heap_answers(tmp_path):
    planted = Planted()
    PLANTED["attribute_of_an_instance"][0](planted)
    path = planted.write(tmp_path / "test.heap", pid=4711, host="node-2", service="web")
    heap, kept = Heap(load(path)), analysis_of(Heap.open(path))
    assert results.types(kept, "quote") == heap.types("quote")
    assert results.paths(kept, "shop.leaks.Quote") == heap.paths_of("shop.leaks.Quote")
    assert results.paths(kept, "shop.leaks.NoSuch") is None
    top = results.dominators(kept)
    assert [row["node"] for row in top["children"]] == [row["node"] for row in heap.dominators()["children"]]
    trail = next(row for row in top["children"] if row["label"] == "dict of module shop.leaks")
    below = results.dominators(kept, trail["node"])
    assert below["children"][0]["type"] == "shop.leaks.AuditTrail"
    assert [row["label"] for row in below["above"]] == ["all roots"]
    assert results.dominators(kept, 10**9) is None


def test_an_analysis_is_plain_json():
    for build, _truth in list(PLANTED.values())[:5]:
        planted = Planted()
        build(planted)
        result = analysis_of(Heap(planted.graph()))
        assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("node", [-1, 10**9])
def test_a_node_that_does_not_exist_is_refused(node):
    heap = Heap(graphs.plain_graph(1, [], [0]))
    with pytest.raises(HeapDumpError, match="node: "):
        heap.dominators(node)


def test_a_type_that_does_not_exist_is_refused():
    with pytest.raises(HeapDumpError, match=r"no object of the type 'a\.B'"):
        Heap(graphs.plain_graph(1, [], [0])).paths_of("a.B")


@pytest.mark.parametrize("column", ["sources", "targets", "kinds", "names"])
@pytest.mark.parametrize("value", [-2, 10**6])
def test_references_that_lead_outside_are_refused(column, value):
    columns = {name: np.zeros(1, np.int64) for name in ("sources", "targets", "kinds", "names")}
    columns[column] = np.array([value])
    with pytest.raises(HeapDumpError, match=f"{column} of edges"):
        HeapGraph(
            types=[Type(name="a")],
            objects=Objects(types=np.zeros(2, int), sizes=np.ones(2, int)),
            references=References(**columns),
            texts=["a"],
        )


def test_every_cut_of_a_file_is_an_error_with_a_sentence(tmp_path):
    planted = Planted()
    PLANTED["list_of_a_module"][0](planted)
    content = planted.write(tmp_path / "whole.heap").read_bytes()
    cut = tmp_path / "cut.heap"
    for end in range(0, len(content), 97):
        cut.write_bytes(content[:end])
        with pytest.raises(HeapDumpError):
            load(cut)
    cut.write_bytes(content + b"x")
    with pytest.raises(HeapDumpError):
        load(cut)
