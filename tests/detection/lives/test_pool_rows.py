"""Workers that are recycled before one life shows anything."""

from random import Random

import pytest

from benchmarks.leaks import lives
from memwatch.detection import History, detect_leaks, judge_lives
from memwatch.records import BigContainer
from tests.detection.builders import snapshot

NAMES = ["gates", "trend", "shape", "still_growing", "load", "pooled"]


def life(start, level, points=8, name="app.Thing"):
    return History.from_snapshots([snapshot(start + i, {name: round(level(i)), "dict": 9000}) for i in range(points)])


def fleet(seed, level, lives=12):
    random = Random(seed)
    return [life(100 * n, lambda i: level(i) * (1 + random.gauss(0, 0.05))) for n in range(lives)]


def test_a_leak_in_every_short_life_is_a_leak_of_the_service():
    found = {verdict.object_type: verdict for verdict in judge_lives(fleet(1, lambda i: 500 + 80 * i))}
    assert set(found) == {"app.Thing"}
    assert found["app.Thing"].window == "lives"
    assert found["app.Thing"].statistics["z"] > 3.09


def test_a_warm_up_in_every_life_is_not():
    assert judge_lives(fleet(2, lambda i: 500 + (700 if i > 1 else 350 * i))) == []


def test_fleets_of_recycled_workers_are_told_apart():
    leaking = sum(bool(judge_lives(fleet(seed, lambda i: 500 + 70 * i))) for seed in range(60))
    steady = sum(bool(judge_lives(fleet(seed, lambda i: 500 + (400 if i else 0)))) for seed in range(60))
    assert (leaking, steady) == (60, 0)


def test_fleets_of_every_generated_kind_are_told_apart():
    """As many as the benchmark, of fewer seeds: leaks by age and by work, warm-ups, caches, saw-teeth, load."""
    for shapes, leaking in ((lives.LEAKING, True), (lives.HARMLESS, False)):
        for shape in shapes.values():
            assert [lives.found(lives.fleet(Random(seed), shape)) for seed in range(4)] == [leaking] * 4


def test_a_leak_for_each_request_is_seen_through_idle_stretches():
    def done(i, busy):
        return 10.0 * max(0, i - 4) if busy else 20.0 * min(i, 4)

    found = [
        History(
            times=tuple(100.0 * n + i for i in range(9)),
            figures={"requests_handled": [done(i, n % 2) for i in range(9)]},
            counts={"app.Thing": [500 + round(12 * done(i, n % 2)) for i in range(9)]},
        )
        for n in range(12)
    ]
    (leak,) = judge_lives(found)
    assert leak.statistics["axis"] == "work"
    assert leak.trend["axis"] == "work"
    assert leak.trend["slope"] == pytest.approx(12, rel=0.1)


def test_untracked_growth_in_every_life_is_named_by_its_container():
    def one(n, i):
        held = BigContainer(type="list", length=1_000 + 400 * i, holds="str", name="shop.KEPT", token=n, entry_bytes=60)
        return snapshot(
            100 * n + i, {"dict": 9_000}, total_objects=50_000, allocated_blocks=200_000 + 400 * i,
            big_containers=(held,) if i % 3 == 0 else None,
        )  # fmt: skip

    (leak,) = judge_lives([History.from_snapshots([one(n, i) for i in range(8)]) for n in range(8)])
    assert (leak.kind, leak.container.name) == ("untracked", "shop.KEPT")
    assert "shop.KEPT" in leak.sentence


def test_native_growth_in_every_life_names_the_extension_modules():
    def one(n, i):
        return snapshot(
            100 * n + i, {"dict": 9_000}, heap_used_mb=100 + 2 * i, pymalloc_used_mb=60.0, heap_committed_mb=150 + 2 * i
        )

    given = [[one(n, i) for i in range(8)] for n in range(8)]
    (leak,) = judge_lives([History.from_snapshots(life, extension_modules=["lxml.etree"]) for life in given])
    assert (leak.kind, leak.candidates) == ("native", ("lxml.etree",))


def test_why_lives_show_no_leak_is_told_on_request():
    warm = fleet(2, lambda i: 500 + (700 if i > 3 else 175 * i))
    assert judge_lives(warm) == []
    (verdict,) = judge_lives(warm, all_verdicts=True)
    assert verdict.outcome == "expected"
    assert verdict.evidence()["rules"][-1]["outcome"] == "failed"


def test_a_leak_of_lives_accounts_for_its_rules():
    (leak,) = judge_lives(fleet(1, lambda i: 500 + 80 * i))
    found = leak.evidence()["rules"]
    assert [entry["rule"] for entry in found] == NAMES
    assert {entry["outcome"] for entry in found} == {"passed"}
    assert leak.evidence()["trend"]["axis"] == "age"


def test_recycled_workers_are_severe_by_what_they_take_of_their_limit():
    def lives_at(rss):
        return [
            History.from_snapshots(
                [
                    snapshot(100 * n + i, {"app.Thing": 500 + 40 * i}, rss_mb=rss + i, heap_size_mb=1000.0,
                             heap_limit_source="rlimit")
                    for i in range(8)
                ]
            )
            for n in range(8)
        ]  # fmt: skip

    assert [judge_lives(lives_at(rss))[0].severity for rss in (200, 800, 950)] == ["low", "medium", "high"]


def test_two_lives_are_too_few():
    assert judge_lives(fleet(3, lambda i: 500 + 80 * i, lives=2)) == []


def test_snapshots_of_several_lives_are_pooled_when_the_last_is_too_short():
    given = [
        snapshot(20 * n + i, {"app.Thing": 500 + 90 * i}, gc_collections_gen2=i) for n in range(5) for i in range(6)
    ] + [snapshot(100 + i, {"app.Thing": 500 + 20 * i}, gc_collections_gen2=i) for i in range(3)]
    assert [leak.object_type for leak in detect_leaks(given)] == ["app.Thing"]
