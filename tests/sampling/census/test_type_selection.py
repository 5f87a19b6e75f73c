"""Which types a snapshot reports."""

from __future__ import annotations

from collections.abc import Mapping

from memwatch.sampling.census.type_selection import ReportedTypes

CROWD = {f"crowd{number}": 10_000 + number for number in range(30)}


def reported(counts: Mapping[str, int], *, top: int = 20, growers: int = 10) -> ReportedTypes:
    types = ReportedTypes(top=top, growers=growers)
    types.choose(counts)
    return types


def test_the_most_numerous_come_first() -> None:
    top_objects, backfill = ReportedTypes(top=5, growers=5).choose(CROWD)
    assert list(top_objects) == [f"crowd{number}" for number in range(29, 24, -1)]
    assert backfill is None


def test_a_small_type_that_grows_is_reported_with_its_count_at_the_baseline() -> None:
    types = reported({**CROWD, "leak": 3})
    top_objects, backfill = types.choose({**CROWD, "leak": 40})
    assert top_objects["leak"] == 40
    assert backfill == {"leak": 3}
    assert types.choose({**CROWD, "leak": 50})[1] is None


def test_a_type_unknown_at_the_baseline_was_zero_there() -> None:
    assert reported(CROWD).choose({**CROWD, "leak": 40})[1] == {"leak": 0}


def test_at_least_five_growers_outside_the_most_numerous_are_reported() -> None:
    growers = {f"small{number}": 10 + number for number in range(20)}
    top_objects, _ = reported(CROWD).choose({**{name: count + 1000 for name, count in CROWD.items()}, **growers})
    assert len(set(top_objects) - set(sorted(CROWD, key=CROWD.__getitem__)[-20:])) >= 5


def test_types_that_grow_as_the_last_one_chosen_are_reported_too() -> None:
    """A kept request brings more types with it than the growers that are reported; its own is to be among them."""
    parts = {f"part{number}": 50 for number in range(15)}
    few = {f"few{number}": 3 for number in range(15)}
    assert set(reported(CROWD).choose({**CROWD, **parts})[0]) >= set(parts)
    assert len(set(reported(CROWD).choose({**CROWD, **few})[0]) & set(few)) == 10


def test_of_many_that_grow_alike_twice_as_many_are_reported_at_most() -> None:
    parts = {f"part{number}": 50 for number in range(200)}
    assert len(set(reported(CROWD).choose({**CROWD, **parts})[0]) & set(parts)) == 20


def test_a_type_once_reported_stays_with_0_when_it_is_gone() -> None:
    types = reported(CROWD)
    types.choose({**CROWD, "batch": 500})
    top_objects, backfill = types.choose(CROWD)
    assert top_objects["batch"] == 0
    assert backfill is None


def test_the_number_of_reported_types_is_bounded_and_growers_stay() -> None:
    types = reported(CROWD, top=10, growers=5)
    sizes = []
    for round_ in range(100):
        top_objects, _ = types.choose({**CROWD, "leak": 10 * (round_ + 1), f"passing{round_}": 5000})
        sizes.append(len(top_objects))
        assert top_objects["leak"] == 10 * (round_ + 1)
    assert max(sizes) <= 2 * 15 + 20


def test_growth_is_counted_from_the_latest_census_after_a_reset() -> None:
    types = reported(CROWD)
    types.choose({**CROWD, "before": 400})
    types.reset_baseline()
    top_objects, backfill = types.choose({**CROWD, "before": 400, "after": 7})
    assert top_objects["after"] == 7
    assert backfill == {"after": 0}
    types.reset_baseline()
    assert types.choose({**CROWD, "before": 400, "after": 7, "late": 1})[1] == {"late": 0}


def test_each_reader_gets_a_type_that_is_new_to_it_with_a_first_count() -> None:
    types = ReportedTypes(top=20, growers=10)
    types.choose(CROWD, "agent")
    types.choose(CROWD, "profiler")
    assert types.choose({**CROWD, "leak": 40}, "agent")[1] == {"leak": 0}
    assert types.choose({**CROWD, "leak": 50}, "profiler")[1] == {"leak": 0}
    assert types.choose({**CROWD, "leak": 60}, "profiler")[1] is None
    assert types.choose({**CROWD, "leak": 60}, "latecomer")[1] is None


def test_a_report_never_carries_more_types_than_its_format_takes() -> None:
    many = {f"type{number}": number + 1 for number in range(3000)}
    types = ReportedTypes(top=5000, growers=5000)
    types.choose(many)
    top_objects, _ = types.choose({name: count * 2 for name, count in many.items()})
    assert len(top_objects) <= 480
