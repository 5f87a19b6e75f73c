"""A program under its real server, and visits to it: requests of a few clients, or tasks sent through Redis."""

from __future__ import annotations

import contextlib
import http.client
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from celery import Celery

from benchmarks import servers
from benchmarks.sites.load import Load
from benchmarks.work.program import INTERVALS, WEB, Program
from memwatch.agent.config import AgentConfig
from tests.deployment.guest import Guest
from tests.servers import RedisServer

SITE = Path(__file__).parent / "site"
ROOT = Path(__file__).parents[2]
SERVICE, COMMAND_KEY = "site", "of the benchmark of work"
WAVE_S = 20.0
BURST_S, LOUD = 3.0, 1 / 3
"""How long it is loud or quiet, and the share of the loud."""
PAUSE_S, PAUSE_EVERY_S = 15.0, 45.0
RAMP = (0.3, 1.7)
"""Of the mean, at the begin and at the end of a run."""
DRAWN = 20_000
"""Visits that are drawn before a run, longer than one is."""

_GUNICORN = ("gunicorn", "worksite.wsgi", "--bind", "127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket")
_UVICORN = ("uvicorn", "worksite.asgi:application", "--port", "{port}", "--log-level", "warning")
_CELERY = ("celery", "-A", "worksite.celery", "worker", "--loglevel", "WARNING", "--without-mingle",
           "--without-gossip")  # fmt: skip


def command(server: str, processes: int) -> tuple[str, ...]:
    """What starts the site under it."""
    count = str(processes)
    return {
        "sync": (*_GUNICORN, "--workers", count),
        "gthread": (*_GUNICORN, "--workers", count, "--worker-class", "gthread", "--threads", "4"),
        "asgi": (*_UVICORN, "--workers", count),
        "prefork": (*_CELERY, "--concurrency", count),
        "solo": (*_CELERY, "--pool", "solo"),
        "threads": (*_CELERY, "--pool", "threads", "--concurrency", "4"),
        "gevent": (*_CELERY, "--pool", "gevent", "--concurrency", "20"),
    }[server]


def budgets(interval_s: float) -> dict[str, str]:
    """Settings that allow as much for a census as the usual interval does: a short one would leave most of them out."""
    usual = AgentConfig  # its defaults
    times = max(1.0, usual.snapshot_interval / interval_s)
    return {
        "MEMWATCH_CPU_BUDGET_PERCENT": f"{min(100.0, times * usual.cpu_budget_percent):g}",
        "MEMWATCH_PAUSE_BUDGET_MS": f"{min(60_000.0, times * usual.pause_budget_ms):g}",
    }


class Site(Guest):
    """The generated site as one program wants it, started and stopped as the deployment tests' guest is."""

    def __init__(
        self,
        folder: Path,
        transport: str,
        *,
        program: str = "{}",
        interval_s: float = 1.0,
        broker: str = "",
        notes: Path | None = None,
    ) -> None:
        environment = {
            "DJANGO_SETTINGS_MODULE": "worksite.settings",
            "PYTHONPATH": f"{SITE}:{ROOT}",
            "PYTHONWARNINGS": "ignore",
            "MEMWATCH_COMMAND_KEY": COMMAND_KEY,
            "MEMWATCH_SNAPSHOT_INTERVAL": f"{interval_s:g}",
            "MEMWATCH_SERVICE": SERVICE,
            **budgets(interval_s),
            "WORK_PROGRAM": program,
            **({"WORK_BROKER": broker} if broker else {}),
            **({"WORK_NOTES": str(notes)} if notes else {}),
        }
        super().__init__(folder, transport, environment=environment)

    def must_run(self) -> None:
        """Raises :class:`AssertionError` with its log where it has ended."""
        self._must_run()

    def make_tables(self) -> None:
        """Those that rows come from."""
        self.run("django", "migrate", "auth", "-v0", "--skip-checks")

    def serve(self, server: str, processes: int) -> None:
        """Start it, and wait until it takes requests."""
        self.start(*command(server, processes))
        if server in WEB:
            self.get("ready")


@contextlib.contextmanager
def broker_for(server: str) -> Iterator[str]:
    """The address of a Redis of its own; empty for a web server."""
    if server in WEB:
        yield ""
        return
    redis: RedisServer | None = servers.redis()
    if redis is None:
        raise SystemExit("bench-work: redis-server is not installed: apt-get install redis-server")
    redis.start()
    try:
        yield redis.url
    finally:
        redis.stop()


class Client:
    """One visitor: keeps its connection as long as the server does."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def visit(self, group: str) -> int:
        """Ask for the pages of the group, one after the other; the last one's status, 0 where there was no answer."""
        status = 0
        for name in group.split():
            try:
                self._connection.request("GET", f"/{name.replace(':', '/')}")
                answer = self._connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                self._connection.close()
                return 0
        return status


class Sender:
    """Sends the tasks of a group; all of them share one connection."""

    def __init__(self, broker: str) -> None:
        self._app = Celery("sender", broker=broker, set_as_current=False)
        self._sending = threading.Lock()

    def visit(self, group: str) -> int:
        """Send them, one after the other; 200, or 0 where the broker was not there."""
        try:
            with self._sending:
                for name in group.split():
                    self._app.send_task(name, ignore_result=True)
        except OSError:
            return 0
        return 200


def drawn(program: Program, seed: int) -> list[str]:
    """Groups of names: by chance and by their weights, or in turn."""
    chance = random.Random(f"{program.name} {seed}")
    groups, weights = zip(*program.visits, strict=True)
    if program.steady:
        return list(in_turn([" ".join(group) for group in groups], weights))
    chosen = list(_chosen(program, chance, groups, weights))
    return [" ".join(group) for group in chosen for _ in range(program.in_a_row)]


def _chosen(
    program: Program, chance: random.Random, groups: Sequence[tuple[str, ...]], weights: Sequence[float]
) -> Iterator[tuple[str, ...]]:
    """Of which each is visited ``in_a_row``."""
    left, season = DRAWN // program.in_a_row, 0
    while left > 0:
        count = min(left, program.moves or program.seasons or left)
        if program.seasons:
            yield from chance.choices(groups[season::2], weights[season::2], k=count)
            left, season = left - count, 1 - season
        else:
            yield from chance.choices(groups, weights, k=count)
            left, weights = left - count, [weights[-1], *weights[:-1]]


def in_turn(groups: Sequence[str], weights: Sequence[float]) -> Iterator[str]:
    """As evenly as the weights allow."""
    due = [0.0] * len(groups)
    for _ in range(DRAWN):
        due = [sofar + weight for sofar, weight in zip(due, weights, strict=True)]
        chosen = due.index(max(due))
        due[chosen] -= sum(weights)
        yield groups[chosen]


def paced(visit: Callable[[str], int], program: Program, mean_pause_s: float, seed: int) -> Callable[[str], int]:
    """Waits before each visit: by chance; in waves; more and more; in bursts; with pauses; or always as long."""
    chance, began = random.Random(seed), time.monotonic()

    def waited(group: str) -> int:
        length = 1.0 if program.steady else chance.expovariate(1.0)
        time.sleep(min(5.0, length * mean_pause_s / tide(program, time.monotonic() - began)))
        return visit(group)

    return waited


def tide(program: Program, passed_s: float) -> float:
    """How many times the mean there are of visits, so long after the begin."""
    if program.waves:
        return 0.15 + 0.85 * (1 + math.sin(2 * math.pi * passed_s / WAVE_S))
    if program.ramp:
        return RAMP[0] + (RAMP[1] - RAMP[0]) * min(1.0, passed_s / INTERVALS)
    if program.bursts:
        return 2.6 if _is_loud(program, passed_s) else 0.2
    if program.pauses:
        busy_s = PAUSE_EVERY_S - PAUSE_S
        return PAUSE_EVERY_S / busy_s if passed_s % PAUSE_EVERY_S < busy_s else 0.02
    return 1.0


def _is_loud(program: Program, passed_s: float) -> bool:
    """The same for all visitors."""
    return random.Random(f"{program.name} {passed_s // BURST_S}").random() < LOUD


@contextlib.contextmanager
def visited(program: Program, port: int, broker: str) -> Iterator[list[Load]]:
    """Under load while it lasts."""
    clients = 1 if broker or program.steady else 4
    sender = Sender(broker) if broker else None
    loads = []
    for number in range(clients):
        visit = sender.visit if sender else Client(port).visit
        waiting = paced(visit, program, clients / program.per_second, number)
        loads.append(Load(waiting, drawn(program, number), per_second=1e6))
    try:
        yield loads
    finally:
        for load in loads:
            load.stop()
