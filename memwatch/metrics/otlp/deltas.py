"""Counters as what was added since the last export, for back ends that ask for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from opentelemetry.sdk.metrics.export import NumberDataPoint

from memwatch.metrics.otlp.resources import Owner

_Series = tuple[Owner, str, frozenset[tuple[str, object]]]
_Sent = tuple[int, int, float]
"""Start of the count, time and value of what has arrived."""


class Deltas:
    """Remembers what has arrived. What did not arrive is contained in the next difference, so nothing is lost."""

    def __init__(self, began: int) -> None:
        """``began``: now, in nanoseconds. What a process had counted before may have been sent before."""
        self._began = self._read_at = began
        self._sent: dict[_Series, _Sent] = {}
        self._pending: dict[_Series, _Sent] = {}
        self._seen: set[_Series] = set()
        self._complete = False

    def of(self, owner: Owner, name: str, points: Sequence[NumberDataPoint]) -> list[NumberDataPoint]:
        """The differences to what has arrived; without those whose beginning is not known."""
        made = []
        for point in points:
            key = (owner, name, frozenset((point.attributes or {}).items()))
            start, value = point.start_time_unix_nano, point.value
            self._seen.add(key)
            self._pending[key] = start, point.time_unix_nano, value
            known = self._sent.get(key)
            if known is not None and known[0] in (start, 0):  # 0: it was not known yet since when totals count
                _start, until, before = known
                before = before if before <= value else 0
            elif start >= self._began:
                until, before = start, 0
            elif self._complete and not owner[2]:  # a total that had not been there at the last reading
                until, before = self._read_at, 0
            else:
                continue
            made.append(dataclasses.replace(point, start_time_unix_nano=until, value=value - before))
        return made

    def commit(self) -> None:
        """What was made since the last call has arrived."""
        self._sent.update(self._pending)
        self._pending.clear()

    def discard(self) -> None:
        """It has not."""
        self._pending.clear()

    def finish(self, at: int) -> None:
        """A whole reading has arrived. Forgets the series that it did not have: their processes are gone."""
        for key in self._sent.keys() - self._seen:
            del self._sent[key]
        self._seen.clear()
        self._complete, self._read_at = True, at
