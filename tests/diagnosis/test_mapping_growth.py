"""Where resident memory has grown, in sentences."""

from __future__ import annotations

import pytest

from memwatch.diagnosis import mapping_growth
from memwatch.sampling import mappings

MB = 1024.0


def row(name: str, grew_mb: float | None) -> dict[str, object]:
    return {"name": name, "size_kb": 500 * MB, "count": 3, "grew_kb": None if grew_mb is None else grew_mb * MB}


def test_the_group_with_most_of_the_growth_is_named_first_with_what_it_is():
    said = mapping_growth.sentence([row("libc.so.6, library", 1), row(mappings.ARENAS, 212), row(mappings.BRK, 87)])
    assert said == (
        "Resident memory has grown by 300.0 MB since the baseline: 212.0 MB in malloc, arenas of threads, "
        "87.0 MB in malloc, first arena. That is what threads allocate with malloc: each that finds the others busy "
        "gets an arena of its own, and MALLOC_ARENA_MAX limits them."
    )


def test_a_group_that_memwatch_knows_nothing_of_is_named_alone():
    said = mapping_growth.sentence([row("named jemalloc", 64)])
    assert said == "Resident memory has grown by 64.0 MB since the baseline: 64.0 MB in named jemalloc."


def test_memory_that_moves_between_anonymous_mappings_has_not_grown():
    assert mapping_growth.sentence([row(mappings.SMALL, -61), row(mappings.LARGE, 66)]) == ""
    said = mapping_growth.sentence([row(mappings.SMALL, -61), row(mappings.LARGE, 91)])
    assert said.startswith("Resident memory has grown by 30.0 MB since the baseline: 30.0 MB in anonymous mappings.")


def test_growth_in_many_places_is_said_to_be_spread():
    assert "spread over many mappings" in mapping_growth.sentence([row(f"lib{i}.so, library", 2) for i in range(20)])


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(mappings.BRK, None)],
        [row(mappings.BRK, 3)],
        [row(mappings.BRK, -100), row(mappings.LARGE, 5)],
        [{"name": 7, "grew_kb": "much"}],
    ],
    ids=["no rows", "no baseline", "a warm-up", "less", "nonsense"],
)
def test_little_growth_gets_no_sentence(rows: list[dict[str, object]]):
    assert mapping_growth.sentence(rows) == ""
