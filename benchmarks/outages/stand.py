"""A whole deployment that can be hurt: servers of its own, `run_stack`, simulated agents, and two hosts under load."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.guest.host import SITE as HOST_SITE
from benchmarks.guest.host import Host
from benchmarks.outages.disk import SmallDisk
from benchmarks.outages.latency import Requests
from benchmarks.outages.senders import SERVICE
from memwatch.transport import TransportUnavailable, open_hub
from tests.project.stack import ROOT, Stack
from tests.servers import PostgresServer, RedisServer, Server, postgres_program, redis_program

CLOCK = Path(__file__).parent / "clock"
PATIENCE_S = 240.0
HOST_EVERY_S = 2.0
POSTGRES_MB, SPOOL_MB = 700, 4
SPOOL_FILES = 600
"""So little that a frozen worker fills the spool within a quarter of a minute."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counts:
    """What was taken by everybody, and what became of it."""

    taken: int
    lost: int
    """Neither stored nor counted as dropped. One that arrived although its sender heard no answer may be both."""
    stored: int
    twice: int
    counted: int
    """By the counter that the metrics show."""
    again: int
    """Delivered again, recognised and not stored again."""
    dropped: int
    """By the agents that could not keep them."""
    dropped_shown: int
    """On the metrics page."""
    poisoned: int
    set_aside: int
    host_taken: int
    """By the real agent in the watched host, going by its numbers."""
    host_stored: int


class Stand:
    """Use it in a ``with`` block. With ``hosts`` their requests are measured all the time."""

    def __init__(self, folder: Path, *, transport: str = "redis", hosts: bool = True) -> None:
        self.folder, self.transport, self._with_hosts = folder, transport, hosts
        self.postgres = PostgresServer(postgres_program(), durable=True)
        self.redis = RedisServer(redis_program(), "--appendonly", "yes", "--appendfsync", "always")
        self.clock = folder / "clock"
        self.whole_at = 0.0
        """When everything sent was stored (monotonic seconds), as the last :meth:`settle` found."""
        self._exit = contextlib.ExitStack()
        self._hosts: list[Host] = []

    def __enter__(self) -> Stand:
        with contextlib.ExitStack() as exit_stack:
            user = self.postgres.user
            owner = (user.pw_uid, user.pw_gid) if user else (os.getuid(), os.getgid())
            self.postgres_disk = exit_stack.enter_context(SmallDisk(self.postgres.folder, POSTGRES_MB, owner))
            exit_stack.callback(self.postgres.stop)
            self.postgres.start()
            exit_stack.callback(self.redis.stop)
            self.redis.start()
            self.url = self.redis.url
            if self.transport == "local":
                spool = self.folder / "spool"
                spool.mkdir()
                self.spool_disk = exit_stack.enter_context(SmallDisk(spool, SPOOL_MB, (os.getuid(), os.getgid())))
                self.url = f"local://{spool}/transport?max_files={SPOOL_FILES}"
            self.stack = exit_stack.enter_context(Stack(self.folder, **self._environment()))
            self.senders = exit_stack.enter_context(_Program("benchmarks.outages.senders", self.url))
            if self._with_hosts:
                with ahead_of_others():
                    self._start_hosts(exit_stack)
            self._exit = exit_stack.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._exit.close()

    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url.removesuffix("/0") + "/1",
            "MEMWATCH_TRANSPORT": self.url,
            "MEMWATCH_COMMAND_KEY": "outages",
            "MEMWATCH_SNAPSHOT_INTERVAL": "10",
            "OUTAGE_CLOCK": str(self.clock),
            "PYTHONPATH": str(CLOCK),
        }

    def _start_hosts(self, exit_stack: contextlib.ExitStack) -> None:
        environment = {
            "OUTAGE_CLOCK": str(self.clock),
            "PYTHONPATH": f"{CLOCK}:{HOST_SITE}:{ROOT}",
            "MEMWATCH_TRANSPORT": self.url,
            "MEMWATCH_COMMAND_KEY": "outages",
            "MEMWATCH_SERVICE": "host",
        }
        for has in ("on", "nothing"):
            host = Host(self.folder, has, interval_s=HOST_EVERY_S, environment=environment)
            exit_stack.callback(host.close)
            self._hosts.append(host)
        self._requests = self.folder / "requests"
        ports = [str(host.port) for host in self._hosts]
        self._load = exit_stack.enter_context(_Program("benchmarks.outages.load", *ports, str(self._requests)))

    def requests(self) -> Requests:
        """All so far."""
        if self._load.process.poll() is not None:
            raise RuntimeError("a request to a host failed, see above")
        return Requests(self._requests)

    # What can be hurt:

    def programs(self, service: str) -> list[psutil.Process]:
        """The processes of a program of the stack, its main one first."""
        found = []
        for process in self.stack.processes():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("MEMWATCH_SERVICE") == service:
                    found.append(process)
        return sorted(found, key=lambda process: (process.ppid() != self.stack.process.pid, process.pid))

    def second_beat(self) -> contextlib.AbstractContextManager[object]:
        """One more beat, as somebody starts it by mistake."""
        schedule = str(self.folder / "second-beat")
        return _Program(
            "celery", "-q", "-A", "project", "beat", "-l", "warning", "-s", schedule,
            environment={**self.stack.environment, "MEMWATCH_SERVICE": "beat"},
        )  # fmt: skip

    def ingesting(self) -> int | None:
        """The pid of the worker's process that stores reports at this moment."""
        holders = self._ask("SELECT holder FROM memwatch_lease WHERE name = 'ingest_reports' AND holder <> ''")
        return int(str(holders[0][0]).split(":")[1]) if holders else None

    def set_clock(self, offset_s: float) -> None:
        """Of the whole stack and the hosts; not of the servers, nor of the simulated agents: they are elsewhere."""
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(offset_s))
        beside.rename(self.clock)

    def restart_if_down(self, *servers: Server) -> None:
        """As the machine's init does."""
        for server in servers:
            if server.process is None or server.process.poll() is not None:
                server.start()

    # What is to be seen:

    def wait_until_current(self) -> None:
        """Until a snapshot that is taken from now on is stored."""
        wanted = time.time()
        newest = (
            "SELECT coalesce(max(extract(epoch FROM s.timestamp)), 0) FROM memwatch_process p "
            "JOIN memwatch_snapshot s ON s.id = p.last_snapshot_id WHERE p.host = 'outages'"
        )
        self.wait(lambda: float(self._ask(newest)[0][0]) >= wanted, "the newest snapshots")

    def settle(self) -> Counts:
        """Let the simulated agents deliver everything, wait until all of it is stored, count, and let them go on."""
        self.senders.say("pause")
        self.wait(lambda: self._backlog() == 0, "the last report")
        self.whole_at = time.monotonic()
        counts = self._count()
        self.senders.say("go")
        return counts

    def _count(self) -> Counts:
        told = self.senders.told
        rows = (
            "SELECT p.pid, count(*), count(*) - count(DISTINCT s.seq) FROM memwatch_snapshot s "
            "JOIN memwatch_process p ON p.id = s.process_id WHERE p.host = 'outages' GROUP BY p.pid"
        )
        found = {str(pid): (stored, twice) for pid, stored, twice in self._ask(rows)}
        taken, dropped = told["taken"], told["dropped"]
        lost = sum(max(0, taken[pid] - dropped[pid] - found.get(pid, (0, 0))[0]) for pid in taken)
        host = (
            "SELECT coalesce(max(s.seq), 0), count(*) FROM memwatch_snapshot s JOIN memwatch_process p "
            "ON p.id = s.process_id JOIN memwatch_service v ON v.id = p.service_id "
            "WHERE v.name = 'host' AND NOT p.outside GROUP BY p.id"
        )
        numbers = self._ask(host) if self._with_hosts else []
        return Counts(
            taken=sum(taken.values()), lost=lost, stored=sum(stored for stored, _twice in found.values()),
            twice=sum(twice for _stored, twice in found.values()), counted=self._counter("memwatch_snapshots_stored"),
            again=self._counter("memwatch_snapshots_duplicate"), dropped=sum(dropped.values()),
            dropped_shown=self._dropped_shown(sum(dropped.values())), poisoned=told["poisoned"],
            set_aside=self._ask("SELECT count(DISTINCT excerpt) FROM memwatch_rejectedreport")[0][0],
            host_taken=sum(row[0] for row in numbers), host_stored=sum(row[1] for row in numbers),
        )  # fmt: skip

    def _counter(self, name: str) -> int:
        query = f"SELECT coalesce(sum(value), 0) FROM memwatch_counter WHERE name = '{name}' AND labels = 'service="
        return int(self._ask(f"{query}{SERVICE}'")[0][0])

    def _dropped_shown(self, wanted: int) -> int:
        """What the exporter says; its next reading is waited for."""

        def shown() -> int:
            page = self.stack.text("/metrics", port=self.stack.exporter_port)
            found = re.findall(
                rf'^memwatch_snapshots_dropped_total{{.*service="{SERVICE}".*}} (\S+)$', page, re.MULTILINE
            )
            return int(sum(map(float, found)))

        with contextlib.suppress(TimeoutError):
            self.wait(lambda: shown() == wanted, "the exporter", within_s=40)
        return shown()

    def _backlog(self) -> int:
        hub = open_hub(self.url)
        try:
            return hub.state().backlog
        except TransportUnavailable:
            return sys.maxsize
        finally:
            hub.close()

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, connect_timeout=2, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def wait(self, condition: Callable[[], bool], what: str, *, within_s: float = PATIENCE_S) -> None:
        """Until it is so; a database that does not answer yet is waited for."""
        deadline = time.monotonic() + within_s
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                if condition():
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {within_s:.0f} s for {what}; the log:\n{self.stack.log()[-3000:]}")
            time.sleep(0.1)


class _Program:
    """``python -m …``, ended by SIGTERM; it answers words with lines of JSON where it can."""

    def __init__(self, module: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.told: dict[str, Any] = {}

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.communicate()

    def say(self, word: str) -> None:
        """And wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.told = json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def ahead_of_others() -> Iterator[None]:
    """What is started now goes before all else on the machine, where we may say so: the hosts would be elsewhere.

    Their agents as well, so what these cost them is seen; what workers and servers need to catch up is not.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextlib.contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """By SIGSTOP, the first one first, so that it starts no others meanwhile."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            with contextlib.suppress(psutil.Error):
                process.resume()
