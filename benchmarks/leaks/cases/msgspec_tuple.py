"""Messages with long tuples decoded."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="msgpack with tuples of more than 16 entries decoded",
    leaks="objects",
    culprit=("list",),
    leaking_release="msgspec==0.14.1",
    fixed_release="msgspec==0.14.2",
    source="https://github.com/msgspec/msgspec/issues/379",
)
_decoder: Any = None
_encode: Any = None


def setup() -> None:
    global _decoder, _encode
    import msgspec

    _decoder, _encode = msgspec.msgpack.Decoder(tuple[int, ...]), msgspec.msgpack.encode


def step(i: int) -> None:
    _decoder.decode(_encode([i * 1000 + n for n in range(20)]))
