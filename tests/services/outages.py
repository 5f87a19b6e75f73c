"""A deployment that is hurt: durable PostgreSQL and Redis of its own, workers that ingest, agents that keep sending."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from memwatch.transport import TransportUnavailable, Uplink, open_hub, open_uplink
from tests.reports import process, report, snapshot
from tests.servers import PostgresServer, RedisServer, Server, postgres_program, redis_program
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, WORKERS = 10, 3
PATIENCE_S = 120.0
POISON = (b"no report: %d", b'{"v": 99, "of": "a later version", "number": %d}')


class Deployment:
    """Use it in a ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresServer(postgres_program(), durable=True)
        self.redis = RedisServer(redis_program(), "--appendonly", "yes", "--appendfsync", "always")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.agents: Agents | None = None

    def __enter__(self) -> Deployment:
        try:
            self.postgres.start()
            self.redis.start()
            self.environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith("MEMWATCH_")},
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "DATABASE_URL": self.postgres.url,
                "MEMWATCH_VAR": str(self.folder / "var"),
                "MEMWATCH_TRANSPORT": self.redis.url,
                "MEMWATCH_AGENT": "off",  # on a slow machine the workers would live long enough to report themselves
            }
            assert self._start("migrate").wait(PATIENCE_S) == 0
            for _ in range(WORKERS):
                self.add_worker()
            self.agents = Agents(self.redis.url)
            self.agents.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.agents is not None:
            self.agents.stop()
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.redis.stop()
        self.postgres.stop()

    def _start(self, what: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.services.ingester", what],
                cwd=ROOT, env=self.environment, stderr=log,
                stdout=subprocess.PIPE if what == "counts" else subprocess.DEVNULL,
            )  # fmt: skip

    def add_worker(self) -> None:
        """One more, as two beats by mistake would keep busy."""
        self.workers.append(self._start("loop"))

    def kill_a_worker(self) -> None:
        """As the kernel does when memory runs out; its supervisor starts another."""
        victim = self.workers.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.add_worker()

    def away(self, server: Server, how: str, seconds: float) -> None:
        """``stopped`` in order, ``killed`` or ``frozen`` for so long."""
        assert server.process is not None
        if how == "frozen":
            server.pause()
        elif how == "killed":
            server.kill()
        else:
            server.process.send_signal(server.stop_signal)
            server.process.wait(PATIENCE_S)
        time.sleep(seconds)
        if how == "frozen":
            server.resume()
        else:
            server.start()

    def lives(self) -> None:
        """Wait until what is sent from now on is stored: nobody has to lend a hand."""
        assert self.agents is not None
        before = self.agents.sent
        self._wait(lambda: self.agents is not None and self.agents.sent >= before + PROCESSES, "agents to send")
        self._wait(lambda: self._backlog() < 3 * PROCESSES, "the backlog to be drained")

    def settle(self) -> dict[str, Any]:
        """Stop the agents, wait until everything is stored, and count."""
        assert self.agents is not None
        self.agents.stop()
        self._wait(lambda: self._backlog() == 0, "the last report to be stored")
        counting = self._start("counts")
        output, _ = counting.communicate(timeout=PATIENCE_S)
        return dict(json.loads(output))

    def _backlog(self) -> int:
        hub = open_hub(self.redis.url)
        try:
            return hub.state().backlog
        except TransportUnavailable:
            return sys.maxsize
        finally:
            hub.close()

    def _wait(self, condition: Any, what: str) -> None:
        log = self.folder / "log"
        until(
            condition,
            within_s=PATIENCE_S,
            every_s=0.1,
            seen=lambda: f"{what}; {log.read_text(errors='replace')[-3000:]}",
        )


class Agents(threading.Thread):
    """Sends numbered snapshots of ten processes, and poison now and then; keeps what is not taken and tries again."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._stopping = threading.Event()
        self.sent = self.poisoned = 0

    def run(self) -> None:
        uplink = open_uplink(self._url, "agents")
        for seq in itertools.count():
            for pid in range(1, PROCESSES + 1):
                if self._stopping.is_set():
                    uplink.close()
                    return
                self._send(uplink, report(process(pid), {seq: snapshot(60 * seq)}).encode())
                self.sent += 1
            if seq % 10 == 0:
                self._send(uplink, POISON[seq // 10 % len(POISON)] % seq)
                self.poisoned += 1
            self._stopping.wait(0.05)

    def _send(self, uplink: Uplink, payload: bytes) -> None:
        while True:
            try:
                uplink.send(payload)
            except TransportUnavailable:
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """The report under way is sent to its end."""
        self._stopping.set()
        self.join(PATIENCE_S)
