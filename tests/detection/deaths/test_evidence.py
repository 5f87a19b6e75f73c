"""What is kept of an end."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from typing import Any

from memwatch.detection.deaths import Facts, decide, evidence
from memwatch.records.flight import JobRun, TypeSize
from tests.detection.deaths.facts import AT, ONE_KILL, facts, running

NOW = AT.timestamp()
FULL: dict[str, Any] = {
    "recent": (JobRun("view", "orders:list", NOW - 12, 2.0), JobRun("task", "shop.mail", NOW - 100, 60.0)),
    "rss_seconds": ((NOW - 2, 480.0), (NOW - 1, 505.04)),
    "container_mb": 511.0, "container_limit_mb": 512.0, "limit_source": "cgroup",
    "growers": (("builtins.dict", 5_000),),
    "summary": (TypeSize("builtins.bytes", 12, 300.0),), "summary_at": AT - timedelta(seconds=20),
}  # fmt: skip


def kept(known: Facts) -> dict[str, Any]:
    found = evidence(known, decide(known))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_a_death_is_kept_with_all_that_was_recorded() -> None:
    end = {"status": -signal.SIGKILL, "status_from": "pidfd", "oom": ONE_KILL, "rss_mb": 500.0, "limit_mb": 512.0}
    known = facts(running(limit_s=300.0), record=FULL, **end)
    found = kept(known)
    job = {"kind": "task", "name": "shop.sync", "seconds": 30.0, "limit_s": 300.0, "span": ""}
    assert found == {
        "sentence": decide(known).sentence,
        "certain": True, "signal": "SIGKILL", "status": -9, "status_from": "pidfd", "noticed_by": "process",
        "noticed_at": AT.isoformat(), "recorded": True, "job": job, "jobs": [job],
        "recent": [["view", "orders:list", 2.0, 10.0], ["task", "shop.mail", 60.0, 40.0]],
        "rss_mb": 500.0, "peak_mb": 505.0, "limit_mb": 512.0, "limit_source": "cgroup", "container_mb": 511.0,
        "container_limit_mb": 512.0, "rss_seconds": [[2.0, 480.0], [1.0, 505.0]],
        "growers": [["builtins.dict", 5_000]], "summary": [["builtins.bytes", 12, 300.0]],
        "summary_seconds_before_end": 20.0,
        "oom": {"before": 2, "after": 3, "group_before": 0, "group_after": 0}, "kernel_line": "",
    }  # fmt: skip


def test_the_keys_are_the_same_where_nothing_is_known() -> None:
    full = kept(facts(running(), record=FULL))
    empty = kept(Facts(at=AT))
    assert list(empty) == list(full)
    assert (empty["recorded"], empty["job"], empty["oom"], empty["rss_seconds"]) == (False, None, None, [])


def test_of_an_end_that_was_meant_little_is_kept() -> None:
    found = kept(facts(running(), record=FULL, status=-signal.SIGTERM))
    assert found["job"]["name"] == "shop.sync"
    assert [found[name] for name in ("jobs", "recent", "rss_seconds", "growers", "summary")] == [[], [], [], [], None]


def test_no_flight_can_make_it_large() -> None:
    name = "x" * 300
    many: dict[str, Any] = {
        "recent": (JobRun("view", name, NOW, 2.0),) * 999, "rss_seconds": ((NOW, 480.0),) * 999,
        "growers": ((name, 1),) * 999, "summary": (TypeSize(name, 1, 1.0),) * 999,
    }  # fmt: skip
    found = kept(facts(*(running(name),) * 999, record=many))
    assert len(json.dumps(found)) < 40_000


def test_the_job_is_the_one_at_its_time_limit_else_the_eldest() -> None:
    jobs = running("young", 5), running("old", 500), running("late", 60, limit_s=59.0)
    assert kept(facts(*jobs))["job"]["name"] == "late"
    assert kept(facts(*jobs[:2]))["job"]["name"] == "old"
    assert kept(facts(running("celery worker", 900, kind="command"), *jobs[:2]))["job"]["name"] == "old"


def test_what_a_clock_that_was_set_says_is_not_below_zero() -> None:
    found = kept(facts(running(for_s=-50), record={"rss_seconds": ((NOW + 9, 1.0),)}))
    assert (found["job"]["seconds"], found["rss_seconds"]) == (0.0, [[0.0, 1.0]])
