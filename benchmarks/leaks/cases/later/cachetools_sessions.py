"""No leak: sessions in a ``TTLCache``, which drops what has expired only when something else is put in.

Reported as tkem/cachetools#177 and #215. The time is counted in requests; at night nobody logs in, and nothing goes.

Holder: ``_sessions``, a ``cachetools.TTLCache``: at most 1,900 sessions, once the first have expired.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="sessions in a TTLCache",
    requires=("cachetools==5.5.0",),
    source="https://github.com/tkem/cachetools/issues/177",
)
_traffic = Traffic(233)
_sessions: Any = None
_now = 0


def _clock() -> int:
    return _now


def setup() -> None:
    global _sessions
    import cachetools

    _sessions = cachetools.TTLCache(maxsize=50_000, ttl=18_000, timer=_clock)


def step(i: int) -> None:
    global _now
    _now = i
    _traffic.tick(i)
    if i % 8 == 0 and i % 12_000 < 9_000:
        _sessions[f"session-{i:08}"] = {"user": i % 900, "basket": [i, i + 1]}
