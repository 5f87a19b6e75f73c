"""No leak: locals made by the jobs of a greenlet that never ends.

Reported as gevent/gevent#981 of 1.2, which kept what a local holds until its greenlet ended; 24.2 does not.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="gevent.local objects of a greenlet that runs for ever",
    requires=("gevent==24.2.1",),
    source="https://github.com/gevent/gevent/issues/981",
)
_traffic = Traffic(41)
_worker: Any = None
_gevent: Any = None


def _work() -> None:
    from gevent.local import local

    while True:
        state = local()
        state.rows = bytearray(500)
        _gevent.getcurrent().parent.switch()


def setup() -> None:
    global _worker, _gevent
    import gevent

    _gevent = gevent
    _worker = gevent.Greenlet(_work)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _worker.parent = _gevent.getcurrent()
        _worker.switch()
