"""Garbage in cycles, told from what is kept: by what collections leave."""

from random import Random

import pytest

from benchmarks.leaks import garbage
from memwatch.detection import History, judge
from tests.detection.builders import snapshot


def _watched(level, points, full_collections):
    rows = [
        snapshot(
            i, {"app.Row": round(level(i))}, every_s=2, gc_collections_gen2=sum(1 for at in full_collections if i >= at)
        )
        for i in range(points)
    ]
    (found,) = judge(History.from_snapshots(rows), window="hour")
    return found


def _garbage(i):
    return 100 + 6 * i + 80 * (i % 3)


def test_what_comes_and_goes_waits_for_a_full_collection_before_it_is_a_leak():
    assert _watched(_garbage, 60, []).outcome == "not enough data"


def test_what_survives_a_full_collection_is_a_leak():
    assert _watched(_garbage, 60, [40]).is_leak


def test_what_a_full_collection_gives_back_is_none():
    found = _watched(lambda i: _garbage(i if i < 40 else i - 40), 60, [40])
    assert found.outcome != "leak"


def test_what_never_falls_back_is_a_leak_without_a_full_collection():
    assert _watched(lambda i: 100 + 6 * i, 60, []).is_leak


def test_a_small_gain_in_a_large_population_may_be_garbage_until_it_has_survived():
    assert _watched(lambda i: 10_000 + 20 * i, 60, []).outcome == "not enough data"
    assert _watched(lambda i: 10_000 + 20 * i, 60, [45]).is_leak


def test_what_grows_in_jumps_may_be_garbage_until_it_has_survived():
    assert _watched(lambda i: 100 + 24 * (i // 6), 60, []).outcome == "not enough data"
    assert _watched(lambda i: 100 + 24 * (i // 6), 60, [45]).is_leak


@pytest.mark.parametrize("tooth", [10, 16, 25])
def test_garbage_that_gathers_between_full_collections_is_no_leak_at_whatever_moment(tooth):
    for seed in range(6):
        history, second = garbage.process(Random(1_000_000 + 1_000 * tooth + seed), tooth, 0)
        assert [length for length in garbage.flagged(history) if length > second] == []


@pytest.mark.parametrize("tooth", [6, 16, 25])
def test_a_leak_beside_such_garbage_is_found(tooth):
    for seed in range(3):
        history, _ = garbage.process(Random(1_000 * tooth + seed), tooth, 50)
        assert list(garbage.flagged(history))


def _idle_pages(points):
    """Rows of a page asked now and then: few at first, then more with each request until a young collection."""
    rows = []
    for i in range(points):
        young = max(0, i - 4) // 18
        level = 8 if i < 4 else 30 + 30 * young + 34 * ((i - 4) % 18 // 2)
        rows.append(snapshot(i, {"app.Row": level}, every_s=2, gc_collections_gen0=50 + i // 2,
                             gc_collections_gen1=5 + young, gc_collections_gen2=2 + (i > 38)))  # fmt: skip
    return History.from_snapshots(rows)


def test_teeth_of_a_young_generation_are_garbage_too():
    looks = [_idle_pages(points) for points in range(16, 78)]
    assert [len(look) for look in looks if any(found.is_leak for found in judge(look, window="hour"))] == []


def test_what_the_collections_left_is_said():
    (found,) = judge(_idle_pages(72), window="hour")
    (told,) = (finding for finding in found.findings if finding.rule == "full_collection")
    assert (found.rule, told.outcome) == ("full_collection", "failed")
    assert "after 3 collections" in told.sentence
    assert "of the rate between them remains (at least 50 %)" in told.sentence
    assert found.statistics["kept_share_of_teeth"] < 0.5
