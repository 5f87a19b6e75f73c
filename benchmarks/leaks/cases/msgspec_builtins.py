"""Boxes turned into plain values for an answer."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="array-like msgspec structs turned into lists",
    leaks="untracked",
    leaking_release="msgspec==0.21.1",
    fixed_release="msgspec==0.22.0",
    source="https://github.com/msgspec/msgspec/issues/1175",
)
_msgspec: Any = None
_row: Any = None
_box: Any = None


def setup() -> None:
    global _msgspec, _row, _box
    import msgspec

    class Box(msgspec.Struct, array_like=True):
        x: float
        y: float

    class Row(msgspec.Struct):
        box: Box

    _msgspec, _row, _box = msgspec, Row, Box


def step(i: int) -> None:
    _msgspec.to_builtins(_row(_box(i * 1.5, i * 2.5)))
