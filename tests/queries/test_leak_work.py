"""Which work explains a leak, read from its evidence; what a recording saw, read from its result."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.queries.leak_work import Culprit, MadeIn, explanation_of, made_in

SYNC = {"kind": "task", "name": "shop.tasks.sync_prices"}
FIGURES = {"per_call": 2.0, "low": 1.9, "high": 2.1, "share": 0.97, "source": "direct"}


def test_culprits_are_read_with_their_figures() -> None:
    evidence = {"work": {"culprits": [{"works": [SYNC], **FIGURES}], "remark": "", "sentence": "It is the task."}}
    found = explanation_of(evidence)
    assert found is not None
    assert found.culprits == (Culprit((("task", SYNC["name"]),), 2.0, 1.9, 2.1, 0.97, "direct"),)
    assert (found.remark, found.sentence) == ("", "It is the task.")


@pytest.mark.parametrize("evidence", [None, [], {}, {"work": None}, {"work": "a task"}])
def test_evidence_without_work_has_not_been_looked_at(evidence: Any) -> None:
    assert explanation_of(evidence) is None


@pytest.mark.parametrize(
    "culprits",
    [
        "x",
        [None],
        [{"works": "x"}],
        [{"works": [None, {"kind": "job", "name": "x"}, {"kind": "task", "name": 3}]}],
        [{**FIGURES}],
    ],
)
def test_what_has_another_shape_is_left_out(culprits: Any) -> None:
    found = explanation_of({"work": {"culprits": culprits, "remark": 3, "sentence": ["x"]}})
    assert found is not None
    assert (found.culprits, found.remark, found.sentence) == ((), "", "")


@pytest.mark.parametrize("value", [None, "2", float("nan"), float("inf"), [2]])
def test_a_figure_that_is_no_number_is_unknown(value: Any) -> None:
    found = explanation_of({"work": {"culprits": [{"works": [SYNC], **FIGURES, "per_call": value}]}})
    assert found is not None
    assert found.culprits[0].per_call is None


def test_what_a_recording_saw_is_read_with_its_calls() -> None:
    rows = [{**SYNC, "count": 20, "calls": 10}, {"kind": "view", "name": "shop:order", "count": 1, "calls": 4}]
    assert made_in({"made_in": rows}) == (
        MadeIn("task", SYNC["name"], 20, 10), MadeIn("view", "shop:order", 1, 4),
    )  # fmt: skip


@pytest.mark.parametrize("result", [None, {}, {"made_in": {}}, {"made_in": [3, {"kind": "job", "name": "x"}]}])
def test_a_result_that_says_nothing_of_jobs_is_empty(result: Any) -> None:
    assert made_in(result) == ()
