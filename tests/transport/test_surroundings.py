"""The container in a report: it arrives as it was sent, and nothing hostile gets through."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.records.surroundings import Neighbour, Pressure, Surroundings
from memwatch.transport.wire import Report, WireError
from tests.reports import report

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL = Surroundings(
    looked_at=NOW, used_mb=900.5, limit_mb=1024.0, peak_mb=1000.0, anon_mb=700.0, file_mb=150.0, mapped_mb=20.0,
    inactive_file_mb=80.0, shmem_mb=4.0, kernel_mb=50.0, slab_mb=30.0, sock_mb=1.0,
    pressure=Pressure(1.0, 2.0, None, 0.5), watched=2, watched_mb=500.0, watched_pids=(7, 8), unwatched=1,
    unwatched_mb=200.0, largest=(Neighbour(9, "ffmpeg", 210.0, 200.0), Neighbour(10, "sh", 1.0)), hidden=1,
)  # fmt: skip


def test_a_container_arrives_as_it_was_sent() -> None:
    assert Report.decode(report(surroundings=FULL).encode()).surroundings == FULL
    bare = Surroundings(looked_at=NOW, complete=False)
    assert Report.decode(report(surroundings=bare).encode()).surroundings == bare
    assert Report.decode(report().encode()).surroundings is None


def test_an_older_agent_sends_none() -> None:
    value = json.loads(report(surroundings=FULL).encode())
    del value["surroundings"]
    assert Report.decode(json.dumps(value).encode()).surroundings is None


def spoilt(**fields: Any) -> bytes:
    value = json.loads(report(surroundings=FULL).encode())
    value["surroundings"] |= fields
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"looked_at": None}, {"looked_at": "yesterday"}, {"used_mb": -1}, {"used_mb": True}, {"anon_mb": "1"},
        {"kernel_mb": 1e300}, {"watched": -1}, {"watched": 1.5}, {"hidden": 2**31}, {"watched_pids": 7},
        {"watched_pids": [1] * 501}, {"watched_pids": ["7"]}, {"largest": {"a": 1}}, {"largest": [[1, "a", 1, 1]] * 21},
        {"largest": [[1, "a", 1]]}, {"largest": [[1, 2, 3, 4]]}, {"largest": [["1", "a", 3, 4]]},
        {"largest": [[1, "a", -3, 4]]}, {"pressure": [1, 2, 3]}, {"pressure": {}}, {"pressure": [1, 2, 3, 101]},
        {"pressure": [1, 2, 3, "4"]},
    ],
)  # fmt: skip
def test_a_container_that_is_none_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(WireError) as refused:
        Report.decode(spoilt(**fields))
    assert refused.value.reason == "malformed"


@pytest.mark.parametrize("value", [[], "x", 7, True])
def test_what_is_no_object_is_refused(value: object) -> None:
    whole = json.loads(report().encode())
    with pytest.raises(WireError):
        Report.decode(json.dumps({**whole, "surroundings": value}).encode())


def test_names_are_cleaned_and_cut() -> None:
    names = ["evil\x1b[31m\n\0", "<script>alert(1)</script>" * 9, "ok"]
    decoded = Report.decode(spoilt(largest=[[1, name, 1.0, None] for name in names])).surroundings
    assert decoded is not None
    assert [each.name for each in decoded.largest] == [
        "evil\\x1b[31m\\n\\x00",
        ("<script>alert(1)</script>" * 9)[:40],
        "ok",
    ]


def test_unknown_fields_and_figures_of_a_newer_agent_are_left_out() -> None:
    newer = spoilt(zswap_mb=5.0, largest=[[1, "a", 2.0, None, "cgroup"]], pressure=[1, 2, 3, 4, 5])
    decoded = Report.decode(newer).surroundings
    assert decoded is not None
    assert (decoded.largest, decoded.pressure) == ((Neighbour(1, "a", 2.0),), Pressure(1, 2, 3, 4))


NAMES = st.sampled_from(sorted(FULL.to_dict()))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5))


@given(JSON)
def test_whatever_comes_is_taken_or_refused(value: object) -> None:
    whole = json.loads(report().encode())
    try:
        decoded = Report.decode(json.dumps({**whole, "surroundings": value}).encode()).surroundings
    except WireError:
        return
    assert decoded is None or Surroundings.from_dict(json.loads(json.dumps(decoded.to_dict()))) == decoded
