"""A request's headers, of which one is dropped."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="headers deleted from a multidict",
    leaks="untracked",
    leaking_release="multidict==6.6.3",
    fixed_release="multidict==6.6.4",
    source="https://github.com/aio-libs/multidict/issues/1233",
)
_multidict: Any = None


def setup() -> None:
    global _multidict
    import multidict

    _multidict = multidict


def step(i: int) -> None:
    headers = _multidict.CIMultiDict({f"X-Request-{i}": f"value {i}"})
    del headers[f"x-request-{i}"]
