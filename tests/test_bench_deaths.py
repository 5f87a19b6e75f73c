"""The benchmark of deaths: its programs, and what counts as a right answer."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.deaths.catalogue import PROGRAMS
from benchmarks.deaths.program import (
    COMMANDS,
    EXPORT,
    IDLE,
    OOM,
    SERVERS,
    STOPPED,
    WEB,
    Again,
    End,
    Neighbour,
    Program,
)  # fmt: skip
from benchmarks.deaths.scoring import blamed, faults, is_job_right, is_reason_right, score
from benchmarks.deaths.second_scoring_half import SECOND_SCORING
from benchmarks.deaths.serving import command
from benchmarks.deaths.truth import assigned
from memwatch.records.flight import ENDINGS, RECYCLED_BY_MEMWATCH


def program(*ends: End, **values: Any) -> Program:
    return Program(**{"name": "p", "half": "tuning", "server": "sync", "do": (), "ends": ends, **values})


def said(reason: str | None, *, job: str = "", end: int = 0, seconds: float = 10.0) -> dict[str, Any]:
    return {"end": end, "pid": 7, "truly": "-9", "reason": reason, "job": job, "seconds": seconds}


def outcome(*ends: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"program": "p", "ends": list(ends), "surplus": [], "said dead": [], "leaks": [], **values}


KILLED = End(right=("sigkill",), job=EXPORT)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_what_it_says_and_with_the_means_it_has(name: str) -> None:
    chosen = PROGRAMS[name]
    assert command(chosen)
    hungry = any(isinstance(step, Neighbour | Again) for step in chosen.do)
    fatal = any(set(end.right) & set(OOM) for end in chosen.ends)
    assert bool(chosen.limit_mb) == (hungry or fatal)
    if chosen.server in COMMANDS or (chosen.server in WEB and not chosen.has_children):
        assert chosen.watched == 1
    for end in chosen.ends:
        assert end.at_least <= end.at_most
        assert end.who != "main" or chosen.has_watched_main
        assert end.job in (None, IDLE, *(getattr(step, "name", EXPORT) for step in chosen.do))


def test_sixty_programs_and_more_at_least_half_of_them_score_and_each_half_has_every_server_and_kind_of_end() -> None:
    halves = {half: [each for each in PROGRAMS.values() if each.half == half] for half in ("tuning", "scoring")}
    assert len(PROGRAMS) >= 60
    assert len(halves["scoring"]) >= len(halves["tuning"])
    for programs in halves.values():
        assert {each.server for each in programs} == set(SERVERS)
        reasons = {end.right[0] for each in programs for end in each.ends}
        ordered = {RECYCLED_BY_MEMWATCH}  # by a policy: benchmarks/recycling has those
        assert {*ENDINGS, *OOM, "sigkill", "crash"} - ordered <= reasons
        assert {each.transport for each in programs} == {"local", "redis"}
        assert {each.interval_s for each in programs} == {5, 60}
        assert any(not each.ends for each in programs)


def test_the_second_scoring_half_has_no_program_twice_and_of_each_kind_of_end_at_least_one() -> None:
    second = [each for each in PROGRAMS.values() if each.half == "scoring-2"]
    assert {each.name for each in second} == {each.name for each in SECOND_SCORING}
    assert len(second) == len(SECOND_SCORING) >= 16
    reasons = {end.right[0] for each in second for end in each.ends}
    assert reasons == {*OOM, "sigkill", "crash", "time_limit", "recycled", "stopped"}
    assert any(not each.ends for each in second)


def test_a_process_is_matched_with_the_narrowest_end_that_names_it() -> None:
    any_child, doer = End(right=STOPPED), End(right=("crash",), who="doer")
    found, surplus, missing = assigned(
        (any_child, doer), [(1, frozenset({"child", "doer"})), (2, frozenset({"child"})), (3, frozenset({"child"}))]
    )
    assert (found, surplus, missing) == ({1: doer, 2: any_child}, [3], [])


def test_what_did_not_end_is_missing_and_a_main_process_is_no_child() -> None:
    both = End(right=STOPPED, at_least=2, at_most=2)
    found, surplus, missing = assigned((both,), [(1, frozenset({"child"})), (2, frozenset({"main"}))])
    assert (set(found), surplus, missing) == ({1}, [2], [both])


def test_a_reason_is_right_if_it_is_one_of_those_declared_and_nothing_else_is_said_to_have_ended() -> None:
    chosen = program(KILLED)
    assert is_reason_right(chosen, outcome(said("sigkill")))
    assert not is_reason_right(chosen, outcome(said("oom_process")))
    assert not is_reason_right(chosen, outcome(said("sigkill"), surplus=[said("stopped")]))
    assert not is_reason_right(chosen, outcome(said("sigkill"), **{"said dead": [{"pid": 8, "reason": "crash"}]}))
    assert not is_reason_right(chosen, outcome(said(None)))
    assert is_reason_right(program(End(right=("sigkill",), may_lack=True)), outcome(said(None)))


def test_a_job_is_right_by_its_name_and_none_may_be_named_where_none_ran() -> None:
    assert is_job_right(program(KILLED), outcome(said("sigkill", job="reports:export")))
    assert not is_job_right(program(KILLED), outcome(said("sigkill", job="reports:home")))
    assert not is_job_right(program(KILLED), outcome(said("sigkill")))
    idle = program(End(right=("sigkill",), job=IDLE))
    assert is_job_right(idle, outcome(said("sigkill")))
    assert not is_job_right(idle, outcome(said("sigkill", job="reports:home")))
    assert is_job_right(program(End(right=("sigkill",))), outcome(said("sigkill", job="reports:home")))


def test_a_lack_of_memory_is_blamed_only_where_none_was() -> None:
    assert blamed(program(KILLED), outcome(said("oom_process"))) == ["oom_process"]
    assert blamed(program(End(right=("oom_process",))), outcome(said("oom_container"))) == []
    assert blamed(program(), outcome(leaks=["app.Row"])) == ["leak of app.Row"]
    assert blamed(program(), outcome(**{"said dead": [{"pid": 8, "reason": "oom_process"}]})) == ["oom_process"]


def test_a_half_is_within_its_limits_with_nineteen_of_twenty_right_and_none_blamed() -> None:
    programs = {"p": program(KILLED)}
    right, wrong = outcome(said("sigkill", job="reports:export")), outcome(said("unknown"))
    late = outcome(said("sigkill", job="reports:export", seconds=61))
    assert score(programs, [*[right] * 19, wrong], "tuning").within
    assert score(programs, [*[right] * 19, late], "tuning").within
    assert not score(programs, [*[right] * 18, wrong, wrong], "tuning").within
    assert not score(programs, [*[right] * 19, outcome(said("oom_process"))], "tuning").within
    assert score(programs, [right], "scoring").programs == 0


def test_what_is_wrong_is_said_with_how_the_process_truly_ended() -> None:
    assert faults(program(KILLED), outcome(said("unknown", seconds=70))) == [
        "pid 7 ended as -9: unknown", "job", "late",
    ]  # fmt: skip
    assert faults(program(KILLED), outcome(said("sigkill", job="reports:export"))) == []
