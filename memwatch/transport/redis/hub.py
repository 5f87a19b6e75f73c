"""The server's end of the Redis transport."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from memwatch.batches import batched
from memwatch.transport.flights.checks import MAX_FLIGHT_BYTES
from memwatch.transport.protocols import EVERYONE, READ_BYTES, Delivery, HubState
from memwatch.transport.redis.connection import RedisAddress
from memwatch.transport.redis.scripts import ABOUT, ANSWERS, CLAIM, ID, LARGEST_ENTRY, READ, SET_BACK, as_fields
from memwatch.transport.wire import MAX_REPORT_BYTES

log = logging.getLogger("memwatch")

GROUP = READER = "hub"
"""One reader's name for all hubs: Redis hands each entry to one of them, and no dead reader's name is left over."""
LEASE_S = 60.0
"""What was read and not acknowledged for so long is given to another reader."""
KEPT_S = 30.0
"""Acknowledged reports stay so long, for :meth:`RedisHub.request`, which reads the same stream beside the group."""
FUTURE_S = 600
"""Ids so far ahead of the server's clock are of a sender that chose one, or from before the clock was set back."""
_COMMANDS_KEPT = 100
_COMMANDS_EXPIRE_S = 120
_MANY = 500
_LOOK_S = 0.02
"""Between two looks for answers: XREAD, which waits for one, hands it out however large it is."""
OVERSIZED = bytes(MAX_REPORT_BYTES + 1)
"""In place of a report that is larger than any may be and was not read; decoding refuses it as oversized."""


class RedisHub:
    """Several may be open at once, in one process or many. Connects at the first use."""

    estimates_losses = False
    """Whether to count as with Redis 6.2, which does not say how many entries were ever added."""

    def __init__(self, url: str, *, lease_s: float = LEASE_S) -> None:
        self._where = RedisAddress(url)
        self._lease_ms = int(lease_s * 1000)
        self._client = self._where.client()
        self._held: set[str] = set()
        self._pid = os.getpid()

    def read(self, *, limit: int) -> list[Delivery]:
        """Claim up to ``limit`` reports: first what a dead reader held, then new ones, oldest first."""
        with self._where.errors_explained():
            try:
                return self._read(limit)
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error) and "no such key" not in str(error):
                    raise
                self._make_group()
                return self._read(limit)

    def _read(self, limit: int) -> list[Delivery]:
        reports, reader = self._where.reports, READER
        claimed: Any = self._client.eval(
            CLAIM, 1, reports, GROUP, reader, self._lease_ms, limit, READ_BYTES, LARGEST_ENTRY
        )
        deliveries = [_delivery(entry, fields) for entry, fields in claimed[0]]
        if claimed[1]:
            self._client.hincrby(self._where.hub, "trimmed_held", claimed[1])
        elif claimed[2]:
            self.forget_trimmed()
        left = READ_BYTES - sum(len(delivery.payload) for delivery in deliveries)
        if len(deliveries) < limit and left > 0:
            entries: Any = self._client.eval(
                READ, 2, reports, self._where.hub, GROUP, reader, limit - len(deliveries),
                "estimate" if self.estimates_losses else "", left, LARGEST_ENTRY,
            )  # fmt: skip
            deliveries += [_delivery(entry, fields) for entry, fields in entries]
        self._held.update(delivery.id for delivery in deliveries)
        if not deliveries:
            self._set_back()
        return deliveries

    def _set_back(self) -> None:
        """Restart the ids if they lie in the future. Redis itself sees whether all is read."""
        seconds = int(self._client.time()[0])
        now, future = f"{seconds * 1000}-0", (seconds + FUTURE_S) * 1000
        if self._client.eval(SET_BACK, 1, self._where.reports, GROUP, now, future):
            log.warning("memwatch: the ids of reports in Redis lay in the future; they start again, nothing is lost")

    def forget_trimmed(self) -> int:
        """Redis 6.2 keeps claims on entries that were trimmed since: drop and count them."""
        gone = [
            item["message_id"]
            for item in self._client.xpending_range(self._where.reports, GROUP, "-", "+", _MANY)
            if not self._id("XRANGE", item["message_id"], item["message_id"])
        ]
        if gone:
            dropped = self._client.xack(self._where.reports, GROUP, *gone)
            self._client.hincrby(self._where.hub, "trimmed_held", int(dropped))
        return len(gone)

    def _make_group(self) -> None:
        try:
            self._client.xgroup_create(self._where.reports, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):  # another hub was faster
                raise

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget them, and trim what everybody has read."""
        ids = [delivery.id for delivery in deliveries]
        with self._where.errors_explained():
            for some in batched(ids, _MANY):
                self._client.xack(self._where.reports, GROUP, *some)
            self._held.difference_update(ids)
            if ids:
                self._trim()

    def _trim(self) -> None:
        """Up to the oldest entry that is pending, was read last, or may still be looked for by a request.

        The one read last stays for certain: while it is there, nothing after it was trimmed unread.
        """
        seconds, _ = self._client.time()
        pending = self._client.xpending(self._where.reports, GROUP)
        groups = self._client.xinfo_groups(self._where.reports)
        ends = [_text(group["last-delivered-id"]) for group in groups if _text(group["name"]) == GROUP]
        if max(map(_order, ends), default=(0, 0))[0] <= int(seconds + KEPT_S) * 1000:  # else no clock drew the ids
            ends.append(f"{int(seconds - KEPT_S) * 1000}-0")
        if pending["min"] is not None:
            ends.append(_text(pending["min"]))
        self._client.xtrim(self._where.reports, minid=min(ends, key=_order), approximate=True)

    def request(self, commands: Mapping[str, bytes], *, timeout_s: float) -> dict[str, bytes]:
        """Send, then watch the stream of reports for the answers. With ``EVERYONE`` it lasts ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        answers: dict[str, bytes] = {}
        with self._where.errors_explained():
            position = self._tail()
            asked = self._send(commands)
            missing = set(commands)
            while missing and (left := deadline - time.monotonic()) > 0:
                found: Any = self._client.eval(
                    ANSWERS, 1, self._where.reports, position, _MANY, READ_BYTES, LARGEST_ENTRY
                )
                if _text(found[0]) == position:
                    time.sleep(min(left, _LOOK_S))
                    continue
                position = _text(found[0])
                for _entry, flat in found[1]:
                    fields = as_fields(flat)
                    wanted = asked.get(fields.get(b"c", b""))
                    key = _key(fields.get(b"k", b""))
                    if key and wanted in (EVERYONE, key):
                        answers[key] = fields.get(b"p", b"")
                        missing.discard(key)
        return answers

    def notify(self, commands: Mapping[str, bytes]) -> None:
        """Only send."""
        with self._where.errors_explained():
            self._send(commands)

    def _tail(self) -> str:
        try:
            stream = as_fields(cast("Any", self._client.eval(ABOUT, 1, self._where.reports)))
        except redis.ResponseError:
            return "0-0"
        return _text(stream[b"last-generated-id"])

    def _id(self, command: str, start: Any, stop: Any) -> str:
        """That of the first entry; empty where there is none."""
        return _text(cast("bytes", self._client.eval(ID, 1, self._where.reports, command, start, stop)))

    def _send(self, commands: Mapping[str, bytes]) -> dict[bytes, str]:
        """Who was asked, by the mark that the answer will carry."""
        asked = {}
        keys = list(commands)
        for some in batched(keys, _MANY):
            with self._client.pipeline(transaction=False) as pipeline:
                for key in some:
                    stream = self._where.commands_to(key)
                    pipeline.xadd(stream, {b"c": commands[key]}, maxlen=_COMMANDS_KEPT, approximate=True)
                    pipeline.expire(stream, _COMMANDS_EXPIRE_S)
                entries = pipeline.execute()[::2]
            for key, entry in zip(some, entries, strict=True):
                asked[f"{self._where.commands_to(key)} ".encode() + entry] = key
        return asked

    def left(self, process_key: str) -> bytes | None:
        """A longer one than any record may be is not read."""
        with self._where.errors_explained():
            try:
                found = cast("bytes", self._client.getrange(self._where.left_by(process_key), 0, MAX_FLIGHT_BYTES))
            except redis.ResponseError as error:
                if "WRONGTYPE" not in str(error):
                    raise
                return None
        return found or None

    def forget(self, process_key: str) -> None:
        """Delete the key."""
        with self._where.errors_explained():
            self._client.delete(self._where.left_by(process_key))

    def state(self) -> HubState:
        """Exact with Redis 7; with 6.2, ``backlog`` counts up to the last half minute's read reports too."""
        with self._where.errors_explained():
            try:
                return self._state()
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error) and "no such key" not in str(error):
                    raise
                self._make_group()
                return self._state()

    def _state(self) -> HubState:
        reports = self._where.reports
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.eval(ABOUT, 1, reports)
            pipeline.xinfo_groups(reports)
            pipeline.xpending(reports, GROUP)
            pipeline.hgetall(self._where.hub)
            pipeline.time()
            pipeline.memory_usage(reports)
            pipeline.info("memory")
            about, groups, pending, counted, now, stream_bytes, memory = pipeline.execute()
        stream: Mapping[bytes, Any] = as_fields(about)
        last = next(_text(group["last-delivered-id"]) for group in groups if _text(group["name"]) == GROUP)
        read, trimmed, trimmed_held = (int(counted.get(name, 0)) for name in (b"read", b"trimmed", b"trimmed_held"))
        first, length = _text(stream[b"first-entry"]), int(stream[b"length"])
        gap = first != "" and _order(first) > _order(last)
        added = None if self.estimates_losses else stream.get(b"entries-added")
        if _text(stream[b"last-generated-id"]) == last:
            unread = 0
        elif gap or added is None:
            unread = length
        else:
            unread = added - trimmed - read
        if gap and added is not None:
            trimmed = max(trimmed, added - length - read)
        oldest = [] if pending["min"] is None else [_text(pending["min"])]
        if unread and (next_one := self._id("XRANGE", f"({last}", "+")):
            oldest.append(next_one)
        age = None
        if oldest:
            age = max(0.0, now[0] + now[1] / 1e6 - _order(min(oldest, key=_order))[0] / 1000)
        limit = int(memory.get("maxmemory") or 0)
        return HubState(
            backlog=max(0, unread) + int(pending["pending"]),
            oldest_s=age,
            lost=trimmed + trimmed_held,
            used_bytes=int(memory["used_memory"]) if limit else int(stream_bytes or 0),
            limit_bytes=limit or None,
        )

    def close(self) -> None:
        """Let others have at once what was read here and not acknowledged."""
        held, self._held = sorted(self._held), set()
        if self._pid != os.getpid():
            held = []  # in a forked child they are the parent's
        try:
            with self._where.errors_explained():
                some: Any
                for some in batched(held, _MANY):
                    self._client.xclaim(
                        self._where.reports, GROUP, READER, 0, some, idle=self._lease_ms + 1, justid=True
                    )
        finally:
            self._client.close()
            self._client.connection_pool.disconnect()


def _delivery(entry: bytes, flat: Sequence[bytes]) -> Delivery:
    fields = as_fields(flat)
    if b"oversized" in fields:
        return Delivery(_text(entry), OVERSIZED)
    return Delivery(_text(entry), fields.get(b"p", b"")[: MAX_REPORT_BYTES + 1])


def _key(value: bytes) -> str:
    try:
        return value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return ""  # no agent's


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _order(entry: bytes | str) -> tuple[int, int]:
    milliseconds, _, number = _text(entry).partition("-")
    return int(milliseconds), int(number or 0)
