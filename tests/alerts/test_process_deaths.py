"""When processes that were killed raise an alert, from values alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from memwatch.alerts import DeathsView, Finding, Fleet, Place, decide
from memwatch.conf import Settings

LAST = DeathsView(
    service_id=1, service="web", in_hour=1, reasons={"oom_process": 1}, last=Place(id=7, name="web-3 on a"),
    reason="oom_process", sentence="The kernel killed it because memory ran out. It had 498 MB of 512 MB.",
)  # fmt: skip


def found(**values: Any) -> Finding:
    (finding,) = decide(Fleet(deaths=(dataclasses.replace(LAST, **values),)), Settings())
    return finding


def test_one_killed_process_is_high_and_named_with_what_to_do() -> None:
    finding = found()
    assert (finding.type, finding.severity, finding.subject) == ("process_killed", "high", "deaths:1")
    assert (finding.value, finding.threshold, finding.process_id) == (1, None, 7)
    assert finding.message == (
        "web-3 on a: The kernel killed it because memory ran out. It had 498 MB of 512 MB. "
        "See which job was running and what had grown: one job took much, or the process was nearly full before."
    )


def test_several_are_one_alert_that_counts_them() -> None:
    finding = found(in_hour=2, reasons={"crash": 1, "oom_process": 1})
    assert finding.severity == "high"
    assert "In the last hour 2 processes of web ended: 1 crash, 1 out of memory." in finding.message


@pytest.mark.parametrize(
    ("in_hour", "reasons"), [(3, {"sigkill": 3}), (40, {"oom_process": 40}), (1, {"oom_container": 1})]
)
def test_many_of_an_hour_and_a_whole_container_are_critical(in_hour: int, reasons: dict[str, int]) -> None:
    assert found(in_hour=in_hour, reasons=reasons).severity == "critical"


def test_without_evidence_it_says_so() -> None:
    assert found(sentence="").message.startswith("web-3 on a: it ended, and its evidence is gone.")
