"""The benchmark of work: its programs, and what counts as a right answer."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.work.catalogue import PROGRAMS
from benchmarks.work.leak_types import ASKED, TYPES, UNTRACKED
from benchmarks.work.program import HALVES, POOLS, SERVERS, WEB, Leak, Program, evenly, leaning
from benchmarks.work.rehearse import expected, faults, totals
from benchmarks.work.scoring import beside, blamed_for_nothing, is_among, is_first, score
from benchmarks.work.serving import ROOT, SITE, budgets, drawn, in_turn, tide
from memwatch.agent.config import AgentConfig
from memwatch.sampling.budget import Budget

RETAINED = sorted({leak.how for each in PROGRAMS.values() if each.half != "tuning" for leak in each.leaks})


def program(**values: Any) -> Program:
    return Program(**{"name": "p", "half": "tuning", "server": "sync", "names": evenly("abcdef"), **values})


def outcome(
    *named: str, of_no_name: bool = False, answer: tuple[str, ...] = (), leak: str | None = None
) -> dict[str, Any]:
    leaks = [{"type": "app.Row", "of_no_name": of_no_name, "named": list(named)}] if named else []
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
    assert set(chosen.streaming) <= set(chosen.names)
    assert not chosen.streaming or chosen.server in WEB
    assert {*chosen.nested, *chosen.nested.values()} <= set(chosen.names)
    assert not chosen.nested or chosen.server in POOLS
    together = [each for group in chosen.together for each in group]
    assert len(together) == len(set(together))
    assert sorted(each for group, _weight in chosen.visits for each in group) == sorted(chosen.names)


def test_there_are_24_and_three_times_16_scoring_programs_of_every_server_and_some_without_a_leak() -> None:
    halves = {half: [each for each in PROGRAMS.values() if each.half == half] for half in HALVES}
    assert len(halves["scoring"]) == 24
    assert len(halves["scoring-2"]) == 16
    assert sum(not each.leaks for each in halves["scoring-2"]) == 10
    assert len(halves["scoring-3"]) == 16
    assert sum(not each.leaks for each in halves["scoring-3"]) == 9
    assert sum(bool(each.every_job) for each in halves["scoring-3"]) == 3
    assert len(halves["scoring-4"]) == 16
    assert sum(not each.leaks for each in halves["scoring-4"]) == 8
    for programs in halves.values():
        assert {each.server for each in programs} == set(SERVERS)
        assert any(not each.leaks and each.ticking for each in programs)
        assert any(not each.leaks and not each.ticking for each in programs)


def test_no_way_to_leak_and_no_name_is_in_two_halves() -> None:
    def used(half: str) -> set[str]:
        programs = [each for each in PROGRAMS.values() if each.half == half]
        return {name for each in programs for name in (*each.names, *(leak.how for leak in each.leaks))}

    for one, other in itertools.combinations(HALVES, 2):
        assert not used(one) & used(other)


@pytest.mark.parametrize("half", ["scoring-2", "scoring-3", "scoring-4"])
def test_nothing_that_is_kept_without_a_leak_is_both_in_a_later_scoring_half_and_in_another(half: str) -> None:
    def used(*, by_it: bool) -> set[str]:
        programs = [each for each in PROGRAMS.values() if (each.half == half) == by_it]
        kept = {name for each in programs for name in (*each.harmless, each.ticking, each.every_job)}
        return kept - {""}

    assert not used(by_it=True) & used(by_it=False)


def test_what_a_leak_is_asked_for_is_a_type_under_which_it_is_rightly_reported() -> None:
    for how, asked in ASKED.items():
        assert asked == UNTRACKED or how in {"rows", "strings", "closures"} or re.fullmatch(TYPES[how], asked), how


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
    assert blamed_for_nothing(leaking, outcome("b", of_no_name=True)) == ["b"]


@pytest.mark.parametrize("every_job", ["handler", "middleware", "postrun", "base", "recorder", "breadcrumbs"])
def test_for_what_is_kept_at_every_job_all_names_are_right_together_and_some_are_blamed(every_job: str) -> None:
    kept = program(every_job=every_job)
    assert blamed_for_nothing(kept, outcome(*kept.names)) == []
    assert blamed_for_nothing(kept, outcome("(every)")) == []
    assert blamed_for_nothing(kept, outcome("(every)", "b")) == ["(every)", "b"]
    assert blamed_for_nothing(program(), outcome("(every)")) == ["(every)"]
    assert blamed_for_nothing(kept, outcome("a", "b")) == ["a", "b"]
    assert blamed_for_nothing(kept, outcome("a")) == ["a"]
    leaking = program(every_job=every_job, leaks=(Leak(how="objects", names=("a",)),))
    assert blamed_for_nothing(leaking, outcome("a")) == []
    assert blamed_for_nothing(leaking, outcome("a", of_no_name=True)) == ["a"]


@pytest.mark.parametrize(
    ("kept", "named", "is_of_no_name"),
    [
        ({"ticking": "timer"}, "worksite.leaks.Tick", True),
        ({"ticking": "loop"}, "worksite.background.Message", True),
        ({"ticking": "loop"}, "worksite.leaks.Tick", False),
        ({"every_job": "middleware"}, "worksite.everyjob.TRACES", True),
        ({"every_job": "base", "ticking": "cron"}, "worksite.background.Run", True),
        ({"every_job": "base", "ticking": "cron"}, "worksite.everyjob.Outcome", True),
        ({"every_job": "records"}, "logging.LogRecord", True),
        ({"ticking": "patrol"}, "worksite.background.Patrol", True),
        ({"ticking": "profiler"}, "traceback.FrameSummary", True),
        ({"every_job": "breadcrumbs"}, "worksite.everyjob.Breadcrumb", True),
        ({"every_job": "base"}, "", False),
        ({}, "worksite.leaks.Tick", False),
        ({}, "", False),
    ],
)
def test_a_type_belongs_to_no_name_where_the_program_keeps_it_so(
    kept: dict[str, str], named: str, is_of_no_name: bool
) -> None:
    assert bool(re.fullmatch(program(**kept).of_no_name, named)) == is_of_no_name


@pytest.mark.parametrize(
    ("leak", "calls", "kept"),
    [
        (Leak(how="sets", names=("a", "b"), every=3, objects=(2, 4)), {"a": 7, "b": 2, "c": 9}, (4, 8)),
        (Leak(how="sets", names=("a", "b"), times={"b": 4}), {"a": 2, "b": 3}, (14, 14)),
        (Leak(how="sets", names=("a",), spell_s=15), {"a": 5}, (0, 5)),
    ],
)
def test_a_rehearsal_expects_what_the_calls_leave(leak: Leak, calls: dict[str, int], kept: tuple[int, int]) -> None:
    assert expected(leak, calls) == kept


def test_a_rehearsal_finds_what_is_kept_beside_the_declaration() -> None:
    leaking = program(names=evenly("ab"), leaks=(Leak(how="sets", names=("a",)),))
    right = {"calls": {"a": 3, "b": 2}, "kept": {"sets": 3}, "ticks": 0, "handled": 0}
    assert list(faults(leaking, [right])) == []
    assert len(list(faults(leaking, [{**right, "kept": {"sets": 5}}]))) == 1
    assert len(list(faults(leaking, [{**right, "calls": {"a": 3}}]))) == 1
    assert len(list(faults(leaking, [{**right, "ticks": 7}]))) == 1
    assert len(list(faults(leaking, [{**right, "handled": 9}]))) == 1


def test_a_rehearsal_adds_up_what_processes_hold() -> None:
    one = {"calls": {"a": 3, "b": 2}, "kept": {"sets": 3}, "ticks": 1, "handled": 0, "held": {"grants": 7}}
    other = {"calls": {"a": 1}, "kept": {}, "ticks": 0, "handled": 0, "held": {"grants": 2}}
    assert totals([one, other]) == {"calls": 6, "ticks": 1, "handled": 0, "sets": 3, "grants": 9}


@pytest.mark.parametrize(("kept", "wrong"), [(50, 0), (40, 0), (0, 1), (29, 1)])
def test_a_rehearsal_finds_jobs_for_which_nothing_is_kept(kept: int, wrong: int) -> None:
    handled = program(names=evenly("ab"), every_job="postrun")
    note = {"calls": {"a": 30, "b": 20}, "kept": {}, "ticks": 0, "handled": kept}
    assert len(list(faults(handled, [note]))) == wrong


def printed_by_the_site(folder: Path, code: str, planted: Program) -> Any:
    """What the code says in a process of the benchmark's site, from JSON."""
    environment = {
        **os.environ, "GUEST_FOLDER": str(folder), "PYTHONPATH": f"{SITE}:{ROOT}",
        "WORK_PROGRAM": planted.for_the_site(), "DJANGO_SETTINGS_MODULE": "worksite.settings", "MEMWATCH_AGENT": "off",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "auth", "-v0", "--skip-checks"], env=environment, check=True
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def kept_by_the_site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Of each way to leak, how many are kept after seven calls."""
    leaks = [Leak(how=how, names=("desk:draft",)) for how in RETAINED]
    planted = program(names=evenly(["desk:draft"]), leaks=leaks)
    kept: dict[str, int] = printed_by_the_site(tmp_path_factory.mktemp("site"), CALLED_SEVEN_TIMES, planted)
    return kept


CALLED_SEVEN_TIMES = """
import contextlib, gc, json
import django
django.setup()
from worksite import hoards, references, registries, retained
libraries = retained, references, registries, hoards
for how in [how for each in libraries for how in each.HOW.values()]:
    for _ in range(7):
        with contextlib.suppress(retained.LostError):
            how(object(), [])
gc.collect()
counts = {how: counted for each in libraries for how, counted in each.COUNTED.items()}
print(json.dumps({how: counted() for how, counted in counts.items()}))
"""


@pytest.mark.parametrize("how", RETAINED)
def test_each_way_to_leak_keeps_one_object_at_each_call(kept_by_the_site: dict[str, int], how: str) -> None:
    assert kept_by_the_site[how] == 7


CALLED_VERY_OFTEN = """
import json
import django
django.setup()
from worksite import bounded, expiring, temporary
kept_by = {**bounded.BOUNDED, **expiring.EXPIRING, **temporary.TEMPORARY}
sizes = {**bounded.SIZES, **expiring.SIZES, **temporary.SIZES}
for call in range(6_000):
    for kept in sizes:
        kept_by[kept]("ab"[call % 2])
print(json.dumps({kept: [size(), most] for kept, (size, most) in sizes.items()}))
"""


def test_what_is_kept_within_bounds_gets_there_and_stays(tmp_path: Path) -> None:
    sizes = printed_by_the_site(tmp_path, CALLED_VERY_OFTEN, program(names=evenly("ab")))
    assert len(sizes) == 17
    for kept, (size, most) in sizes.items():
        assert most / 2 < size <= most, kept


KEPT_FOR_TEN_MINUTES = """
import json
import django
django.setup()
from worksite.expiring import Replies, Vouchers, Windows
from worksite.temporary import Connections, Grants, Upload, Uploads
windows, replies, vouchers = Windows(), Replies(), Vouchers()
grants, connections, uploads = Grants(), Connections(), Uploads()
sizes, worked_off = [], []
for second in range(600):
    windows.add(second)
    replies.add(second)
    for name in "abcdefgh":
        vouchers.add(name, second)
    for _ in range(5):
        grants.add(second)
    taken = [connections.take(second % 30, second) for _ in range(3)]
    for connection in taken:
        connections.give_back(second % 30, connection, second)
    uploads.waiting.extend(Upload("a") for _ in range(30))
    if not uploads.rests(second):
        uploads.work(uploads.A_SECOND)
    if second % 100 == 99:
        replies.sweep(second)
        sizes.append([len(each) for each in (windows, replies, vouchers, grants, connections)])
        worked_off.append(len(uploads))
print(json.dumps([sizes, worked_off]))
"""


def test_what_expires_stays_as_large_under_the_same_load(tmp_path: Path) -> None:
    sizes, worked_off = printed_by_the_site(tmp_path, KEPT_FOR_TEN_MINUTES, program(names=evenly("abcdefgh")))
    assert len(sizes) == 6
    assert all(each == sizes[2] for each in sizes[2:])
    windows, replies, vouchers, grants, connections = sizes[-1]
    assert (windows, replies) == (60, 46)
    assert 500 < vouchers < 600  # eight a second, valid for 67 seconds on average
    assert 150 <= grants <= 210
    assert connections == 90
    assert 0 in worked_off
    assert max(worked_off) <= 900  # of 30 seconds of rest


def test_favourites_that_move_are_each_called_as_often_in_the_end() -> None:
    chosen = program(names={"a": 98.0, "b": 1.0, "c": 1.0}, moves=500)
    first, second = drawn(chosen, 1)[:500], drawn(chosen, 1)[500:1000]
    assert first.count("a") > 400
    assert second.count("b") > 400
    counts = [drawn(chosen, 1).count(name) for name in "abc"]
    assert max(counts) < 1.2 * min(counts)


def test_in_a_season_only_each_other_group_is_visited() -> None:
    visits = drawn(program(names=evenly("abcde"), seasons=200), 1)
    assert set(visits[:200]) == {"a", "c", "e"}
    assert set(visits[200:400]) == {"b", "d"}
    assert set(visits[400:600]) == {"a", "c", "e"}


@pytest.mark.parametrize(("load", "lasts_s"), [("pauses", 225), ("waves", 240), ("ramp", 240)])
def test_a_load_that_varies_is_as_large_on_the_whole(load: str, lasts_s: int) -> None:
    tides = [tide(program(**{load: True}), second) for second in range(lasts_s)]
    assert sum(tides) / lasts_s == pytest.approx(1.0, rel=0.02)
    assert min(tides) < 0.5
    assert max(tides) > 1.4


def test_hardly_anything_is_visited_in_a_pause() -> None:
    tides = [tide(program(pauses=True), second) for second in (0.0, 29.0, 30.0, 44.0, 45.0)]
    assert tides == [1.5, 1.5, 0.02, 0.02, 1.5]


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
