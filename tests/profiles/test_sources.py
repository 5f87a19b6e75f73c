"""Profiles of what memwatch has found: their totals are those of the finding."""

from __future__ import annotations

import pytest

from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.result import analysis_of
from memwatch.profiles.profile import Frame, Profile
from memwatch.profiles.sources import SMALLER, UNLISTED, of_allocations, of_dominators, of_heap_summary, seconds
from tests.heapdump.planted import PLANTED, Planted
from tests.services.recorded import ALLOCATIONS, HEAP_SUMMARY

MB = 1024 * 1024


def test_allocation_sites_add_up_to_what_was_traced() -> None:
    found = of_allocations(ALLOCATIONS)
    assert Profile(samples=found).size == ALLOCATIONS["traced_mb"] * MB
    by_leaf = {sample.stack[-1].function: sample for sample in found}
    assert by_leaf["quote"].stack == (
        Frame("/srv/shop/views.py:40", "/srv/shop/views.py", 40), Frame("quote", "/srv/shop/leaks.py", 27),
    )  # fmt: skip
    assert (by_leaf["quote"].objects, by_leaf["quote"].size) == (4_000, 500 * 1024)
    assert by_leaf[UNLISTED].size == int(3.5 * MB) - 1_400 * 1024


def test_sites_that_are_more_than_was_traced_add_nothing() -> None:
    found = of_allocations({**ALLOCATIONS, "traced_mb": 0.5})
    assert UNLISTED not in {sample.stack[-1].function for sample in found}


def test_a_site_without_a_function_is_named_by_its_line() -> None:
    site = {**ALLOCATIONS["sites"][0], "function": "", "traceback": ["no line", "/srv/a:b.py:3"]}
    (found,) = of_allocations({"traced_mb": 0.0, "sites": [site]})
    callers = (Frame("/srv/a:b.py:3", "/srv/a:b.py", 3), Frame("no line"))
    assert found.stack == (*callers, Frame("/srv/django/db.py:9", "/srv/django/db.py", 9))


def test_a_heap_summary_adds_up_to_its_types() -> None:
    types = [*HEAP_SUMMARY["types"], {"type": "shop.leaks.Quote", "count": 5, "size_kb": 2.0, "size_error_kb": None}]
    found = of_heap_summary({**HEAP_SUMMARY, "types": types})
    assert {sample.stack: (sample.objects, sample.size) for sample in found} == {
        (Frame("builtins"), Frame("dict")): (9_000, 2_000 * 1024),
        (Frame("shop"), Frame("shop.leaks.Quote")): (5, 2_048),
    }


@pytest.mark.parametrize("name", PLANTED)
def test_a_heap_dump_adds_up_to_what_roots_reach(name: str) -> None:
    planted = Planted()
    PLANTED[name][0](planted)
    analysis = analysis_of(Heap(planted.graph()))
    found = of_dominators(analysis)
    assert sum(sample.size for sample in found) == analysis["about"]["reached_bytes"]
    assert sum(sample.objects for sample in found) == analysis["about"]["reached_objects"]
    assert {sample.stack[0].function for sample in found} == {"all roots"}


def test_what_is_deeper_than_a_profile_goes_is_added_up() -> None:
    def node(number: int) -> dict[str, object]:
        left = 1_000 - number
        return {
            "label": f"n{number}", "place": "", "size": 1, "retained": left, "objects": left, "groups": [],
            "children": [number + 1] if number < 999 else [],
        }  # fmt: skip

    found = of_dominators({"dominators": {"top": 0, "nodes": {str(n): node(n) for n in range(1_000)}}})
    assert max(len(sample.stack) for sample in found) <= 101
    assert SMALLER in {sample.stack[-1].function for sample in found}
    assert sum(sample.size for sample in found) == 1_000


def test_a_time_that_is_none_is_0() -> None:
    assert [seconds(value) for value in (5, 0.5, -1, float("nan"), 1e300, "5", None)] == [5.0, 0.5, 0, 0, 0, 0, 0]
