"""What a watched process says of its jobs is hostile input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memwatch.records.work import WorkFigures
from memwatch.transport.snapshots import MAX_WORK
from memwatch.transport.wire import Report, WireError
from tests.reports import report, snapshot

GOOD = WorkFigures(
    "task", "shop.sync", calls=3, errors=1, shared=1, seconds=1.5, seconds_max=1.0, seconds_counts={"140": 3},
    blocks_calls=2, blocks=-7, blocks_squares=49.0, blocks_max=-3, rss_calls=2, rss_kib=-4, rss_kib_max=4,
    peak_calls=2, peak_kib_max=307_200, peak_counts={"133": 2}, peak_rss_kib=400_000,
    peak_trace="4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
)  # fmt: skip


def decoded(work: Any) -> tuple[WorkFigures, ...] | None:
    value = json.loads(report(snapshots={0: snapshot(work=(GOOD,))}).encode())
    value["snapshots"][0][1]["work"] = work
    return Report.decode(json.dumps(value).encode()).snapshots[0][1].work


def test_arrives_as_it_was_sent() -> None:
    sent = report(snapshots={0: snapshot(work=(GOOD,))})
    assert Report.decode(sent.encode()).snapshots[0][1].work == (GOOD,)


def test_figures_of_a_newer_agent_are_left_out_and_those_of_an_older_one_are_none() -> None:
    assert decoded([[*GOOD, "new", 5]]) == (GOOD,)
    assert decoded([["view", "index", 4]]) == (WorkFigures("view", "index", 4),)
    assert decoded([["dream", "of an agent to come", 4]]) == ()


@pytest.mark.parametrize("trace", ["4bf9", 7, None, "x" * 10_000, GOOD.peak_trace.upper()])
def test_what_is_no_span_is_left_out_and_the_figures_are_kept(trace: Any) -> None:
    assert decoded([[*GOOD[:-1], trace]]) == (GOOD._replace(peak_trace=""),)


@pytest.mark.parametrize(
    "work",
    [
        7,
        [7],
        [["view"]],
        [["view", 5]],
        [["view", "x", -1]],
        [["view", "x", 1.5]],
        [["view", "x", True]],
        [["view", "x", 1, 0, 0, -1.0]],
        [["view", "x", 1, 0, 0, 1e300]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, {"5000": 1}]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, {"-1": 1}]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, {"x": 1}]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, {"²": 1}]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, {"5": -1}]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, [1]]],
        [["view", "x", 1, 0, 0, 1.0, 1.0, {}, 1, 10**16]],
        [["view", str(n)] for n in range(MAX_WORK + 1)],
    ],
)
def test_what_is_malformed_is_refused(work: Any) -> None:
    with pytest.raises(WireError, match=r"work|name|kind|calls|seconds|blocks"):
        decoded(work)


def test_a_name_of_ten_thousand_characters_is_cut() -> None:
    found = decoded([["view", "x\u0000" * 5_000, 1]])
    assert found is not None
    assert len(found[0].name) <= 300
    assert found[0].name.isprintable()
