"""No leak: appointments of users in many time zones, whose rules dateutil loads from its archive, all at once.

Reported as dateutil/dateutil#77.

Holder: ``dateutil.zoneinfo._CLASS_ZONE_INSTANCE``, a list of one instance with a dict of all zones.
"""

import random
from datetime import datetime
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="time zones from dateutil's archive",
    requires=("python-dateutil==2.9.0.post0", "six==1.16.0"),
    source="https://github.com/dateutil/dateutil/issues/77",
)
_traffic = Traffic(430)
_random = random.Random(430)
_zoneinfo: Any = None
_NAMES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Africa/Cairo", "Australia/Sydney", "America/Sao_Paulo")
FIRST_AT = 6_000


class Appointment:
    """Of a user."""

    def __init__(self, at: datetime) -> None:
        self.at = at


_shown: list[Appointment] = []


def setup() -> None:
    global _zoneinfo
    from dateutil import zoneinfo

    _zoneinfo = zoneinfo


def step(i: int) -> None:
    _traffic.tick(i)
    if i >= FIRST_AT and i % 20 == 0:
        zone = _zoneinfo.get_zonefile_instance().get(_random.choice(_NAMES))
        _shown.append(Appointment(datetime(2026, 1 + i % 12, 1 + i % 28, i % 24, tzinfo=zone)))
        assert _shown[-1].at.utcoffset() is not None
        del _shown[:-50]
