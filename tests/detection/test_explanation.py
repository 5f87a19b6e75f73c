"""The rule-by-rule account that a verdict carries: why, and why not."""

import json

import pytest

from memwatch.detection import History, judge
from memwatch.detection.rules.registry import RULES
from tests.detection.builders import series, snapshot, verdict_of

NAMES = [rule.name for rule in RULES]
SHAPES = {
    "a line": lambda i: 500 + 20 * i + i % 3,
    "a plateau": lambda i: 500 + min(800, 40 * i),
    "a saw-tooth": lambda i: 500 + 100 * (i % 10),
    "a late stop": lambda i: 500 + 30 * min(i, 45) + i % 3,
    "a small growth": lambda i: 50_000 + 60 * i + i % 3,
}


def outcomes(verdict):
    return {entry["rule"]: entry["outcome"] for entry in verdict.evidence()["rules"]}


@pytest.mark.parametrize("window", ["given", "hour", "week"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_rule_is_accounted_for_in_its_order_and_one_decides_what_is_no_leak(name, window):
    verdict = verdict_of(SHAPES[name], 60, window=window, every_s=10_800 if window == "week" else 60)
    found = verdict.evidence()["rules"]
    assert [entry["rule"] for entry in found] == NAMES
    assert all(entry["sentence"] for entry in found)
    decided = [entry["rule"] for entry in found if entry["outcome"] in ("failed", "undecided")]
    assert decided == ([] if verdict.is_leak else [verdict.rule])
    after = [entry["outcome"] for entry in found[NAMES.index(verdict.rule) + 1 :]] if decided else []
    assert set(after) <= {"not reached"}


def test_a_leaks_account_names_figures_and_bounds():
    verdict = verdict_of(SHAPES["a line"], 60)
    assert verdict.is_leak
    told = {entry["rule"]: entry["sentence"] for entry in verdict.evidence()["rules"]}
    assert "more than 50 % and more than 100" in told["gates"]
    assert "tau = 1.00 (at least 0.45)" in told["trend"]
    assert "a line rather than" in told["shape"]
    assert outcomes(verdict)["paused"] == "not applicable"


def test_few_points_decide_and_the_rest_is_not_reached():
    verdict = verdict_of(lambda i: 500 + 100 * i, 6)
    assert verdict.is_leak
    assert outcomes(verdict) == dict.fromkeys(NAMES, "not reached") | {"gates": "passed", "few_points": "passed"}


def test_what_was_quiet_still_says_why():
    (entry,) = verdict_of(lambda _: 500, 60).evidence()["rules"]
    assert entry == {"rule": "gates", "outcome": "failed", "sentence": "it has not grown enough"}


def test_what_grows_with_another_says_so_after_its_rules():
    given = [snapshot(i, {"app.Thing": 500 + 30 * i + i % 3, "dict": 9_000 + 150 * i + i % 3}) for i in range(60)]
    folded = next(verdict for verdict in judge(History.from_snapshots(given)) if verdict.object_type == "dict")
    last = folded.evidence()["rules"][-1]
    assert (last["rule"], last["outcome"]) == ("grouping", "failed")
    assert "grows with app.Thing" in last["sentence"]


def test_the_trend_can_be_drawn():
    verdict = verdict_of(SHAPES["a line"], 60)
    trend = verdict.evidence()["trend"]
    assert (trend["axis"], trend["unit"]) == ("time", "objects")
    assert trend["low"] <= trend["slope"] <= trend["high"]
    assert trend["slope"] == pytest.approx(1200, rel=0.05)
    (start, level), end = trend["start"], trend["end"]
    last_x, last_y = trend["floors"][-1]
    assert (trend["floors"][0][0], last_x) == (start, end)
    assert level + trend["slope"] * (end - start) / 3600 == pytest.approx(last_y, rel=0.05)


@pytest.mark.parametrize("points", [3, 30, 3_000])
def test_evidence_is_json_and_of_a_few_kilobytes_however_long_the_series(points):
    given = series(lambda i: 500 + 20 * i, points, name="app." + "T" * 290)
    modules = [f"module{number}._speedups" for number in range(2_000)]
    for verdict in judge(History.from_snapshots(given, extension_modules=modules)):
        assert len(json.dumps(verdict.evidence(), allow_nan=False)) < 8_000


def test_native_growth_names_the_extension_modules_that_may_hold_it():
    given = [
        snapshot(i, rss_mb=200 + 2 * i, heap_used_mb=100 + 2 * i, pymalloc_used_mb=60.0, heap_committed_mb=120 + 2 * i)
        for i in range(60)
    ]
    history = History.from_snapshots(given, extension_modules=["lxml.etree", "_ssl"])
    (leak,) = [verdict for verdict in judge(history) if verdict.is_leak]
    assert leak.kind == "native"
    assert leak.evidence()["extension_modules"] == ["lxml.etree", "_ssl"]
