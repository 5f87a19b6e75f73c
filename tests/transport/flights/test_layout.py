"""Whatever bytes a flight record's file holds, they are read or refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwatch.records.flight import JobRun, TypeSize
from memwatch.transport.flights import layout
from memwatch.transport.wire import WireError
from tests.transport.flights.files import AT, KEY, WHO, data


def whole() -> bytearray:
    return data(
        who={**WHO, "ticks": 5, "pid_space": 6, "oom_file": "/sys/fs/cgroup/memory.events", "time_limit_s": 30.0},
        facts=(
            {"at": AT, "rss_mb": 100.0, "limit_mb": 512.0, "growers": [["dict", 5000]], "oom_kills": 1},
            {"at": AT + 60, "rss_mb": 200.0, "limit_mb": 512.0, "growers": [["list", 7]], "oom_kills": 2},
        ),
        summary={"at": "2026-03-01T12:00:30+00:00", "rows": [["dict", 5, 1.5]]},
        running=[("view", "second", AT + 2, 0.0), ("task", "first", AT + 1, 0.0)],
        recent=[("view", "before", AT - 9, 1.0), ("view", "last", AT - 5, 2.0)],
        seconds=[(AT + 2, 2.0), (AT + 1, 1.0)],
        note=-9,
    )


def test_says_what_was_written() -> None:
    found = layout.read(bytes(whole()))
    flight = found.flight
    assert (found.ticks, found.pid_space, found.oom_file, found.status) == (5, 6, "/sys/fs/cgroup/memory.events", -9)
    assert (flight.key, flight.service, flight.pid, flight.time_limit_s) == (KEY, "web", 4711, 30.0)
    assert [job.name for job in flight.running] == ["first", "second"]
    assert flight.recent == (JobRun("view", "last", AT - 5, 2.0), JobRun("view", "before", AT - 9, 1.0))
    assert flight.rss_seconds == ((AT + 1, 1.0), (AT + 2, 2.0))
    assert (flight.rss_mb, flight.growers, flight.oom_kills) == (200.0, (("list", 7),), 2), "the newer facts"
    assert flight.summary == (TypeSize("dict", 5, 1.5),)
    assert flight.written_at.timestamp() == AT + 60


def test_a_process_killed_while_it_wrote_leaves_what_it_wrote_before() -> None:
    torn = whole()
    middle = layout.FACTS_AT + layout.FACTS_BYTES + 40
    torn[middle : middle + 4] = b"####"
    torn[layout.SUMMARY_AT + 20] ^= 1
    flight = layout.read(bytes(torn)).flight
    assert (flight.rss_mb, flight.growers, flight.summary) == (100.0, (("dict", 5000),), ())


@pytest.mark.parametrize("began", [-1e18, -5.0, 1e12, 1e15, 1e17, 1e18, 1e19, 1e300, float("inf"), float("nan")])
def test_a_time_that_no_clock_says_is_refused(began: float) -> None:
    """Some of these make the C library fail: an error of the system is an error of the record all the same."""
    with pytest.raises(WireError):
        layout.read(bytes(data(running=[("view", "shop", began, 0.0)])))


def test_a_name_cut_amid_a_character_is_read() -> None:
    flight = layout.read(bytes(data(running=[("view", "ä" * 100, AT, 0.0)]))).flight
    assert flight.running[0].name == "ä" * 80


def test_a_new_file_says_who_it_is_of() -> None:
    flight = layout.read(bytes(data())).flight
    assert (flight.key, flight.state, flight.ending, flight.running) == (KEY, "running", "", ())


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        bytes(layout.SIZE),
        bytes(whole()[:-1]),
        bytes(whole()) + b"x",
        bytes(data(who=[])),
        bytes(data(who={})),
        bytes(data(who={**WHO, "pid": "x"})),
        bytes(data(who={**WHO, "ticks": -1})),
        bytes(data(who={**WHO, "oom_file": 5})),
        bytes(data(facts=[{"at": "late"}])),
        bytes(data(facts=[{"at": AT, "growers": 5}])),
        bytes(data(running=[("view", "x", float("nan"), 0.0)])),
        bytes(data(running=[("view", "x", 1e300, 0.0)])),
        bytes(data(recent=[("view", "x", AT, -1.0)])),
        bytes(data(seconds=[(AT, float("inf"))])),
        bytes(data(note=4000)),
    ],
)
def test_what_is_wrong_is_refused(spoilt: bytes) -> None:
    with pytest.raises(WireError):
        layout.read(spoilt)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 60))
def test_spoilt_bytes_raise_nothing_else(seed: int, changes: int) -> None:
    chance, spoilt = random.Random(seed), whole()
    for _ in range(changes):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    _read(spoilt)


plain = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@settings(max_examples=100)
@given(st.recursive(plain, st.lists, max_leaves=5))
def test_spoilt_values_raise_nothing_else(value: Any) -> None:
    for name in WHO:
        _read(data(who={**WHO, name: value}))
    for name in ("at", "rss_mb", "growers", "limit_source", "oom_kills"):
        _read(data(facts=[{"at": AT, name: value}]))
    _read(data(summary={"at": value, "rows": value}))


def _read(made: bytearray) -> None:
    try:
        layout.read(bytes(made))
    except WireError:
        return
