"""What leaks, what only looks like it, and what cannot be told yet."""

import json
import math
from random import Random

import pytest

from memwatch.detection import History, Thresholds, detect_leaks, judge
from memwatch.detection.rules.registry import RULES
from memwatch.detection.verdict import OUTCOMES
from tests.detection.builders import series, snapshot, verdict_of


def noisy(seed, level, share):
    random = Random(seed)
    return lambda i: level(i) * (1 + random.gauss(0, share))


@pytest.mark.parametrize("points", [8, 12, 20, 60, 300, 2000])
def test_a_count_that_rises_without_end_is_a_leak(points):
    found = verdict_of(noisy(1, lambda i: 1000 + 3000 * i / points, 0.02), points)
    assert found.outcome == "leak"
    assert found.growth_percent > 200


def test_a_leak_on_top_of_a_warm_up_is_one():
    assert verdict_of(lambda i: 2000 * (1 - math.exp(-i / 5)) + 40 * i + 500, 60).is_leak


def test_a_leak_that_begins_late_says_since_when():
    found = verdict_of(lambda i: 1000 + max(0, i - 30) * 50, 80)
    assert found.is_leak
    assert found.started_at is not None
    assert 20 <= (found.started_at.timestamp() - 1767225600) / 60 <= 35


def test_a_saw_tooth_on_a_rising_floor_is_a_leak():
    assert verdict_of(lambda i: 1000 + 30 * i + 400 * (i % 6), 120).is_leak


def test_a_small_steady_leak_in_a_large_population_is_found():
    found = verdict_of(lambda i: 50_000 + 60 * i, 60)
    assert found.is_leak
    assert found.statistics["gate"] == "steady"


def test_a_leak_of_two_percent_an_hour_is_found_within_a_day():
    assert verdict_of(lambda i: 5000 * (1 + 0.02 * i), 24, window="day", every_s=3600).is_leak


@pytest.mark.parametrize(
    "level",
    [
        pytest.param(lambda i: 1000 + i % 5, id="idle"),
        pytest.param(lambda i: 500 + min(i, 25) * 40, id="a bounded cache that is full"),
        pytest.param(lambda i: 500 + 1500 * (1 - math.exp(-i / 6)), id="a warm-up"),
        pytest.param(lambda i: 500 + 1000 * (i >= 20), id="an import"),
        pytest.param(lambda i: 500 + 600 * (i >= 12) + 700 * (i >= 30), id="two imports"),
        pytest.param(lambda i: 500 + 100 * (i % 17), id="a batch that is let go"),
        pytest.param(lambda i: 500 + (1500 if 20 <= i < 45 else 0) * (i - 20) / 25, id="the collector off for a while"),
        pytest.param(lambda i: 500 + (900 if i >= 57 else 0), id="a batch that has just begun"),
        pytest.param(lambda i: 500 + 1500 / (1 + math.exp(-(i - 20) / 3)), id="a roll-out"),
    ],
)
def test_growth_that_ends_is_no_leak(level):
    found = verdict_of(level, 60)
    assert not found.is_leak
    assert found.outcome in OUTCOMES


def test_a_load_that_rises_and_falls_with_the_day_is_no_leak():
    found = verdict_of(lambda i: 3000 + 2000 * math.sin(math.tau * (i / 288 - 0.25)), 288 * 2, every_s=300)
    assert not found.is_leak


def test_objects_in_flight_that_follow_the_load_are_no_leak():
    random, done, given, rates = Random(4), 0, [], [100]
    for _ in range(60):
        rates.append(rates[-1] + random.choice((-15, 0, 20, 25)))
    for i in range(60):
        done += rates[i]
        given.append(snapshot(i, {"app.Request": 50 + (rates[i] + rates[i + 1]) // 2}, requests_handled=done))
    (found,) = judge(History.from_snapshots(given))
    assert not found.is_leak
    assert found.statistics["harmless_shape"] == "load"


def test_a_leak_under_uneven_load_grows_with_the_work_done():
    random, done, given = Random(7), 0, []
    for i in range(60):
        done += 0 if 25 < i < 45 else random.randrange(50, 150)
        given.append(snapshot(i, {"app.Request": 200 + done}, requests_handled=done))
    (found,) = judge(History.from_snapshots(given))
    assert found.is_leak
    assert found.statistics["shape"] == "line along the work done"


def test_a_plateau_not_yet_reached_cannot_be_told():
    found = verdict_of(lambda i: 500 + 1500 * (1 - math.exp(-i / 24)), 60)
    assert not found.is_leak
    assert found.outcome in ("not enough data", "expected")


def test_keys_that_come_by_popularity_are_not_enough_data():
    found = verdict_of(lambda i: 500 + 300 * i**0.6, 40)
    assert (found.outcome, found.rule) == ("not enough data", "slowing")


def test_a_leak_that_slows_with_its_load_is_one_all_the_same():
    assert verdict_of(lambda i: 500 + 300 * i**0.8, 40).is_leak


def test_a_rise_that_has_only_just_begun_says_so():
    found = verdict_of(lambda i: 1000 + 90 * max(0, i - 32), 40)
    assert found.outcome == "not enough data"
    assert "only just begun" in found.sentence


def test_a_warm_up_with_little_growth_after_it_is_no_leak():
    found = verdict_of(noisy(3, lambda i: 20 if i == 0 else 640 + 0.5 * i, 0.02), 120, window="hour", every_s=2)
    assert found.outcome == "expected"
    assert found.rule == "warm_up"


def test_few_points_are_answered_with_low_confidence_when_asked():
    (leak,) = detect_leaks(series(lambda i: 1000 + 500 * i, 5))
    assert leak.confidence == "low"
    assert leak.severity in ("low", "medium")


def test_a_few_points_that_slow_down_are_not_enough():
    assert verdict_of([100, 400, 420, 425, 430, 431].__getitem__, 6).outcome == "not enough data"


@pytest.mark.parametrize(("points", "every_s"), [(10, 60.0), (25, 2.0)])
def test_a_standing_watch_waits_for_points_and_for_the_first_minute(points, every_s):
    found = verdict_of(lambda i: 1000 + 500 * i, points, window="hour", every_s=every_s)
    assert found.outcome == "not enough data"


def test_a_standing_watch_finds_a_leak_of_two_second_snapshots_within_two_minutes():
    assert verdict_of(lambda i: 10 * max(0, i - 4), 45, window="hour", every_s=2.0).is_leak


def test_uneven_times_are_taken_from_the_timestamps():
    random, at, given = Random(3), 0.0, []
    for _ in range(60):
        at += random.choice((0.2, 1.0, 9.0))
        given.append(snapshot(at, {"app.Thing": round(500 + 20 * at)}))
    assert judge(History.from_snapshots(given))[0].is_leak


def test_a_count_without_memory_behind_it_is_no_leak():
    given = [snapshot(i, {"tuple": 500 + 100 * i}, allocated_blocks=90_000 + i % 3) for i in range(40)]
    (found,) = (verdict for verdict in judge(History.from_snapshots(given)) if verdict.object_type == "tuple")
    assert (found.outcome, found.rule) == ("expected", "memory_behind")


def test_the_thresholds_are_the_contracts_and_can_be_changed():
    given = series(lambda i: 100 + 10 * i, 9)
    assert detect_leaks(given) == []
    assert detect_leaks(given, thresholds=Thresholds(min_growth_percent=20, min_growth_count=20))


def test_a_verdict_says_what_an_operator_can_act_on():
    found = verdict_of(lambda i: 500 + min(i, 20) * 40, 60)
    assert found.sentence.startswith("expected: ")
    leak = verdict_of(lambda i: 500 + 40 * i, 60)
    assert leak.sentence.startswith("app.Thing grows by 2,400 objects an hour (500 to 2,860 in 59 min)")


def test_the_evidence_is_json_with_every_statistic_and_the_rule():
    (leak,) = detect_leaks(series(lambda i: 500 + 40 * i, 60))
    evidence = json.loads(json.dumps(leak.to_dict()))["evidence"]
    assert evidence["rule"] == "all"
    assert {"p", "tau", "slope_low", "leak_probability", "points", "gate"} <= evidence["statistics"].keys()
    assert leak.verdict


def test_only_a_leak_becomes_a_leak():
    with pytest.raises(ValueError, match="only a leak"):
        verdict_of(lambda _: 5, 20).to_leak()


def test_an_unknown_window_is_refused():
    with pytest.raises(ValueError, match="given, calls, hour, day, week"):
        judge(History.from_snapshots(series(lambda i: i, 5)), window="month")


def test_every_rule_is_told_by_the_name_of_its_function():
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_slow_leak_on_a_noisy_count_is_found_within_the_hour():
    slow = noisy(4, lambda i: 8_000 * (1 + 0.004 * i), 0.03)
    assert verdict_of(slow, 60, window="hour").is_leak
    assert verdict_of(noisy(4, lambda i: 8_000, 0.03), 60, window="hour").outcome == "quiet"


def test_a_few_points_must_rise_as_steadily_as_before():
    ups_and_downs = [1_000, 1_060, 1_010, 1_090, 1_050, 1_120, 1_070, 1_030, 1_150, 1_090, 1_180, 1_120, 1_080, 1_230,
                     1_160, 1_320]  # fmt: skip
    found = verdict_of(ups_and_downs.__getitem__, 16, window="hour")
    assert (found.outcome, found.rule) == ("quiet", "gates")
