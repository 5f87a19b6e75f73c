"""The outcome of a recording travels in parts, and nothing hostile comes out of them."""

from __future__ import annotations

import base64
import dataclasses
import os
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.transport import recordings
from memwatch.transport.recordings import MAX_PART_BYTES, RecordingPart, decode_part, join, split
from memwatch.transport.wire import MAX_REPORT_BYTES, Report, WireError
from tests.transport.test_wire import report

ID = "0123456789abcdef"


def parts_of(artifact: bytes) -> tuple[RecordingPart, ...]:
    return split(ID, artifact, content_type="application/json", measured={"cpu_ms": 1.5})


def test_a_small_result_goes_in_one_part_with_what_it_cost() -> None:
    (part,) = parts_of(b'{"type": "shop.Quote"}')
    assert (part.part, part.parts, part.state) == (0, 1, "done")
    assert part.measured == {"cpu_ms": 1.5, "bytes": 22.0}
    assert join([part]) == b'{"type": "shop.Quote"}'


def test_a_large_result_is_put_together_from_parts_in_any_order_and_repeated() -> None:
    artifact = os.urandom(3 * MAX_PART_BYTES)
    parts = list(parts_of(artifact))
    assert len(parts) > 3
    assert [bool(part.measured) for part in parts] == [False] * (len(parts) - 1) + [True]
    random.Random(1).shuffle(parts)
    assert join(parts[:-1]) is None
    assert join([*parts, *parts[:2]]) == artifact


def test_every_part_fits_into_a_report_and_comes_back_as_it_was() -> None:
    for part in parts_of(os.urandom(2 * MAX_PART_BYTES)):
        payload = report(recordings=(part,)).encode()
        assert len(payload) < MAX_REPORT_BYTES // 2
        assert Report.decode(payload).recordings == (part,)


def test_what_is_too_large_to_send_is_refused_where_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MAX_PARTS", 2)
    with pytest.raises(ValueError, match="shorter time"):
        parts_of(os.urandom(2 * MAX_PART_BYTES))


def test_a_failure_says_why_in_a_text_that_databases_store() -> None:
    part = RecordingPart(recording=ID, state="failed", error="no\x00 " + "x" * 5000, measured={"cpu_ms": float("nan")})
    (arrived,) = Report.decode(report(recordings=(part,)).encode()).recordings
    assert arrived.error.startswith(r"no\x00 xxx")
    assert len(arrived.error) <= 300
    assert arrived.measured == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("recording", [None, 1, "", "../../etc/passwd", "0123456789ABCDEF", "0" * 17, "0" * 16 + "\n"]),
        ("state", [None, 1, "", "finished"]),
        ("part", [None, -1, True, 1, 1.0, 10**400]),
        ("parts", [None, 0, -1, 129, "1"]),
        ("content", [None, 1, "a b", "=a", "ü", "a" * (2 * MAX_PART_BYTES), ["a"]]),
        ("content_type", [1, []]),
        ("error", [1, {}]),
        ("measured", [1, [1], {"cpu_ms": "1"}, {"cpu_ms": True}, {str(n): 1 for n in range(51)}]),
    ],
)
def test_parts_that_no_agent_would_send_are_refused(name: str, values: list[Any]) -> None:
    good = parts_of(b"{}")[0].to_wire()
    assert decode_part(good) == parts_of(b"{}")[0]
    for value in values:
        with pytest.raises((WireError, TypeError)):
            decode_part(good | {name: value})


def content(of: bytes) -> str:
    return base64.b64encode(of).decode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda part: dataclasses.replace(part, content=content(zlib.compress(b"\0" * 70_000_000))),
        lambda part: dataclasses.replace(part, content=content(b"not compressed")),
        lambda part: dataclasses.replace(part, content=content(zlib.compress(b"cut short")[:-3])),
        lambda part: dataclasses.replace(part, content="abc"),
    ],
    ids=["a bomb", "not compressed", "cut short", "no base64"],
)
def test_contents_that_cannot_be_unpacked_are_refused(spoil: Callable[[RecordingPart], RecordingPart]) -> None:
    with pytest.raises(WireError):
        join([spoil(parts_of(b"{}")[0])])


def test_parts_of_different_recordings_are_not_mixed() -> None:
    (one,) = parts_of(b"{}")
    with pytest.raises(WireError, match="one recording"):
        join([one, dataclasses.replace(one, recording="f" * 16)])
    with pytest.raises(WireError, match="one recording"):
        join([])


SPANS = tuple(f"{number:032x}-{number:016x}" for number in range(1, 20))


def test_the_spans_of_running_jobs_come_along_ten_at_most() -> None:
    part = RecordingPart(recording=ID, state="running", traces=SPANS[:2])
    assert decode_part(part.to_wire()) == part
    assert decode_part({**part.to_wire(), "traces": list(SPANS)}).traces == SPANS[:10]


@pytest.mark.parametrize("traces", ["x", 7, {"a": 1}, [7, None, "x" * 49, SPANS[9].upper()], None])
def test_what_is_no_span_is_left_out_of_a_part(traces: Any) -> None:
    assert decode_part({"recording": ID, "state": "running", "traces": traces}).traces == ()
