"""Which work explains a leak: on simulated programs, and on small cases by hand."""

from __future__ import annotations

from memwatch.detection.work_attribution import FEW, TIME, Step, attribute


def steps(calls: list[dict[int, int]], growth: list[float], seconds: float = 60.0) -> list[Step]:
    return [Step(seconds, more, done) for done, more in zip(calls, growth, strict=True)]


def test_the_work_that_leaks_two_objects_a_call_is_named_with_its_figures():
    calls = [{1: 5 + i * 7 % 11, 2: 9 + i * 5 % 13} for i in range(40)]
    found = attribute([steps(calls, [2.0 * done[1] + (i % 3) for i, done in enumerate(calls)])])
    (culprit,) = found.culprits
    assert culprit.works == (1,)
    assert culprit.low <= 2 <= culprit.high
    assert culprit.share > 0.9


def test_growth_with_time_blames_nobody():
    calls = [{1: 5 + i * 7 % 11, 2: 9 + i * 5 % 13} for i in range(40)]
    found = attribute([steps(calls, [30.0 + i % 3 for i in range(40)])])
    assert (found.culprits, found.remark) == ((), TIME)


def test_seven_steps_are_too_few():
    assert attribute([steps([{1: i} for i in range(7)], [2.0 * i for i in range(7)])]).remark == FEW
