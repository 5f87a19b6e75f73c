"""Default headers updated by a request's own."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="headers updated in a multidict",
    leaks="untracked",
    leaking_release="multidict==6.3.0",
    fixed_release="multidict==6.3.2",
    source="https://github.com/aio-libs/multidict/issues/1121",
)
_multidict: Any = None


def setup() -> None:
    global _multidict
    import multidict

    _multidict = multidict


def step(i: int) -> None:
    headers = _multidict.CIMultiDict({"Host": "example.org"})
    headers.update({f"X-Request-{i}": "yes", "Accept": "*/*"})
