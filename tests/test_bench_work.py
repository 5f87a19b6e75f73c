"""The benchmark of work: its programs, and what counts as a right answer."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from benchmarks.work.catalogue import PROGRAMS
from benchmarks.work.program import HALVES, SERVERS, WEB, Leak, Program, evenly, leaning
from benchmarks.work.scoring import beside, blamed_for_nothing, is_among, is_first, score
from benchmarks.work.serving import budgets, drawn, in_turn
from memwatch.agent.config import AgentConfig
from memwatch.sampling.budget import Budget


def program(**values: Any) -> Program:
    return Program(**{"name": "p", "half": "tuning", "server": "sync", "names": evenly("abcdef"), **values})


def outcome(*named: str, ticks: bool = False, answer: tuple[str, ...] = (), leak: str | None = None) -> dict[str, Any]:
    leaks = [{"type": "app.Row", "ticks": ticks, "named": list(named)}] if named else []
    return {"program": "p", "leaks": leaks, "answers": [{"named": list(answer), "leak": leak}] if answer else []}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_calls_what_leaks_and_what_goes_together(name: str) -> None:
    chosen = PROGRAMS[name]
    assert chosen.server in SERVERS
    for leak in chosen.leaks:
        assert set(leak.names) <= set(chosen.names)
        assert leak.how != "requests" or chosen.server in WEB
        assert not leak.taken_by or leak.taken_by in set(chosen.names) - set(leak.names)
    assert set(chosen.slow) <= set(chosen.names)
    together = [each for group in chosen.together for each in group]
    assert len(together) == len(set(together))
    assert sorted(each for group, _weight in chosen.visits for each in group) == sorted(chosen.names)


def test_at_least_half_of_the_programs_score_and_each_half_has_every_server_and_some_without_a_leak() -> None:
    halves = {half: [each for each in PROGRAMS.values() if each.half == half] for half in HALVES}
    assert len(PROGRAMS) >= 24
    assert len(halves["scoring"]) >= len(halves["tuning"])
    for programs in halves.values():
        assert {each.server for each in programs} == set(SERVERS)
        assert any(not each.leaks and each.ticking for each in programs)
        assert any(not each.leaks and not each.ticking for each in programs)


def test_a_name_that_always_comes_with_the_culprit_is_right() -> None:
    chosen = program(leaks=(Leak(how="objects", names=("b",)),), together=(("a", "b"),))
    (leak,) = chosen.leaks
    assert is_first(chosen, leak, ["a", "b"])
    assert not is_first(chosen, leak, ["c", "b"])
    assert is_among(chosen, leak, ["c", "d", "b"])
    assert not is_among(chosen, leak, ["c", "d", "e", "b"])
    assert beside(chosen, leak, ["a", "c", "b"]) == ["c"]
    assert not is_first(chosen, leak, [])


def test_of_two_culprits_either_may_be_first_and_both_must_be_among_three() -> None:
    chosen = program(leaks=(Leak(how="objects", names=("a", "b")),))
    (leak,) = chosen.leaks
    assert is_first(chosen, leak, ["b"])
    assert not is_among(chosen, leak, ["b"])
    assert is_among(chosen, leak, ["b", "c", "a"])


def test_names_are_blamed_for_nothing_where_none_leaks_or_for_what_a_timer_keeps() -> None:
    assert blamed_for_nothing(program(), outcome("a", "b")) == ["a", "b"]
    leaking = program(leaks=(Leak(how="objects", names=("a",)),), ticking="timer")
    assert blamed_for_nothing(leaking, outcome("b")) == []
    assert blamed_for_nothing(leaking, outcome("b", ticks=True)) == ["b"]


def test_a_half_is_within_its_limits_with_nine_of_ten_first_and_nobody_blamed() -> None:
    programs = {"p": program(leaks=(Leak(how="objects", names=("a",)),)), "q": program(name="q")}
    right, second = outcome(answer=("a",), leak="app.Row"), outcome(answer=("b", "a"))
    found = score(programs, [*[right] * 9, second], "tuning")
    assert (found.leaks, found.first, found.among, found.opened, found.blamed) == (10, 9, 10, 9, 0)
    assert found.within
    assert not score(programs, [*[right] * 8, second, second], "tuning").within
    assert not score(programs, [right, {**outcome("c"), "program": "q"}], "tuning").within
    assert score(programs, [right], "scoring").leaks == 0


def test_steady_visits_come_in_turn_and_by_their_weights() -> None:
    turns = list(itertools.islice(in_turn(["a", "b", "c"], [2, 1, 1]), 8))
    assert turns[:4] == turns[4:]
    assert sorted(turns[:4]) == ["a", "a", "b", "c"]


def test_visits_are_the_same_in_every_run() -> None:
    chosen = PROGRAMS["sync none of thirty"]
    assert drawn(chosen, 1) == drawn(chosen, 1)
    assert drawn(chosen, 1) != drawn(chosen, 2)


def test_what_is_visited_in_a_row_comes_in_rows_of_that_length() -> None:
    rows = [len(list(row)) for _name, row in itertools.groupby(drawn(program(in_a_row=12), 1))]
    assert {length % 12 for length in rows} == {0}
    assert min(rows) == 12


def test_some_names_have_the_shares_they_are_given_and_the_others_divide_the_rest() -> None:
    shares = leaning("abcd", {"a": 0.7})
    assert shares["a"] == 0.7
    assert [shares[name] for name in "bcd"] == pytest.approx([0.1] * 3)


def test_a_census_without_the_compiled_walk_can_come_with_each_short_interval() -> None:
    cpu, pause = (float(budgets(1.0)[f"MEMWATCH_{name}"]) for name in ("CPU_BUDGET_PERCENT", "PAUSE_BUDGET_MS"))
    budget = Budget(cpu_share=cpu / 100, pause_ms=pause)
    taken = 0
    for second in range(240):
        budget.earn(float(second))
        if budget.allows():
            taken += 1
            budget.charge(cpu_ms=150.0, pause_ms=80.0)
    assert taken == 240


def test_at_the_usual_interval_the_budgets_are_the_usual_ones() -> None:
    assert budgets(AgentConfig.snapshot_interval) == {
        "MEMWATCH_CPU_BUDGET_PERCENT": f"{AgentConfig.cpu_budget_percent:g}",
        "MEMWATCH_PAUSE_BUDGET_MS": f"{AgentConfig.pause_budget_ms:g}",
    }
