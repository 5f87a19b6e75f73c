"""The benchmark of real processes: a few cheap programs, and that its cases are what they are said to be."""

import pytest

from benchmarks.leaks import runs
from benchmarks.leaks.case import EARLIER, GROUPS, HALVES, LATER, REPORTS, UNSEEN, group_of, load, names
from benchmarks.leaks.processes import LENGTHS, Judged, names_culprit, spacings_differ, table

TAUGHT = {"jsonschema_resolvers", "pydantic_cached_classes", "pydantic_generic_models", "sqlalchemy_compiled"}
"""What a look into the heap was mended by."""
CASES = {name: load(name).CASE for name in names()}


def test_there_are_enough_cases_of_every_kind():
    leaking = [case for case in CASES.values() if case.leaks]
    assert len(CASES) >= 30
    assert sum(case.released for case in leaking) >= 8
    assert sum(not case.released for case in leaking) >= 6
    assert sum(case.leaks is None for case in CASES.values()) >= 10
    assert sum(case.leaks != "objects" for case in leaking) * 3 >= len(leaking)


def test_each_half_has_leaks_of_packages_of_programs_and_harmless_cases():
    for half in HALVES:
        of_half = [case for case in CASES.values() if case.half == half]
        assert {bool(case.leaks) for case in of_half} == {True, False}
        assert any(case.released for case in of_half)
    assert {case.half for case in CASES.values()} == set(HALVES)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.released])
def test_a_leak_of_a_package_names_both_releases_and_where_upstream_tells_of_it(name):
    case = CASES[name]
    assert case.leaking_release.partition("==")[0] == case.fixed_release.partition("==")[0]
    assert case.leaking_release != case.fixed_release
    assert case.source.startswith("https://")


@pytest.mark.parametrize(("group", "enough"), [(REPORTS, 60), (LATER, 26), (UNSEEN, 26)])
def test_programs_of_reports_score_until_they_teach_and_name_the_report_and_the_releases(group, enough):
    reports = {name: CASES[name] for name in names() if group_of(name) == group}
    assert len(reports) >= enough
    assert sum(case.leaks is None for case in reports.values()) * 3 >= len(reports)
    for name, case in reports.items():
        repository = "/".join(case.source.removeprefix("https://github.com/").split("/")[:2])
        assert case.half == ("tuning" if name.rpartition(".")[2] in TAUGHT else "scoring"), name
        assert repository in (load(name).__doc__ or ""), name
        assert all("==" in package for package in case.requires), name


@pytest.mark.parametrize("group", [LATER, UNSEEN])
def test_no_report_is_told_twice_in_the_later_programs(group):
    later = [case.source for name, case in CASES.items() if group_of(name) == group]
    others = {case.source for name, case in CASES.items() if group_of(name) != group}
    assert len(set(later)) == len(later)
    assert others.isdisjoint(later)


def test_a_group_of_programs_is_run_apart_in_an_environment_with_all_that_it_names():
    apart = {group: runs.planned(None, group=group) for group in GROUPS}
    assert {run.name for group in apart.values() for run in group} == set(CASES)
    assert not any("." in run.name for run in apart[EARLIER])
    assert all(run.name.startswith(f"{group}.") for group in (REPORTS, LATER, UNSEEN) for run in apart[group])
    first, fixed = runs.planned(None, ["reports.documents.pillow_coordinates"])
    assert (first.release, fixed.release) == ("pillow==12.1.1", "pillow==12.2.0")
    (alone,) = runs.planned(None, ["reports.documents.pandas_frames"])
    assert alone.release == "pandas==2.2.3 numpy==2.1.3"
    assert not alone.leaking


@pytest.fixture(scope="module")
def judged():
    """Twenty short snapshots of three programs, each in a process of its own."""
    wanted = runs.planned(None, ["app_retry_errors", "app_seen_numbers", "fine_compiled_patterns"])
    return [Judged.of(runs.measured(run, snapshots=21, steps=800), LENGTHS[:1]) for run in wanted]


def test_leaks_of_real_processes_are_found_and_named_and_a_full_cache_is_silent(judged):
    for item in judged:
        for leaks in item.ours.values():
            assert bool(leaks) == item.run.leaking, item.run.label
            assert not leaks or names_culprit(item.run.case, leaks)


def test_real_times_and_times_a_minute_apart_give_the_same_verdicts(judged):
    assert spacings_differ(judged) == 0


def test_the_table_tells_both_rules_side_by_side(judged):
    head, line, *_ = table(judged, LENGTHS[:1])
    assert "contract" in head
    assert "memwatch" in head
    assert line.split()[0] == "20"
