"""No leak: a job that starts the next one before it ends, for ever; a greenlet knows who started it, weakly.

Reported as gevent/gevent#1467, as stack frames of greenlets that start greenlets.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="a chain of gevent's greenlets",
    requires=("gevent==24.2.1",),
    source="https://github.com/gevent/gevent/issues/1467",
)
_traffic = Traffic(124)
_gevent: Any = None
_last: Any = None


def _job(number: int) -> None:
    global _last
    _last = _gevent.spawn(_job, number + 1)


def setup() -> None:
    global _gevent, _last
    import gevent

    _gevent = gevent
    _last = gevent.spawn(_job, 0)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _gevent.sleep(0)
