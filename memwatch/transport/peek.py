"""Looking at reports as they pass, without taking them: the ingest that reads the same transport misses nothing.

From a spool, the files that are there are read and left; one that an ingest took between two looks is missed, so look
more often than it reads. From Redis, the stream is read beside the ingest's consumer group, and nothing is missed: what
the group has acknowledged stays for half a minute.
"""

from __future__ import annotations

import os
from typing import Any

from memwatch.transport.private_folder import LocalAddress
from memwatch.transport.protocols import READ_BYTES, Hub
from memwatch.transport.redis.scripts import ID, LARGEST_ENTRY, PEEK, as_fields
from memwatch.transport.spool import CLAIMED, SPOOL, read_file, report_name

MOST = 5_000
"""Reports one look brings; at first the newest."""
MOST_BYTES = 4 * READ_BYTES
"""Their bytes; what is over is looked at the next time."""


class LocalPeek:
    """Looks into a spool folder."""

    def __init__(self, url: str) -> None:
        self._folder = LocalAddress.parse(url).folder
        self._seen: set[str] = set()

    def look(self) -> list[bytes]:
        with self._folder.opened(SPOOL) as spool, self._folder.opened(CLAIMED) as claimed:
            there = {}
            for folder in (spool, claimed):  # in the way of a report: one that moves between the two is not missed
                for name in os.listdir(folder):  # noqa: PTH208 - a descriptor
                    if (report := report_name(name)) is not None:
                        there[report] = (folder, name)
            self._seen &= there.keys()
            payloads: list[bytes] = []
            read = 0
            for report in reversed(sorted(there.keys() - self._seen)[-MOST:]):
                folder, name = there[report]
                if payload := read_file(folder, name):
                    self._seen.add(report)
                    payloads.append(payload)
                    read += len(payload)
                if read >= MOST_BYTES:
                    break
            self._seen.update(sorted(there)[:-MOST])
        return payloads[::-1]

    def close(self) -> None:
        self._seen.clear()


class RedisPeek:
    """Looks at the stream of reports."""

    def __init__(self, url: str) -> None:
        from memwatch.transport.redis.connection import RedisAddress  # noqa: PLC0415 - redis-py may not be there

        self._where = RedisAddress(url)
        self._client = self._where.client()
        self._last: bytes | None = None

    def look(self) -> list[bytes]:
        with self._where.errors_explained():
            entries = self._read(b"", "newest")[::-1] if self._last is None else self._after(self._last)
        self._last = entries[-1][0] if entries else self._last or b"0-0"
        return [as_fields(flat).get(b"p", b"") for _entry, flat in entries]

    def _after(self, last: bytes) -> list[Any]:
        newest: Any = self._client.eval(ID, 1, self._where.reports, "XREVRANGE", "+", "-")
        if newest and _order(newest) < _order(last):
            last = b"0-0"  # Redis was emptied, and counts from the beginning
        return self._read(last, "after")

    def _read(self, position: bytes, which: str) -> list[Any]:
        found: Any = self._client.eval(PEEK, 1, self._where.reports, position, MOST, MOST_BYTES, LARGEST_ENTRY, which)
        return list(found)

    def close(self) -> None:
        self._client.close()
        self._client.connection_pool.disconnect()


class Taking:
    """Removes what it reads: for a transport that has no other reader, whose spool would fill up."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def look(self) -> list[bytes]:
        deliveries = self._hub.read(limit=MOST)
        self._hub.acknowledge(deliveries)
        return [delivery.payload for delivery in deliveries]

    def close(self) -> None:
        self._hub.close()


def _order(entry: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number or 0)
