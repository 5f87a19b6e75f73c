"""A look at the hours before, ahead of a leak that would be opened."""

import dataclasses

import pytest

from memwatch.detection import History, judge
from tests.detection.builders import series

NAME = "app.Session"


def told(earlier):
    """An hour that rises from 1,000 to 3,000, as the watch sees it after these counts."""
    history = History.from_snapshots(series(lambda i: 1000 + 34 * i, 60, name=NAME, every_s=60))
    if earlier is not None:
        history = dataclasses.replace(history, earlier={NAME: earlier}.__getitem__)
    (found,) = judge(history, window="hour")
    return found, next(finding for finding in found.findings if finding.rule == "as_high_before")


@pytest.mark.parametrize(
    "earlier",
    [
        pytest.param([900, 2000, 3100, 2400, 1200], id="as high, and back"),
        pytest.param([2900, 2900, 2900, 1000], id="just as high"),
        pytest.param([3000, 1000, 3000, 1000], id="again and again"),
        pytest.param([9000, 5000], id="far higher, and back to less"),
    ],
)
def test_what_was_as_high_before_and_came_back_is_no_leak(earlier):
    verdict, finding = told(earlier)
    assert (verdict.outcome, verdict.rule, finding.outcome) == ("expected", "as_high_before", "failed")
    assert f"before this hour its maximum was {max(earlier):,}" in finding.sentence


@pytest.mark.parametrize(
    "earlier",
    [
        pytest.param([500, 700, 900, 1000], id="a leak goes on"),
        pytest.param([1000] * 50, id="a leak begins"),
        pytest.param([2000, 1000, 2200, 1000], id="higher than ever"),
    ],
)
def test_what_is_higher_than_ever_is_a_leak(earlier):
    verdict, finding = told(earlier)
    assert (verdict.outcome, finding.outcome) == ("leak", "passed")
    assert ", now it is 2," in finding.sentence


def test_without_a_look_back_the_rule_does_not_apply():
    verdict, finding = told(None)
    assert (verdict.outcome, finding.outcome) == ("leak", "not applicable")
    assert "looks back" in finding.sentence
