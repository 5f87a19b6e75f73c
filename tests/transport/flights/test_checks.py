"""The end of a process, as another one reports it, is hostile input."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from memwatch.records.flight import MAX_DEATHS, MAX_RECENT, MAX_RUNNING, MAX_SECONDS, Death, JobRun
from memwatch.transport.flights.checks import MAX_FLIGHT_BYTES, flight_bytes, load_flight
from memwatch.transport.wire import Report, WireError
from tests.transport.test_wire import death, report


def decoded(**changes: Any) -> Death:
    return decoded_of({**death().to_dict(), **changes})


def with_flight(**changes: Any) -> Death:
    value = death().to_dict()
    return decoded_of({**value, "flight": {**value["flight"], **changes}})


def decoded_of(value: Any) -> Death:
    whole = json.loads(report().encode())
    return Report.decode(json.dumps({**whole, "deaths": [value]}).encode()).deaths[0]


def test_what_is_not_known_is_left_out() -> None:
    assert decoded(status=None, status_from=None, kernel_line=None, oom_kills=None).status is None
    bare = {"key": "k", "noticed_at": death().noticed_at.isoformat()}
    assert decoded_of(bare) == Death(key="k", noticed_at=death().noticed_at)


def test_words_of_a_newer_agent_are_left_out() -> None:
    found = with_flight(
        state="dreaming",
        ending="promoted",
        running=[["dream", "of sheep", 1.0], ["view", "index", 1.0, None, None, "new"]],
        growers=[["dict", 5, "new"]],
    ).flight
    assert found is not None
    assert (found.state, found.ending, found.running) == ("running", "", (JobRun("view", "index", 1.0),))
    assert found.growers == (("dict", 5),)
    assert decoded(status_from="an oracle", colour=1).status_from == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 256},
        {"status": -129},
        {"status": 1.5},
        {"status": True},
        {"noticed_at": "now"},
        {"oom_kills": -1},
        {"kernel_line": 5},
        {"key": ""},
        {"key": "other"},
        {"key": "x" * 1001},
        {"key": "a\nb"},
        {"flight": []},
        {"flight": {}},
    ],
)
def test_a_wrong_end_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decoded(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": -1},
        {"pid": 2**40},
        {"started_at": 5},
        {"written_at": "2300-01-01T00:00:00+00:00"},
        {"running": {}},
        {"running": [["view"]]},
        {"running": [["view", "x", "long ago"]]},
        {"running": [["view", "x", 1e300]]},
        {"running": [["view", "x", 1.0]] * (MAX_RUNNING + 1)},
        {"recent": [["view", "x", 1.0, -1.0]]},
        {"recent": [["view", "x", 1.0, 1.0]] * (MAX_RECENT + 1)},
        {"rss_seconds": [[1.0]]},
        {"rss_seconds": [[1.0, None]]},
        {"rss_seconds": [[1.0, 1.0]] * (MAX_SECONDS + 1)},
        {"growers": [["dict", 1.5]]},
        {"growers": [["dict", 1]] * 11},
        {"summary": [[5, 1]]},
        {"summary": [["dict", 1, "much"]]},
        {"summary_at": 5},
        {"time_limit_s": "long"},
        {"limit_source": 1},
    ],
)
def test_a_wrong_record_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        with_flight(**changes)


@pytest.mark.parametrize("oom", [5, [1], [1, -1], ["a", 1], {"a": 1}])
def test_wrong_counters_are_refused(oom: Any) -> None:
    whole = json.loads(report().encode())
    with pytest.raises(WireError):
        Report.decode(json.dumps({**whole, "oom": oom}).encode())


def test_more_ends_than_one_report_may_bring_are_refused() -> None:
    assert len(Report.decode(report(deaths=(death(),) * MAX_DEATHS).encode()).deaths) == MAX_DEATHS
    with pytest.raises(WireError):
        Report.decode(report(deaths=(death(),) * (MAX_DEATHS + 1)).encode())


def test_a_record_left_behind_comes_back_as_it_was() -> None:
    record = death().flight
    assert record is not None
    assert load_flight(flight_bytes(record)) == record


def test_the_span_of_a_job_comes_back_and_what_is_none_is_left_out() -> None:
    record = death().flight
    assert record is not None
    span = f"{5:032x}-{7:016x}"
    jobs = (JobRun("view", "a", 1.0, span=span), JobRun("view", "b", 2.0, span="<b>"))
    found = load_flight(flight_bytes(dataclasses.replace(record, running=jobs)))
    assert [job.span for job in found.running] == [span, ""]


def test_a_record_that_is_too_long_loses_its_eldest_jobs() -> None:
    record = death().flight
    assert record is not None
    jobs = tuple(JobRun("view", "näme" * 75, float(number), 1.0) for number in range(MAX_RECENT))
    full = dataclasses.replace(record, running=jobs, recent=jobs)
    payload = flight_bytes(full)
    assert len(payload) <= MAX_FLIGHT_BYTES
    kept = load_flight(payload)
    assert kept.running == jobs
    assert 0 < len(kept.recent) < MAX_RECENT
    assert kept.recent == jobs[: len(kept.recent)]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff", b"x" * (MAX_FLIGHT_BYTES + 1)])
def test_what_is_no_record_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        load_flight(payload)
