"""Messages decoded into structs."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="JSON decoded into msgspec structs",
    leaks="objects",
    culprit=("list",),
    leaking_release="msgspec==0.13.0",
    fixed_release="msgspec==0.13.1",
    source="https://github.com/msgspec/msgspec/issues/311",
)
_decoder: Any = None
_encode: Any = None


def setup() -> None:
    global _decoder, _encode
    import msgspec

    class Order(msgspec.Struct):
        number: int
        lines: list[str]

    _decoder, _encode = msgspec.json.Decoder(Order), msgspec.json.encode


def step(i: int) -> None:
    _decoder.decode(_encode({"number": 100_000 + i, "lines": [f"line {i}", "another"]}))
