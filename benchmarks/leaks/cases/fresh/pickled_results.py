"""A test runner's results, sent over one stream by one pickler that was made when the stream was opened.

Reported as robotframework/RIDE#1320: to write an object once only, a pickler keeps all that it ever wrote.

Holder: ``_pickler``, a ``pickle.Pickler`` of the module, in its memo.
"""

import io
import pickle
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="objects in a pickler's memo",
    leaks="objects",
    culprit=("*Pickler", "*._pickler", "*Result", "*dict", "*list"),
    holder=("*_pickler*", "*Pickler*"),
    source="https://github.com/robotframework/RIDE/issues/1320",
)
_traffic = Traffic(315)
_pickler: Any = None
_sent = io.BytesIO()


class Result:
    """Of a test."""

    def __init__(self, number: int) -> None:
        self.name = f"test {number}"
        self.lines = [number, f"passed in {number % 13} ms"]


def setup() -> None:
    global _pickler
    _pickler = pickle.Pickler(_sent)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _sent.seek(0)
        _sent.truncate()
        _pickler.dump(Result(i))
        assert _sent.tell()
