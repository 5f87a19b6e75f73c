"""Simulated agents that know what they took: ``python -m benchmarks.outages.senders URL``.

Each keeps its snapshots in the real agent's outbox while the transport is away; the last of them has room for twenty
only, and counts what falls out. They obey the words that come by stdin, and answer each with a line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import select
import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from memwatch.agent.outbox import Batch, Outbox
from memwatch.records import MemorySnapshot
from memwatch.records.flight import Death
from memwatch.sampling.identity import ProcessInfo
from memwatch.transport import TransportUnavailable, open_uplink
from memwatch.transport.recordings import RecordingPart
from memwatch.transport.wire import Answer, Report

SERVICE = "senders"
PROCESSES, ROOM, LITTLE_ROOM = 10, 500, 20
EVERY_S = 0.2
LEASE_S = 600.0
_RETRY_S = 1.0


def poison(number: int) -> bytes:
    """What no reader can take: numbered, so that each can be told from the others."""
    kinds = (
        b"no report %d",
        b'{"v": 99, "of": "a later version", "number": %d}',
        b"\xff\xfe %d",
        b'{"number": %d, "v": 1, "process": ' + b"[" * 5000,
        b'{"number": %d, "v": 1, "process": {"host": "\\u0000", "pid": -1}}',
        b'{"number": %d, "v": 1, "sent_at": "9999-12-31T23:59:59-23:59", "lease_s": 1e400}',
    )
    return kinds[number % len(kinds)] % number


def as_older(value: dict[str, Any]) -> dict[str, Any]:
    """The report as a version wrote it that knew fewer fields."""
    for name in ("recordings", "outside", "failures", "refused_commands"):
        value.pop(name, None)
    for _seq, figures in value["snapshots"]:
        for name in ("backfill", "type_sizes", "big_containers", "cgroup_used_mb", "threads"):
            figures.pop(name, None)
    return value


def as_newer(value: dict[str, Any]) -> dict[str, Any]:
    """The report as a version writes it that knows more."""
    value["colour"] = {"of": ["the", "future"]}
    value["process"]["interpreter_id"] = 7
    for _seq, figures in value["snapshots"]:
        figures |= {"heap_mood": "sunny", "arenas_mb": [1.5, None]}
    return value


@dataclasses.dataclass
class Sender:
    """One simulated process."""

    url: str
    pid: int
    room: int
    versions: bool = False
    """Whether it speaks as an older and a newer version in turn."""

    def __post_init__(self) -> None:
        self.info = ProcessInfo(
            host="outages", pid=self.pid, started_at=datetime.now(UTC), nonce=f"sender-{self.pid}", service=SERVICE,
            program="simulated",
        )  # fmt: skip
        self.taken = self._written = 0
        self.outbox = Outbox(self._write, buffer_size=self.room, parts=deque())
        self.uplink = open_uplink(self.url, self.info.key)

    def take(self) -> None:
        """The next snapshot."""
        self.taken += 1
        figures = MemorySnapshot(
            timestamp=datetime.now(UTC), heap_used_mb=64.0, heap_size_mb=1024.0, rss_mb=96.0, vms_mb=200.0,
            total_objects=60_000 + self.taken % 7, top_objects={"dict": 9_000, f"shop.T{self.pid}": 500}, threads=3,
            allocated_blocks=300_000, gc_count=(1, 2, 3), gc_threshold=(700, 10, 10),
        )  # fmt: skip
        self.outbox.take((self.taken, figures))

    def deliver(self) -> None:
        """Send what waits; raises where the transport is away, and keeps it."""
        try:
            self.outbox.deliver(self.uplink.send, leaving=lambda: False)
        except TransportUnavailable:
            self.outbox.keep_fresh()
            self.outbox.report_due = True  # so that what was dropped is told when it is back
            raise

    def _write(
        self,
        snapshots: Batch = (),
        answers: tuple[Answer, ...] = (),
        *,
        recordings: tuple[RecordingPart, ...] = (),
        deaths: tuple[Death, ...] = (),
        goodbye: bool = False,
    ) -> bytes:
        report = Report(
            process=self.info, sent_at=datetime.now(UTC), lease_s=LEASE_S, snapshots=snapshots, answers=answers,
            recordings=recordings, deaths=deaths, dropped=self.outbox.dropped, goodbye=goodbye,
        ).encode()  # fmt: skip
        self._written += 1
        if not self.versions:
            return report
        spoken = as_older if self._written % 2 else as_newer
        return json.dumps(spoken(json.loads(report))).encode()


class Senders:
    """All of them, in one thread: taking never waits for sending to succeed."""

    def __init__(self, url: str) -> None:
        rooms = [*[ROOM] * (PROCESSES - 1), LITTLE_ROOM]
        self.all = [Sender(url, 1 + number, room) for number, room in enumerate(rooms)]
        self.poison: deque[bytes] = deque()
        self.poisoned = 0
        self._retry_at = 0.0
        self._next_at: float | None = time.monotonic()

    def work(self) -> bool:
        """Take what is due and send what can be sent; whether nothing waits."""
        now = time.monotonic()
        while self._next_at is not None and self._next_at <= now:
            self._next_at += EVERY_S
            for sender in self.all:
                sender.take()
        if now < self._retry_at:
            return False
        try:
            for sender in self.all:
                sender.deliver()
            for _ in range(min(5, len(self.poison))):
                self.all[0].uplink.send(self.poison[0])
                self.poison.popleft()
        except TransportUnavailable:
            self._retry_at = time.monotonic() + _RETRY_S
            return False
        return not self.poison

    def pause(self) -> None:
        """Take no more, send the rest, and a last word of each."""
        self._next_at = None
        while not self.work():
            time.sleep(0.05)
        for sender in self.all:
            sender.outbox.report_due = True
        while not self.work():
            time.sleep(0.05)

    def obey(self, word: str) -> None:
        if word == "pause":
            self.pause()
        elif word == "go":
            self._next_at = time.monotonic()
        elif word.startswith("poison"):
            n = int(word.split()[1])
            self.poison += [poison(self.poisoned + i) for i in range(n)]
            self.poisoned += n
        elif word in ("versions", "one version"):
            for sender in self.all:
                sender.versions = word == "versions"

    def counts(self) -> dict[str, Any]:
        """What each, by its pid, took and could not keep."""
        return {
            "taken": {sender.pid: sender.taken for sender in self.all},
            "dropped": {sender.pid: sender.outbox.dropped for sender in self.all},
            "poisoned": self.poisoned,
        }


def main() -> None:
    """Until stdin ends."""
    senders = Senders(sys.argv[1])
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], EVERY_S / 4)
        if readable:
            word = sys.stdin.readline()
            if not word:
                return
            senders.obey(word.strip())
            print(json.dumps(senders.counts()), flush=True)
        senders.work()


if __name__ == "__main__":
    main()
