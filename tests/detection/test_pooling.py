"""Workers that are recycled before one life shows anything."""

from random import Random

from memwatch.detection import History, detect_leaks, judge_lives
from tests.detection.builders import snapshot


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


def test_two_lives_are_too_few():
    assert judge_lives(fleet(3, lambda i: 500 + 80 * i, lives=2)) == []


def test_snapshots_of_several_lives_are_pooled_when_the_last_is_too_short():
    given = [
        snapshot(20 * n + i, {"app.Thing": 500 + 90 * i}, gc_collections_gen2=i) for n in range(5) for i in range(6)
    ] + [snapshot(100 + i, {"app.Thing": 500 + 20 * i}, gc_collections_gen2=i) for i in range(3)]
    assert [leak.object_type for leak in detect_leaks(given)] == ["app.Thing"]
