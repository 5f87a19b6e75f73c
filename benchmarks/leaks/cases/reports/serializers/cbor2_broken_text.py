"""Messages whose innermost text is no valid UTF-8: the error and its frames are never released.

Reported as agronholm/cbor2#257 for the C extension of 5.6; 6.0 has none.
"""

import contextlib
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="errors of broken messages, with their frames",
    leaks="objects",
    culprit=("traceback", "frame", "UnicodeDecodeError", "*CBORDecodeValueError"),
    leaking_release="cbor2==5.6.5",
    fixed_release="cbor2==6.0.1",
    source="https://github.com/agronholm/cbor2/issues/257",
)
_cbor2: Any = None


def setup() -> None:
    global _cbor2
    import cbor2

    _cbor2 = cbor2


def step(i: int) -> None:
    if i % 5 == 0:
        broken = b"\xbf\x61k" + b"\xa1\x61v" + b"\x62\xc3\x28" + b"\xff"
        with contextlib.suppress(_cbor2.CBORDecodeError):
            _cbor2.loads(broken)
