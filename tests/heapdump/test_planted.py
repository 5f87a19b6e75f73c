"""For each planted leak: the holder, the dominator, the path and the bytes."""

from __future__ import annotations

import pytest

from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.loading import load
from memwatch.heapdump.analysis.result import analysis_of
from tests.heapdump.planted import COUNT, EACH, PLANTED, Planted


@pytest.fixture(params=sorted(PLANTED))
def leak(request, tmp_path):
    build, truth = PLANTED[request.param]
    planted = Planted()
    build(planted)
    # Through the file, as a dump comes.
    return planted, Heap(load(planted.write(tmp_path / "test.heap"))), truth


def test_the_path_names_the_holder_and_what_would_be_free(leak):
    _planted, heap, truth = leak
    groups = heap.groups_of("shop.leaks.Quote")
    assert len(groups) == truth.groups
    first = groups[0]
    assert (first.holder, first.own) == (truth.holder, truth.own)
    assert (first.count, first.retained) == (truth.count, truth.retained)
    if truth.vias:
        assert tuple(step.via for step in first.steps) == truth.vias
    assert heap.paths_of("shop.leaks.Quote")["freed"] >= COUNT * EACH


DOMINATED = sorted(name for name, (_build, truth) in PLANTED.items() if truth.dominator)
"""In the others each object is dominated by another one."""


@pytest.mark.parametrize("leak", DOMINATED, indirect=True)
def test_the_dominator_is_the_object_that_keeps_them(leak):
    planted, heap, truth = leak
    wanted = heap.graph.top if truth.dominator == "top" else planted.names[truth.dominator]
    last = heap.groups_of("shop.leaks.Quote")[0].steps[-1].node
    quotes = heap.graph.of_types(heap.graph.types_named("shop.leaks.Quote"))
    assert last in quotes
    assert wanted in heap.tree.dominators[quotes]


def test_the_holder_is_among_the_findings(leak):
    _planted, heap, truth = leak
    result = analysis_of(heap)
    texts = [row["text"] for row in result["findings"] if row["kind"] == "holder"]
    if truth.own:
        assert any(text.startswith(f"{truth.holder} keeps {truth.count} shop.leaks.Quote objects") for text in texts)
    else:
        assert not any("Quote" in text for text in texts)


def test_there_are_twenty_of_them():
    assert len(PLANTED) >= 20
