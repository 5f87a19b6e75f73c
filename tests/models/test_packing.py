"""What is packed comes out as it went in, and takes little room."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.models import packed_fields

IDS = st.integers(0, 2**32 - 1).map(str)
NUMBERS = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BOXES = st.fixed_dictionaries(
    {"type": st.sampled_from(["list", "dict", "bytearray", "something.Else"]), "length": NUMBERS},
    optional={
        "holds": TEXTS,
        "name": TEXTS,
        "token": st.integers(0, 2**64),
        "entry_bytes": st.floats(0, 1e15, allow_nan=False),
    },
)

TYPICAL = {str(number): 60_000 // number for number in range(1, 31)}
LOOK = {
    "type_sizes": {str(number): 40 + 7 * number for number in range(1, 9)},
    "big_containers": [
        {
            "type": "dict", "length": 1_300 + number, "holds": "shop.Order", "token": 140_542_826_862_144 + number,
            "name": f"application.module{number}.REGISTRY", "entry_bytes": 57.3,
        }
        for number in range(9)
    ],
}  # fmt: skip


@given(st.dictionaries(IDS, NUMBERS, max_size=600))
def test_counts_come_back_the_largest_first(counts: dict[str, int]) -> None:
    found = packed_fields.unpack_counts(packed_fields.pack_counts(counts))
    assert found == counts
    assert list(found.values()) == sorted(counts.values(), reverse=True)


@given(st.lists(NUMBERS, max_size=20))
def test_whole_numbers_come_back(values: list[int]) -> None:
    assert packed_fields.unpack_ints(packed_fields.pack_ints(values)) == values


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type_sizes": st.dictionaries(IDS, NUMBERS, max_size=30),
            "backfill": st.dictionaries(IDS, NUMBERS, max_size=30),
            "big_containers": st.lists(BOXES, max_size=20),
        },
    )
)
def test_what_a_look_brings_comes_back(extras: dict[str, Any]) -> None:
    assert packed_fields.unpack_extras(packed_fields.pack_extras(extras)) == extras


@pytest.mark.parametrize("counts", [{"1": -1}, {"1": 1.5}, {"a name": 3}, {"1": 2**70}])
def test_a_number_that_has_no_place_in_the_compact_form_is_kept_all_the_same(counts: dict[str, Any]) -> None:
    assert packed_fields.unpack_counts(packed_fields.pack_counts(counts)) == counts


def test_counts_of_thirty_types_take_a_third_of_what_json_takes() -> None:
    assert len(packed_fields.pack_counts(TYPICAL)) < 110 < len(json.dumps(TYPICAL)) / 3
    assert len(packed_fields.pack_extras(LOOK)) * 3 < len(json.dumps(LOOK))
