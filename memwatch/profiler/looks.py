"""A look into the heap of this process before its profiler calls something a leak.

The curve cannot tell a cache that fills from a leak. A copy of the process can: what waits for a full collection has no
root, a cache knows its bound, and sessions know when they expire. Without a copy the curve decides.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from memwatch.records import Leak, MemorySnapshot

logger = logging.getLogger(__name__)

STANDS_FOR_S = 3600.0
"""What a look has shown holds for this time; then the type is looked at again."""
AT_ONCE = 5
"""Types looked at in one search for leaks, those that grew most first."""


class HeapLooks:
    """What was seen of each type, and when."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, str]] = {}
        """By type: until when that holds, and why its growth is no leak."""

    def confirmed(self, leaks: Iterable[Leak], baseline: MemorySnapshot | None) -> list[Leak]:
        """The leaks that the heap does not explain. What came since the ``baseline`` is looked at."""
        at_baseline = (baseline.top_objects if baseline is not None else None) or {}
        now, grown_s = self._clock(), _age_s(baseline)
        self._seen = {name: seen for name, seen in self._seen.items() if now < seen[0]}
        left, confirmed = AT_ONCE, []
        for leak in leaks:
            name = leak.object_type
            if leak.kind == "objects" and name not in self._seen and left:
                left -= 1
                why, for_s = _explained(name, at_baseline.get(name, 0), grown_s)
                self._seen[name] = now + min(for_s, STANDS_FOR_S), why
            if leak.kind != "objects" or not self._seen.get(name, (0.0, ""))[1]:
                confirmed.append(leak)
            else:
                logger.info("memwatch: %s grows, but is no leak: %s", name, self._seen[name][1])
        return confirmed


def of_this_process(snapshots: Iterable[MemorySnapshot | Mapping[str, Any]], latest: MemorySnapshot | None) -> bool:
    """Whether the profiler's latest snapshot is among them: those of another process say nothing of this heap."""
    if latest is None:
        return False
    times = (latest.timestamp, latest.timestamp.isoformat())
    return any((each.get("timestamp") if isinstance(each, Mapping) else each.timestamp) in times for each in snapshots)


def _age_s(baseline: MemorySnapshot | None) -> float:
    """The growth is as old as the baseline."""
    return math.inf if baseline is None else (datetime.now(UTC) - baseline.timestamp).total_seconds()


def _explained(object_type: str, at_baseline: int, grown_s: float) -> tuple[str, float]:
    """Why its growth is no leak, in a sentence, and for how many seconds more that holds.

    Empty where it may be one, or could not be looked at. ``grown_s``: the growth is as old as this.
    """
    from memwatch.diagnosis.context import Host, Refused  # noqa: PLC0415 - where there is growth, and not before
    from memwatch.diagnosis.copy.parent import NotForked  # noqa: PLC0415
    from memwatch.diagnosis.cost_meter import Meter  # noqa: PLC0415
    from memwatch.diagnosis.options import ReferrersOptions  # noqa: PLC0415
    from memwatch.diagnosis.referrers.recording import ReferrersRecording  # noqa: PLC0415
    from memwatch.diagnosis.structure import evidence  # noqa: PLC0415
    from memwatch.diagnosis.structure.expected_time import expected_s  # noqa: PLC0415

    host = Host(apart_s=0.0, baseline=lambda: {object_type: at_baseline})
    try:
        steps = ReferrersRecording(ReferrersOptions(type=object_type), host).in_copies(Meter())
        while True:
            try:
                time.sleep(next(steps))
            except StopIteration as end:
                found = end.value.to_dict()
                break
    except (
        NotForked,
        Refused,
        OSError,
        ValueError,
    ) as reason:  # of the last two: a copy that fails, or answers nonsense
        logger.debug("memwatch: %s was not looked at in the heap: %s", object_type, reason)
        return "", STANDS_FOR_S
    likeliest = found["candidates"][0] if found["candidates"] else {}
    left_s = math.inf if evidence.acquits(found, likeliest) else expected_s(found, grown_s) - grown_s
    return (evidence.finding(found, likeliest), left_s) if left_s > 0 else ("", STANDS_FOR_S)
