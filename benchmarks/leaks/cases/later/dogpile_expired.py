"""Profiles by session in dogpile's memory region, with a time after which they are stale.

Reported as rucio/rucio#5152: stale values are made again when they are asked for, and otherwise stay.

Holder: ``_region.backend._cache``, a dict.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="stale values in dogpile's memory region",
    leaks="objects",
    culprit=("*CachedValue", "dogpile.*", "*._cache"),
    holder=("*_region*", "*._cache"),
    requires=("dogpile.cache==1.3.3",),
    source="https://github.com/rucio/rucio/issues/5152",
)
_traffic = Traffic(215)
_region: Any = None


def setup() -> None:
    global _region
    from dogpile.cache import make_region

    _region = make_region().configure("dogpile.cache.memory", expiration_time=1)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        session = f"session-{i // 30:08}"
        profile = _region.get_or_create(session, lambda: {"name": session, "rights": ["read", "write"]})
        assert profile["name"] == session
