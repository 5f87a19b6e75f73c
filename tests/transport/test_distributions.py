"""Distributions in a report: they arrive as they were sent, and nothing hostile gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memwatch.records.distributions import MAX_DISTRIBUTIONS, MAX_PACKAGES, Distribution, Package
from memwatch.transport.wire import MAX_REPORT_BYTES, Report, WireError
from tests.reports import report

FOUND = (Distribution("celery", "5.3.6", True), Distribution("django", "5.2"))


def sent(value: Any) -> bytes:
    payload = json.loads(report().encode())
    payload["distributions"] = value
    return json.dumps(payload).encode()


def test_they_arrive_as_they_were_sent() -> None:
    assert Report.decode(report(distributions=FOUND).encode()).distributions == FOUND


def test_an_older_agent_says_nothing_and_a_newer_one_more() -> None:
    payload = json.loads(report().encode())
    del payload["distributions"]
    assert Report.decode(json.dumps(payload).encode()).distributions is None
    assert Report.decode(sent([["celery", "5.3.6", True, "more"]])).distributions == FOUND[:1]


def test_as_many_as_may_be_fit_into_a_report() -> None:
    most = tuple(Distribution(f"{n:03}{'x' * 97}", "1" * 60, True) for n in range(MAX_DISTRIBUTIONS))
    assert len(report(distributions=most).encode()) < MAX_REPORT_BYTES / 8
    assert Report.decode(report(distributions=most).encode()).distributions == most


def test_texts_are_cut_and_cleaned() -> None:
    ((name, version, _),) = Report.decode(sent([["a\x00\x1b" + "b" * 500, "1" * 500, 1]])).distributions or ()
    assert name.isprintable()
    assert (len(name), len(version)) == (100, 60)


@pytest.mark.parametrize(
    "value",
    [7, "celery", {}, [7], [["celery"]], [["celery", "5.3"]], [[1, "5.3", True]], [["a", None, True]],
     [["a", "1", True]] * (MAX_DISTRIBUTIONS + 1)],
)  # fmt: skip
def test_what_is_none_is_refused(value: Any) -> None:
    with pytest.raises(WireError) as refused:
        Report.decode(sent(value))
    assert refused.value.reason == "malformed"


PACKAGES = (Package("(standard library)", 412), Package("celery", 96, "celery"))


def sent_packages(value: Any) -> bytes:
    payload = json.loads(report().encode())
    payload["packages"] = value
    return json.dumps(payload).encode()


def test_packages_arrive_as_they_were_sent() -> None:
    assert Report.decode(report(packages=PACKAGES).encode()).packages == PACKAGES
    assert Report.decode(sent_packages([["celery", 96, "celery", "more"]])).packages == PACKAGES[1:]
    assert Report.decode(sent_packages(None)).packages is None
    most = tuple(Package(f"{n:03}{'x' * 97}", 10**6, "y" * 100) for n in range(MAX_PACKAGES + 1))
    assert Report.decode(report(packages=most).encode()).packages == most


@pytest.mark.parametrize(
    "value",
    [7, {}, [7], [["celery", 1]], [["celery", "1", ""]], [["celery", -1, ""]], [["celery", 10**9, ""]],
     [["celery", True, ""]], [["a", 1, ""]] * (MAX_PACKAGES + 2)],
)  # fmt: skip
def test_packages_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(WireError) as refused:
        Report.decode(sent_packages(value))
    assert refused.value.reason == "malformed"
