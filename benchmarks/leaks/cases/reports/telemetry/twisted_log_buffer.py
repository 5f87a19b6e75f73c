"""No leak: an observer of Twisted keeps the last 20,000 log events, for a report of errors.

Reported as twisted/twisted#8164: until logging began, Twisted of that time kept 65,536 events so.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="the last 20,000 log events in a Twisted observer",
    requires=("twisted==24.11.0",),
    source="https://github.com/twisted/twisted/issues/8164",
)
_traffic = Traffic(65)
_log: Any = None


def setup() -> None:
    global _log
    from twisted.logger import LimitedHistoryLogObserver, Logger

    _log = Logger("shop", observer=LimitedHistoryLogObserver(20_000))


def step(i: int) -> None:
    _traffic.tick(i)
    _log.debug("order {i}", i=i)
