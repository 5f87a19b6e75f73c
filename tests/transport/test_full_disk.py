"""The spool's disk is full to the last byte: senders keep what they can, count the rest, and go on afterwards."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from benchmarks.outages.disk import SmallDisk, can_mount
from benchmarks.outages.senders import LITTLE_ROOM, PROCESSES, Senders
from memwatch.transport import open_hub
from memwatch.transport.wire import Report


def test_nothing_is_lost_uncounted_while_the_spools_disk_is_full(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("a small disk of its own takes the right to mount one, as root has it")
    with SmallDisk(tmp_path / "spool", 2, (os.getuid(), os.getgid())) as disk:
        url = f"local://{disk.folder}/transport"
        senders = Senders(url)

        def work(rounds: int) -> None:
            for _ in range(rounds):
                for sender in senders.all:
                    sender.take()
                senders._retry_at = 0.0
                senders.work()

        senders._next_at = None
        work(5)
        with disk.full():
            work(LITTLE_ROOM + 15)
        senders._retry_at = time.monotonic()
        senders.pause()

        hub = open_hub(url)
        deliveries = hub.read(limit=10_000)
        stored = [
            (report.process.pid, seq)
            for report in (Report.decode(delivery.payload) for delivery in deliveries)
            for seq, _snapshot in report.snapshots
        ]
        told = {report.process.pid: report.dropped for report in (Report.decode(d.payload) for d in deliveries)}
        hub.close()
    taken, dropped = senders.counts()["taken"], senders.counts()["dropped"]
    assert len(stored) == len(set(stored))
    assert dropped.pop(PROCESSES) >= 14, "the one with little room"
    assert set(dropped.values()) == {0}
    dropped = senders.counts()["dropped"]
    assert told == dropped, "the last report of each says how many"
    for pid, took in taken.items():
        assert sum(owner == pid for owner, _seq in stored) == took - dropped[pid]
