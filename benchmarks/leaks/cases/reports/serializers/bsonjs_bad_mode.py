"""Documents shown in a mode that bsonjs does not know.

Reported as mongodb-labs/python-bsonjs#62: the reader of the document is not freed.
"""

import contextlib
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="readers of bsonjs, by a wrong mode",
    leaks="native",
    leaking_release="python-bsonjs==0.5.0",
    fixed_release="python-bsonjs==0.6.0",
    source="https://github.com/mongodb-labs/python-bsonjs/issues/62",
)
_traffic = Traffic(44)
_bsonjs: Any = None
DOCUMENT = b"\x15\x00\x00\x00\x10_id\x00\x01\x00\x00\x00\x10x\x00\x02\x00\x00\x00\x00"


def setup() -> None:
    global _bsonjs
    import bsonjs

    _bsonjs = bsonjs


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        with contextlib.suppress(ValueError):
            _bsonjs.dumps(DOCUMENT, mode=42)
