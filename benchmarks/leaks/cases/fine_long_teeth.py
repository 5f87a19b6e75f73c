"""Documents gathered for 17,000 requests and then written: a saw-tooth of two teeth."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a saw-tooth nearly as long as the window")
_documents: list[dict[str, Any]] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 4 == 0:
        _documents.append({"lines": [i], "more": {"of": [i]}})
    if i % 17_000 == 16_999:
        _documents.clear()
