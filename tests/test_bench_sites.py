"""The benchmark of real sites: what counts as a right answer."""

from __future__ import annotations

from typing import Any, cast

import pytest

from benchmarks.sites import run, watching
from benchmarks.sites.deployment import Deployment
from benchmarks.sites.recipes import SITES
from benchmarks.sites.scoring import Told, false_verdicts, first_growth, is_named, judge
from benchmarks.sites.truth import LEAKS, PLANTED, scoring


def leak(**values: Any) -> dict[str, Any]:
    return {"id": 1, "service": "web", "object_type": "dict", "verdict": "", "evidence": {}, **values}


def told(source: str, at: float, **values: Any) -> Told:
    return Told(source=source, at=at, row=leak(**values), names={}, named_at=None)


@pytest.mark.parametrize("name", LEAKS)
def test_each_leak_has_lines_that_are_marked_in_its_file(name: str) -> None:
    planted = LEAKS[name]
    assert planted.lines
    for line in planted.lines:
        file, _, number = line.partition(":")
        assert f"leak: {name}" in (PLANTED / file).read_text().splitlines()[int(number) - 1]


def test_half_of_the_leaks_score_and_each_site_has_some() -> None:
    half = scoring(SITES)
    assert len(half) == len(SITES) * len(LEAKS) // 2
    assert {site for site, _leak in half} == set(SITES)


def test_a_leak_is_named_by_its_type_or_its_container_in_its_own_service() -> None:
    planted = LEAKS["closure"]
    assert is_named(planted, leak(object_type="function"))
    assert is_named(planted, leak(evidence={"container": "siteaudit.registry.CALLBACKS"}))
    assert not is_named(planted, leak())
    assert not is_named(planted, leak(object_type="function", service="worker"))


def test_a_wrong_holder_counts_as_wrong_unless_marked_unsure() -> None:
    planted = LEAKS["request"]
    line = min(planted.lines)
    right = judge(planted, {"held_by": "AuditTrail.trail", "your_code": f"/srv/{line}"})
    assert (right.holder, right.wrong_holder, right.line) == (True, False, True)
    other = {"held_by": "django.core.signals.request_started", "your_code": "siteaudit/middleware.py:1"}
    wrong = judge(planted, other)
    assert (wrong.holder, wrong.wrong_holder, wrong.line) == (False, True, False)
    assert not judge(planted, {**other, "sure": False}).wrong_holder
    assert not judge(planted, {}).wrong_holder


def test_a_verdict_is_false_where_nothing_leaks_or_nothing_leaked_yet() -> None:
    rows = [told("leaks", 5), told("leaks", 15), told("leaks", 15, service="worker"), told("alerts", 15, type="leak")]
    assert len(false_verdicts(rows, "web", 10)) == 2
    assert len(false_verdicts(rows, None, 10)) == 3


def test_growth_is_said_by_any_finding_of_the_service_but_not_by_collections() -> None:
    rows = [told("alerts", 11, type="gc_spike"), told("alerts", 12, type="growth_rate"), told("leaks", 14)]
    assert first_growth(rows, "web", 10) == 12
    assert first_growth(rows, "worker", 10) is None


class Answering:
    """A deployment whose API refuses a recording some times, and ends at once the one that it begins."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.asked = refusals, 0

    def post(self, _path: str, _values: Any) -> tuple[int, Any]:
        self.asked += 1
        return (409, "it is recording already") if self.asked <= self.refusals else (202, {"id": 7})

    def get(self, _path: str) -> Any:
        return {"id": 7, "state": "done", "conclusion": {"held_by": "shop.views.SEEN"}}


def test_the_cause_is_asked_for_again_while_memwatch_records_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BUSY_PAUSE_S", 0.0)
    recorded = watching.find_the_cause(cast("Deployment", Answering(refusals=2)), 1)
    assert (recorded.refused, recorded.conclusion) == ("", {"held_by": "shop.views.SEEN"})


def test_a_process_that_is_recorded_all_the_time_ends_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BUSY_S", 0.0)
    assert watching.find_the_cause(cast("Deployment", Answering(refusals=9)), 1).refused.startswith("409")


def test_a_result_keeps_the_evidence_of_each_finding() -> None:
    row = leak(evidence={"holder": "shop.views.SEEN"}, unknown=1)
    assert run._short(row)["evidence"] == {"holder": "shop.views.SEEN"}
    assert "unknown" not in run._short(row)
