"""What is new between two dumps, by type, root and path; of one process by address, else by shape."""

from __future__ import annotations

import pytest

from memwatch.heapdump import results
from memwatch.heapdump.analysis.difference import difference
from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.loading import load
from memwatch.heapdump.format import Edge, Family
from tests.heapdump.planted import EACH, Planted


def opened(tmp_path, name, fill, **header):
    planted = Planted()
    fill(planted)
    return Heap(load(planted.write(tmp_path / f"{name}.heap", **header)))


def with_lists(**counts):
    def fill(planted):
        # Objects added by each are at one address in both dumps as far as they are in the same order.
        for name, count in counts.items():
            container = planted.add("list", 56, family=Family.LIST)
            planted.refer(planted.own, container, Edge.GLOBAL, name)
            planted.held_in(container, Edge.INDEX, count)

    return fill


@pytest.mark.parametrize("same", [True, False], ids=["one process", "two processes"])
def test_the_list_that_grew_is_named_and_the_one_that_did_not_is_not(tmp_path, same):
    before = opened(tmp_path, "a", with_lists(STEADY=30, GROWING=5), pid=1, host="h")
    after = opened(tmp_path, "b", with_lists(STEADY=30, GROWING=25), pid=1 if same else 2, host="h")
    found = difference(before, after)
    assert found["same_process"] is same
    (row,) = (row for row in found["types"] if row["name"] == "shop.leaks.Quote")
    assert (row["count"], row["size"], row["retained"]) == (20, 2000, 20 * EACH)
    (path,) = (row for row in found["paths"] if row["type"] == "shop.leaks.Quote")
    assert (path["holder"], path["count"], path["retained"]) == ("shop.leaks.GROWING", 20, 20 * EACH)
    (root,) = (row for row in found["roots"] if row["name"] == "module shop.leaks")
    assert root["retained"] == 20 * EACH


def test_as_many_objects_in_another_place_are_no_growth(tmp_path):
    before = opened(tmp_path, "a", with_lists(FIRST=10), pid=1, host="h")
    after = opened(tmp_path, "b", with_lists(OTHER=10), pid=2, host="h")
    found = difference(before, after)
    assert not [row for row in found["types"] if row["name"] == "shop.leaks.Quote"]
    assert not [row for row in found["paths"] if row["type"] == "shop.leaks.Quote"]


def test_a_new_way_is_said_to_be_new(tmp_path):
    before = opened(tmp_path, "a", with_lists(STEADY=30), host="h", pid=1)
    after = opened(tmp_path, "b", with_lists(STEADY=30, ADDED=4), host="other", pid=1)
    (path,) = (row for row in difference(before, after)["paths"] if row["type"] == "shop.leaks.Quote")
    assert (path["holder"], path["count"], path["is_new"]) == ("shop.leaks.ADDED", 4, True)


def test_types_that_came_and_went(tmp_path):
    def one(name):
        def fill(planted):
            planted.refer(planted.own, planted.add(name), Edge.GLOBAL, "THING")

        return fill

    found = difference(opened(tmp_path, "a", one("shop.Old")), opened(tmp_path, "b", one("shop.New")))
    rows = {row["name"]: row for row in found["types"]}
    assert (rows["shop.New"]["is_new"], rows["shop.New"]["count"]) == (True, 1)
    assert (rows["shop.Old"]["is_gone"], rows["shop.Old"]["count"]) == (True, -1)


def test_a_dump_compared_with_itself_has_no_difference(tmp_path):
    heap = opened(tmp_path, "a", with_lists(STEADY=30), pid=1, host="h")
    found = difference(heap, heap)
    assert (found["types"], found["roots"], found["paths"]) == ([], [], [])


def kept(count, *, groups, types=True):
    """An analysis in which so many objects are, and the ways in which some of them are kept."""
    row = {"name": "shop.Quote", "count": count, "size": 100 * count, "retained": 150 * count}
    ways = [
        {"shape": shape, "count": n, "size": 100 * n, "retained": 150 * n, "holder": shape}
        for shape, n in groups.items()
    ]
    paths = {"type": "shop.Quote", "count": count, "size": 100 * count, "freed": 150 * count, "groups": ways}
    found = {"about": {}, "types": [row] if types else [], "roots": [], "paths": {}}
    return {**found, "paths": {"shop.Quote": paths}} if groups else found


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (kept(361, groups={}), kept(662, groups={"a": 662}), [(301, False)]),  # of 361 no way was listed
        (kept(361, groups={"b": 200}), kept(662, groups={"a": 662}), [(301, False)]),
        (kept(361, groups={"b": 361}), kept(662, groups={"a": 301, "b": 361}), [(301, True)]),
        (kept(0, groups={}, types=False), kept(662, groups={"a": 662}), [(662, True)]),
        (kept(361, groups={}), kept(300, groups={"a": 300}), []),
    ],
)
def test_a_way_that_the_first_analysis_does_not_list_grew_by_no_more_than_its_type(before, after, expected):
    found = results.difference(before, after)["paths"]
    assert [(row["count"], row["is_new"]) for row in found] == expected
