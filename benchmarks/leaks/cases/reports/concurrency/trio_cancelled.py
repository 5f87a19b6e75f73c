"""No leak: tasks of trio cancelled at their time limit leave their frames, with big locals, in cycles.

Reported as python-trio/trio#1793 of 0.17.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="frames of cancelled trio tasks, with buffers",
    requires=("trio==0.17.0",),
    source="https://github.com/python-trio/trio/issues/1793",
)
_traffic = Traffic(55)
_trio: Any = None


def setup() -> None:
    global _trio
    import trio

    _trio = trio


async def _fetch() -> None:
    page = bytearray(b"x" * 3000)
    with _trio.CancelScope() as scope:
        scope.cancel()
        await _trio.sleep(0)
    assert page


async def _jobs() -> None:
    for _ in range(5):
        await _fetch()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        _trio.run(_jobs)
