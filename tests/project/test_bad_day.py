"""A bad day of a whole deployment, in short; `make soak` measures each outage by itself (docs/reliability.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.outages.catalogue import OUTAGES
from benchmarks.outages.stand import Stand

pytestmark = [pytest.mark.deployment, pytest.mark.postgres, pytest.mark.redis]

DAY = {
    "Two beats": 1.0,
    "Poisoned reports": 0.5,
    "Celery worker frozen": 2.0,
    "Redis slow": 1.0,
    "Rolling deploy": 2.0,
    "Beat killed": 1.0,
    "Clock back": 2.0,
}
"""Seconds of each. What takes its minute to come back (a killed reader's claims do) is left to the soak."""


def test_everything_is_stored_once_and_counted_on_a_bad_day(tmp_path: Path) -> None:
    befall = {outage.name: outage.befall for outage in OUTAGES}
    with Stand(tmp_path, hosts=False) as stand:
        stand.wait_until_current()
        for name, seconds in DAY.items():
            befall[name](stand, seconds)
        stand.wait_until_current()
        found = stand.settle()
    assert found.taken > 500
    assert (found.lost, found.twice) == (0, 0)
    assert found.stored >= found.taken - found.dropped
    assert (found.counted, found.dropped_shown) == (found.stored, found.dropped)
    assert found.set_aside == found.poisoned > 300
