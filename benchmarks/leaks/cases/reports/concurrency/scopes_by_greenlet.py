"""State by greenlet, tidied at a request's end, and then set to an empty dict: so each greenlet is noted once more.

Reported as python-injector/flask_injector#10.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="ended greenlets that are keys of a dict",
    leaks="objects",
    culprit=("greenlet*", "*.SCOPES", "dict"),
    requires=("greenlet==3.1.1",),
    source="https://github.com/python-injector/flask_injector/pull/10",
)
_traffic = Traffic(104)
_greenlet: Any = None
SCOPES: dict[Any, dict[str, Any]] = {}


def setup() -> None:
    global _greenlet
    import greenlet

    _greenlet = greenlet


def _request(number: int) -> None:
    me = _greenlet.getcurrent()
    SCOPES[me] = {"order": number}
    SCOPES.pop(me)
    SCOPES[me] = {}


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _greenlet.greenlet(_request).switch(i)
