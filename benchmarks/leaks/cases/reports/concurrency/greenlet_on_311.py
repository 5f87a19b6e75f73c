"""A greenlet for each call, as SQLAlchemy's asyncio does: its frames' memory is not freed on Python 3.11.

Reported as python-greenlet/greenlet#328 of 2.0.0, found through sqlalchemy/sqlalchemy#8763.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="stack chunks of finished greenlets",
    leaks="native",
    leaking_release="greenlet==2.0.0.post0",
    fixed_release="greenlet==2.0.1",
    source="https://github.com/python-greenlet/greenlet/issues/328",
)
_traffic = Traffic(12)
_greenlet: Any = None


def setup() -> None:
    global _greenlet
    import greenlet

    _greenlet = greenlet


def _query(number: int) -> str:
    return f"row {number}"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        _greenlet.greenlet(_query, _greenlet.getcurrent()).switch(i)
