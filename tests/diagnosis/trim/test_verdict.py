"""From figures to a sentence and a setting."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.diagnosis.result_shape import checked
from memwatch.diagnosis.trim.verdict import verdict
from tests.services.recorded import TRIM


def arena(number: int, free: float, *, large: float = 0.0, top: float = 0.0) -> dict[str, Any]:
    return {
        "number": number, "system_mb": free + 20.0, "free_mb": free, "pages_mb": free, "large_mb": large,
        "top_mb": top, "pieces": 10,
    }  # fmt: skip


def of(**changes: Any) -> dict[str, Any]:
    return checked("trim", {**TRIM, **changes})


def regrown(*levels: tuple[float, float], watched_s: float | None = 300.0) -> dict[str, Any]:
    return {"regrowth": [{"seconds": at, "rss_mb": mb} for at, mb in levels], "watched_s": watched_s}


def test_free_memory_in_many_arenas_is_held_by_fewer() -> None:
    found = verdict(of())
    assert found.sentence == (
        "The process returned 1.3 of 2.1 GB: that is no leak, the allocator kept it; `MALLOC_ARENA_MAX=2` would "
        "hold it there, unless all threads have their peak at once."
    )
    assert found.advice[0].gain_mb == pytest.approx(1330 * 7 / 9)


def test_what_came_back_is_the_programs_peak() -> None:
    found = verdict(of(**regrown((60, 900.0), (130, 2000.0), (190, 1500.0))))
    assert (found.kind, found.sentence) == (
        "peak",
        "The process returned 1.3 of 2.1 GB, and it came back within 3 minutes: the program needs its peak.",
    )
    assert "MALLOC" not in "".join(each.setting for each in found.advice)


def test_what_stays_away_is_not_the_peak() -> None:
    found = verdict(of(**regrown((60, 850.0), (290, 953.0))))
    assert found.kind == "returned"
    assert found.sentence.endswith(" 10 % of it came back within 5 minutes.")
    watched = verdict(of(**regrown((60, 850.0), (110, 860.0), watched_s=None)))
    assert watched.sentence.endswith("came back within 2 minutes."), "so far"


def test_what_is_in_use_is_no_matter_of_the_allocator() -> None:
    found = verdict(of(rss_before_mb=2150.0, rss_after_mb=2144.0, malloc_free_mb=30.0, malloc_pages_mb=8.0))
    assert (found.kind, found.sentence) == ("in_use", "The process returned 0.0 of 2.1 GB: the rest is in use.")
    small = verdict(of(rss_before_mb=210.0, rss_after_mb=204.0, malloc_free_mb=30.0, malloc_pages_mb=8.0))
    assert small.sentence == "The process returned 6 of 210 MB: the rest is in use."


def test_the_end_of_the_main_arena_is_held_by_the_trim_threshold() -> None:
    found = verdict(of(arenas=[arena(0, 1400.0, top=1300.0)]))
    assert found.sentence.endswith("`MALLOC_TRIM_THRESHOLD_=131072` would hold it there.")


def test_large_holes_are_worth_a_try_and_small_ones_want_another_allocator() -> None:
    large = verdict(of(arenas=[arena(0, 1400.0, large=1390.0)]))
    assert large.sentence.endswith("; try `MALLOC_MMAP_THRESHOLD_=131072`.")
    small = verdict(of(arenas=[arena(0, 1400.0)]))
    assert small.sentence.endswith("the allocator kept it.")
    assert [each.setting for each in small.advice] == ["LD_PRELOAD=libjemalloc.so.2"]
    fixed = verdict(of(arenas=[arena(0, 1400.0, large=1390.0)], settings={"MALLOC_TRIM_THRESHOLD_": "131072"}))
    assert [each.setting for each in fixed.advice] == ["LD_PRELOAD=libjemalloc.so.2"], "either fixes both"


@pytest.mark.parametrize("setting", ["MALLOC_ARENA_MAX", "glibc.malloc.arena_max"])
def test_what_is_set_already_is_not_advised(setting: str) -> None:
    found = verdict(of(settings={setting: "4"}))
    assert [each.setting for each in found.advice] == ["LD_PRELOAD=libjemalloc.so.2"]


def test_arenas_of_pymalloc_that_few_objects_hold() -> None:
    found = verdict(
        of(rss_before_mb=900.0, rss_after_mb=895.0, malloc_free_mb=20.0, pymalloc_system_mb=700.0,
           pymalloc_used_mb=90.0)
    )  # fmt: skip
    assert found.kind == "pymalloc"
    assert "Python's own allocator holds 700 MB, of which 90 MB is in use" in found.sentence


def test_pieces_smaller_than_a_page_are_named() -> None:
    found = verdict(of(rss_before_mb=900.0, rss_after_mb=895.0, malloc_free_mb=400.0, malloc_pages_mb=10.0))
    assert found.kind == "pieces"
    assert "400 MB free in pieces that are smaller than a page" in found.sentence


def test_free_pages_that_the_system_does_not_take_are_not_called_in_use() -> None:
    found = verdict(of(rss_before_mb=900.0, rss_after_mb=900.0, malloc_free_mb=400.0, malloc_pages_mb=390.0))
    assert "returned before, or the system does not take it" in found.sentence


def test_without_malloc_trim_the_reason_is_the_verdict() -> None:
    found = verdict(of(trimmed=False, reason="this process takes its memory from jemalloc"))
    assert (found.kind, found.advice) == ("not_trimmed", ())
    assert "jemalloc" in found.sentence


_NUMBERS = st.floats(-1e14, 1e14)


@given(
    sizes=st.dictionaries(
        st.sampled_from(["rss_before_mb", "rss_after_mb", "malloc_free_mb", "malloc_pages_mb", "pymalloc_system_mb"]),
        _NUMBERS,
    ),
    levels=st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=4),
    arenas=st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=4),
)
def test_a_hostile_result_has_a_verdict_too(sizes: Any, levels: Any, arenas: Any) -> None:
    shown = [arena(number, free, large=large) for number, (free, large) in enumerate(arenas)]
    assert verdict(of(**sizes, **regrown(*levels), arenas=shown)).sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"arenas": [{"number": "x"}]},
        {"arenas": [[]] * 6_000},
        {"rss_before_mb": float("nan")},
        {"settings": {"MALLOC_ARENA_MAX": 3}},
        {"regrowth": 7},
        {"trimmed": "yes"},
    ],
)
def test_a_result_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        of(**changes)
