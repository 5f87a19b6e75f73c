"""Agents of flesh and blood for these tests: real uplinks in threads that obey commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from memwatch.records import MemorySnapshot
from memwatch.sampling.identity import ProcessInfo
from memwatch.transport import open_uplink
from memwatch.transport.wire import Answer, Command, Report


class TestAgent:
    """Answers every command with a snapshot made by ``take``; ``obeyed`` lists the names of the commands."""

    __test__ = False

    def __init__(self, url: str, key: str, who: ProcessInfo, take: Callable[[], MemorySnapshot]) -> None:
        self.process = who
        self.obeyed: list[str] = []
        self._key, self._take = key, take
        self._seq = 1_000
        self._uplink = open_uplink(url, who.key)
        self._leaving = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> TestAgent:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._leaving = True
        self._uplink.wake()
        self._thread.join(5)
        self._uplink.close()

    def _serve(self) -> None:
        self._uplink.receive(0)  # binds the socket
        self._ready.set()
        while not self._leaving:
            incoming = self._uplink.receive(1.0)
            if incoming is None:
                continue
            command = Command.decode(incoming.payload, self._key, now=datetime.now(UTC))
            self.obeyed.append(command.name)
            taken = command.name == "snapshot"
            self._seq += taken
            answer = Answer(command=command.id, state="done", snapshot_seq=self._seq if taken else None)
            report = Report(
                process=self.process,
                sent_at=datetime.now(UTC),
                lease_s=180,
                snapshots=((self._seq, self._take()),) if taken else (),
                answers=(answer,),
            )
            self._uplink.answer(incoming, report.encode())
