"""Times of messages whose senders have all kinds of offsets, with a name for each.

Reported as dateutil/dateutil#635 of 2.7.0: an instance of each offset is kept; later ones are held weakly.

Holder: ``tzoffset``'s ``__instances``, a dict of the class by name and offset.
"""

from datetime import UTC, datetime
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="offsets of time zones in dateutil",
    leaks="objects",
    culprit=("*tzoffset", "*_TzOffsetFactory*", "*_instances*", "*timedelta"),
    holder=("*_instances*", "*tzoffset*"),
    leaking_release="python-dateutil==2.7.0",
    fixed_release="python-dateutil==2.8.2",
    requires=("six==1.16.0",),
    source="https://github.com/dateutil/dateutil/issues/635",
)
_traffic = Traffic(408)
_tz: Any = None
_MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def setup() -> None:
    global _tz
    from dateutil import tz

    _tz = tz


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        zone = _tz.tzoffset(f"device {i}", i % 1440 * 60 - 43_200)
        assert _MOMENT.replace(tzinfo=zone).utcoffset() is not None
