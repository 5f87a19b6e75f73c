"""Whatever bytes come in, the decoders take or refuse them with a reason: no crash, no hang, bounded memory.

A thousand inputs here, a million in `make soak`.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memwatch.transport.wire import MAX_COMMAND_BYTES, MAX_REPORT_BYTES, Command, Report, WireError, _sign
from tests.transport.test_wire import KEY, NOW, PLACES, full_report, json_values, texts_of

REASONS = {"oversized", "malformed", "version", "unsigned", "expired", "unknown"}
HANGS_AFTER_S = 20
MAX_GROWTH_MB = 4.0
REPORT = full_report().encode()
COMMAND_BODY = json.loads(Command.make("record", "web1:1:1.000:n", recording="0123456789abcdef").encode(KEY))
COMMAND_BODY |= {"expires_at": "2100-01-01T00:00:00+00:00"}
del COMMAND_BODY["sig"]
COMMAND = json.dumps({**COMMAND_BODY, "sig": _sign(COMMAND_BODY, KEY)}).encode()

edits = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 3), st.binary(max_size=6)), min_size=1, max_size=6)


def edited(payload: bytes, changes: Iterable[tuple[int, int, bytes]], shift: int) -> bytes:
    """With bytes replaced, inserted, taken out or doubled here and there."""
    text = bytearray(payload)
    for where, kind, what in changes:
        place = (where + shift) % (len(text) + 1)
        if kind == 0:
            text[place : place + len(what)] = what
        elif kind == 1:
            text[place:place] = what
        elif kind == 2:
            del text[place : place + len(what)]
        else:
            text[place:place] = text[place : place + 40 * len(what)]
    return bytes(text)


def spoilt_reports(value: Any, changes: list[tuple[int, int, bytes]]) -> Iterator[bytes]:
    """A good report with the value in each place, and with the edits in several."""
    for place in PLACES:
        whole = json.loads(REPORT)
        inner = whole
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        yield json.dumps(whole).encode()
    for shift in range(0, len(REPORT), len(REPORT) // 20):
        yield edited(REPORT, changes, shift)
    yield b"".join(what for _where, _kind, what in changes)


def spoilt_commands(value: Any, changes: list[tuple[int, int, bytes]]) -> Iterator[bytes]:
    """The same of a command; with the value in place it is signed rightly, so that what lies behind is reached."""
    for name in COMMAND_BODY:
        body = {**COMMAND_BODY, name: value}
        yield json.dumps({**body, "sig": _sign(body, KEY)}).encode()
        yield json.dumps({**body, "sig": value}).encode()
    for shift in range(0, len(COMMAND), len(COMMAND) // 20):
        yield edited(COMMAND, changes, shift)
    yield json.dumps(value).encode()


@dataclasses.dataclass
class Tally:
    """What became of the inputs."""

    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    """CPU time."""

    def decode(self, payload: bytes, decode: Callable[[bytes], Any]) -> None:
        self.inputs += 1
        refusal: WireError | None = None
        value = None
        gc.disable()  # a collection walks all that the library remembers, which is not the decoder's time
        began = time.thread_time()
        try:
            value = decode(payload)
        except WireError as error:
            refusal = error
        self.slowest_s = max(self.slowest_s, time.thread_time() - began)
        gc.enable()
        if refusal is not None:
            self.refused += 1
            assert refusal.reason in REASONS
            str(refusal).encode()
        elif isinstance(value, Report):
            for text in texts_of(dataclasses.asdict(value)):
                text.encode()
                assert "\0" not in text


@contextmanager
def hangs_are_found() -> Iterator[None]:
    def hung(*_args: object) -> None:
        raise AssertionError(f"still decoding after {HANGS_AFTER_S} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def decode_report(payload: bytes) -> Report:
    return Report.decode(payload)


def decode_command(payload: bytes) -> Command:
    return Command.decode(payload, KEY, now=NOW)


KINDS: dict[str, tuple[Callable[[Any, Any], Iterator[bytes]], Callable[[bytes], Any]]] = {
    "reports": (spoilt_reports, decode_report),
    "commands": (spoilt_commands, decode_command),
}


def feed(kind: str, inputs: int) -> Tally:
    """So many inputs, a hundred or so from each of the library's examples."""
    spoil, decode = KINDS[kind]
    tally = Tally()
    met: list[bytes] = []
    each = sum(1 for _ in spoil(0, [(0, 0, b"x")]))

    @settings(max_examples=inputs // each + 1, database=None, suppress_health_check=list(HealthCheck))
    @given(json_values, edits)
    def run(value: Any, changes: list[tuple[int, int, bytes]]) -> None:
        with hangs_are_found():
            for payload in spoil(value, changes):
                tally.decode(payload, decode)
                if tally.inputs % 37 == 0:
                    met.append(payload)

    run()
    assert growth_mb(tally, decode, met[-1000:], inputs // 10) < MAX_GROWTH_MB, "decoding keeps nothing"
    return tally


def growth_mb(tally: Tally, decode: Callable[[bytes], Any], payloads: list[bytes], inputs: int) -> float:
    """What the process grows by from these inputs, without the library that remembers its examples."""
    repeats = max(1, inputs // len(payloads))
    before = 0.0
    for turn in range(2 * repeats):
        if turn == repeats:
            before = psutil.Process().memory_info().rss / 2**20
        with hangs_are_found():
            for payload in payloads:
                tally.decode(payload, decode)
    return psutil.Process().memory_info().rss / 2**20 - before


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_spoilt_inputs_are_taken_or_refused_with_a_reason(kind: str) -> None:
    tally = feed(kind, 1_000)
    assert tally.inputs >= 1_000
    assert 0 < tally.refused < tally.inputs


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_spoilt_inputs_are_taken_or_refused_with_a_reason(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    tally = feed(kind, 500_000)
    took = time.monotonic() - began
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what a soak is for
            f"\n{kind}: {tally.inputs:,} inputs in {took:.0f} s, {tally.refused:,} refused, "
            f"the slowest took {tally.slowest_s * 1e3:.1f} ms of CPU"
        )
    assert tally.inputs >= 500_000
    assert 0 < tally.refused < tally.inputs


def _filled(unit: bytes, limit: int, *, head: bytes = b'{"v":1,"a":[', tail: bytes = b"0]}") -> bytes:
    return head + unit * ((limit - len(head) - len(tail)) // len(unit)) + tail


@pytest.mark.parametrize(
    "unit",
    [b"[],", b"{},", b'"",', b"1.5,", b'"\\u0001",', b'{"a":[]},', b"123456789," * 9, b"1" * 4000 + b",", b"[0,[0]],"],
)
def test_the_largest_inputs_take_memory_in_proportion(unit: bytes) -> None:
    for limit, decode in ((MAX_REPORT_BYTES, decode_report), (MAX_COMMAND_BYTES, decode_command)):
        payload = _filled(unit, limit)
        gc.collect()
        tracemalloc.start()
        try:
            with hangs_are_found(), pytest.raises(WireError):
                decode(payload)
            _current, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 64 * limit


@pytest.mark.parametrize(
    "payload",
    [
        b'{"v":1,"a":' + b"9" * (MAX_REPORT_BYTES - 20) + b".5}",
        b'{"v":1,"a":0.' + b"0" * (MAX_REPORT_BYTES - 20) + b"1}",
        b'{"v":1,"process":{"host":"' + b"\\u0000" * 170_000 + b'"}}',
        b'{"v":1,"process":{"host":"' + b"\\ud800" * 170_000 + b'"}}',
        b'{"v":1,"' + b"k" * 1_000_000 + b'":1}',
        b" " * (MAX_REPORT_BYTES - 10) + b'{"v":1}',
    ],
)
def test_the_longest_numbers_and_names_do_not_hang(payload: bytes) -> None:
    assert len(payload) <= MAX_REPORT_BYTES
    with hangs_are_found(), pytest.raises(WireError):
        decode_report(payload)


def test_a_command_made_here_is_taken() -> None:
    assert decode_command(COMMAND).name == "record"
    assert datetime.now(UTC) < decode_command(COMMAND).expires_at
