"""A skip must not pass for a test where everything is required."""

from __future__ import annotations

import pytest

from tests import skips


def skipped(reason: str) -> pytest.TestReport:
    return pytest.TestReport(
        "tests/test_x.py::test_x", ("x", 1, "x"), {}, "skipped", ("x", 1, f"Skipped: {reason}"), "call"
    )


@pytest.mark.parametrize(
    ("required", "reason", "outcome"),
    [
        ("redis,browser", "gevent is not installed", "failed"),
        ("redis,browser", "no copy of a process can be had here", "failed"),
        ("redis,browser", "rotel is not installed: pip install rotel", "failed"),
        ("redis,browser", "lazy imports came with Python 3.15", "skipped"),
        ("redis,browser", "no Python 3.12.0 to 3.12.5 is installed", "skipped"),
        ("redis,browser", "no huge pages here", "skipped"),
        ("redis,compiler", "the walk through a copy is not compiled here", "failed"),
        ("redis,compiler", "gevent is not installed", "skipped"),
        ("redis", "the walk through a copy is not compiled here", "skipped"),
        ("", "gevent is not installed", "skipped"),
    ],
)
def test_a_skip_fails_where_everything_is_required(
    monkeypatch: pytest.MonkeyPatch, required: str, reason: str, outcome: str
) -> None:
    monkeypatch.setenv("MEMWATCH_TEST_REQUIRE", required)
    report = skipped(reason)
    skips.judge(report)
    assert report.outcome == outcome
