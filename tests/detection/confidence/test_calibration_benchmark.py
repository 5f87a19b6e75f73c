"""The benchmark that calibrates probabilities."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.leaks.calibration.fitting import fit, quality, written
from benchmarks.leaks.calibration.samples import Source, Told
from memwatch.detection.confidence.probability import weighed
from memwatch.detection.verdict import Verdict

TRUTH = {"constant": -1.0, "shape": 0.8}


def drawn(count: int, **values: float) -> list[Told]:
    """Verdicts that are leaks as often as the truth says."""
    random, found = Random(1), []
    for _ in range(count):
        features = {"shape": random.uniform(-3, 5)}
        found.append(Told("x", "given", features, random.random() < weighed(features, TRUTH), "low", **values))
    return found


def test_the_fit_finds_the_truth() -> None:
    found = fit(drawn(4_000))
    assert found == pytest.approx(TRUTH, abs=0.15)


def test_the_truth_is_calibrated_and_boasting_is_not() -> None:
    told = drawn(4_000)
    honest = quality(told, [weighed(one.features, TRUTH) for one in told])
    boasting = quality(told, [weighed(one.features, {"constant": 1.0, "shape": 0.8}) for one in told])
    assert honest.error < 0.03
    assert boasting.error > 0.1
    assert honest.brier < honest.base
    assert honest.brier < boasting.brier
    assert sum(each.weight for each in honest.bins) == pytest.approx(1)


def test_half_of_the_cases_count_as_leaking_and_each_source_weighs_the_same() -> None:
    source = Source.empty("x")
    leak = Verdict(outcome="leak", kind="objects", object_type="A", rule="all", statistics={"points": 4})
    for _ in range(3):
        source.judged([leak], leaking=True)
    for said in ([leak], [], [], [], [], []):
        source.judged(said, leaking=False)
    told = list(source.weighed())
    assert sum(one.weight for one in told) == pytest.approx(1)
    assert sum(one.weight for one in told if one.is_leak) == pytest.approx(6 / 7)


def test_what_is_written_is_what_memwatch_reads() -> None:
    names: dict[str, object] = {}
    exec("\n".join(written({"given": {"constant": 1.5, "shape": 0.25}}, "a test")), names)
    assert names["WEIGHTS"] == {"given": {"constant": 1.5, "shape": 0.25}}
