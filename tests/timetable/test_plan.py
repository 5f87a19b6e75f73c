"""Which steps are due."""

from __future__ import annotations

from memwatch.timetable.plan import Plan, due_once


def test_what_never_ran_begins_at_once_and_what_ran_elsewhere_when_its_interval_is_over() -> None:
    plan = Plan({"ingest": 5.0, "prune": 3600.0, "judge": 60.0}, {"prune": 600.0, "judge": 90.0}, now=100.0)
    assert set(plan.begin(100.0)) == {"ingest", "judge"}
    assert plan.wait_s(100.0) == 3000.0
    assert plan.begin(3100.0) == ["prune"]


def test_a_step_that_runs_is_not_begun_again_before_it_has_ended() -> None:
    plan = Plan({"ingest": 5.0}, {}, now=0.0)
    assert plan.begin(0.0) == ["ingest"]
    assert plan.begin(20.0) == []
    assert plan.wait_s(20.0) is None
    assert plan.running == ["ingest"]
    plan.end("ingest", 20.0)
    assert plan.running == []
    assert plan.begin(20.0) == ["ingest"]


def test_a_step_begins_an_interval_after_its_last_begin() -> None:
    plan = Plan({"ingest": 5.0}, {}, now=0.0)
    plan.begin(0.0)
    plan.end("ingest", 2.0)
    assert plan.wait_s(2.0) == 3.0


def test_the_longest_overdue_begins_first() -> None:
    plan = Plan({"ingest": 5.0, "judge": 60.0}, {"ingest": 1.0, "judge": 59.0}, now=0.0)
    assert plan.begin(10.0) == ["judge", "ingest"]


def test_a_timer_that_comes_each_minute_runs_the_hourly_step_each_hour_and_the_others_each_time() -> None:
    every = {"ingest": 5.0, "judge": 60.0, "prune": 3600.0}
    assert due_once(every, {}) == ["ingest", "judge", "prune"]
    assert due_once(every, {"ingest": 58.0, "judge": 58.0, "prune": 58.0}) == ["ingest", "judge"]
    assert due_once(every, {"ingest": 1.0, "judge": 1.0, "prune": 3580.0}) == ["prune"]
