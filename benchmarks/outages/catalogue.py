"""The outages: how each begins, lasts and ends. Only what was away is touched, and only as an init system would."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import psycopg
import redis

from benchmarks.outages.stand import Stand, frozen
from tests.servers import Server

SECONDS = 20.0
_STEP_S, _STOOD_S = 0.5, 0.4
"""A slow server stands still for four fifths of the time."""
HOUR_S = 3600.0
POISONED = 300
OOM_KILLS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outage:
    """One row of the table."""

    name: str
    how: str
    """In words, for the table."""
    befall: Callable[[Stand, float], None]
    """Begins it, lets it last so many seconds, ends it."""
    transport: str = "redis"
    fills_a_disk: bool = False
    """It takes the right to mount a small one."""


def _family(server: Server) -> list[psutil.Process]:
    assert server.process is not None
    leader = psutil.Process(server.process.pid)
    return [leader, *leader.children(recursive=True)]


def _stopped(server: Server, seconds: float) -> None:
    assert server.process is not None
    server.process.send_signal(server.stop_signal)
    server.process.wait(60)
    time.sleep(seconds)
    server.start()


def _killed(server: Server, seconds: float) -> None:
    server.kill()
    time.sleep(seconds)
    server.start()


def _frozen(processes: Callable[[], list[psutil.Process]], seconds: float) -> None:
    with frozen(processes()):
        time.sleep(seconds)


def _slow(processes: Callable[[], list[psutil.Process]], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with frozen(processes()):
            time.sleep(_STOOD_S)
        time.sleep(_STEP_S - _STOOD_S)


@contextlib.contextmanager
def _no_memory(stand: Stand) -> Iterator[None]:
    with redis.Redis(port=stand.redis.port) as client:
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


def _redis_full(stand: Stand, seconds: float) -> None:
    with _no_memory(stand):
        time.sleep(seconds)


def _postgres_full(stand: Stand, seconds: float) -> None:
    with stand.postgres_disk.full():
        time.sleep(seconds)
    stand.restart_if_down(stand.postgres)


def _postgres_read_only(stand: Stand, seconds: float) -> None:
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        for value in ("on", "off"):
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            connection.execute("SELECT pg_reload_conf()")
            if value == "on":
                time.sleep(seconds)


def _spool_full(stand: Stand, seconds: float) -> None:
    with stand.spool_disk.full():
        time.sleep(seconds)


def _end_program(stand: Stand, service: str, number: signal.Signals, seconds: float) -> None:
    """What supervises it starts it again at once; it is ended again as often as that happens."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        victims = stand.programs(service)
        for process in victims if number == signal.SIGKILL else victims[:1]:
            try:
                process.send_signal(number)
            except psutil.Error:
                continue
        time.sleep(seconds / 2)


def _oom_killed(stand: Stand, seconds: float) -> None:
    """SIGKILL, as the kernel's OOM killer sends it, to the process that is storing reports at that moment."""
    for _ in range(OOM_KILLS):
        deadline = time.monotonic() + 120
        while not _kill_ingester(stand):
            if time.monotonic() > deadline:
                raise TimeoutError("nobody stored a report within two minutes")
            time.sleep(0.002)
        time.sleep(seconds / OOM_KILLS)


def _kill_ingester(stand: Stand) -> bool:
    """Whether there was one; the lease of a dead one runs on for half a minute."""
    pid = stand.ingesting()
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _two_beats(stand: Stand, seconds: float) -> None:
    with stand.second_beat():
        time.sleep(seconds)


def _clock(offset_s: float) -> Callable[[Stand, float], None]:
    def befall(stand: Stand, seconds: float) -> None:
        stand.set_clock(offset_s)
        time.sleep(seconds)

    return befall


def _poison(stand: Stand, seconds: float) -> None:
    stand.senders.say(f"poison {POISONED}")
    time.sleep(seconds)


def _rolling(stand: Stand, seconds: float) -> None:
    """Workers are replaced one generation after the other while agents of three versions report."""
    stand.senders.say("versions")
    stand.senders.say("poison 6")
    _end_program(stand, "worker", signal.SIGTERM, seconds)
    stand.senders.say("one version")


def _of_server(name: str, hurt: Callable[[Server, float], None]) -> Callable[[Stand, float], None]:
    return lambda stand, seconds: hurt(getattr(stand, name), seconds)


def _of_family(name: str, hurt: Callable[..., None]) -> Callable[[Stand, float], None]:
    return lambda stand, seconds: hurt(lambda: _family(getattr(stand, name)), seconds)


def _of_program(name: str, hurt: Callable[..., None]) -> Callable[[Stand, float], None]:
    return lambda stand, seconds: hurt(lambda: stand.programs(name), seconds)


def _ended(name: str, number: signal.Signals) -> Callable[[Stand, float], None]:
    return lambda stand, seconds: _end_program(stand, name, number, seconds)


def _server(name: str, attribute: str) -> list[Outage]:
    return [
        Outage(name=f"{name} stopped", how="stopped in order", befall=_of_server(attribute, _stopped)),
        Outage(name=f"{name} killed", how="SIGKILL", befall=_of_server(attribute, _killed)),
        Outage(name=f"{name} frozen", how="SIGSTOP", befall=_of_family(attribute, _frozen)),
        Outage(name=f"{name} slow", how="stands still 0.4 s of every 0.5 s", befall=_of_family(attribute, _slow)),
    ]


def _program(name: str, service: str) -> list[Outage]:
    return [
        Outage(name=f"{name} stopped", how="SIGTERM, twice", befall=_ended(service, signal.SIGTERM)),
        Outage(name=f"{name} killed", how="SIGKILL, twice", befall=_ended(service, signal.SIGKILL)),
        Outage(name=f"{name} frozen", how="SIGSTOP", befall=_of_program(service, _frozen)),
        Outage(name=f"{name} slow", how="stands still 0.4 s of every 0.5 s", befall=_of_program(service, _slow)),
    ]


OUTAGES = [
    *_server("Redis", "redis"),
    Outage(name="Redis full", how="at `maxmemory`, refuses writes", befall=_redis_full),
    *_server("PostgreSQL", "postgres"),
    Outage(name="PostgreSQL full", how="not a byte left on its disk", befall=_postgres_full, fills_a_disk=True),
    Outage(name="PostgreSQL read-only", how="refuses writes, answers reads", befall=_postgres_read_only),
    *_program("Celery worker", "worker"),
    Outage(name="Celery worker OOM-killed", how="SIGKILL during an ingest, twice", befall=_oom_killed),
    *_program("Beat", "beat"),
    Outage(name="Two beats", how="a second one by mistake", befall=_two_beats),
    Outage(name="Poisoned reports", how=f"{POISONED} that cannot be read", befall=_poison),
    Outage(name="Rolling deploy", how="older, newer and unknown payloads; workers replaced twice", befall=_rolling),
    Outage(name="Clock back", how="set back by an hour", befall=_clock(-HOUR_S)),
    Outage(name="Clock forward", how="and right again", befall=_clock(0.0)),
    Outage(
        name="Spool's disk full", how="not a byte left on it", befall=_spool_full, transport="local", fills_a_disk=True
    ),
    Outage(
        name="Spool full", how="the worker frozen until the spool is full",
        befall=_of_program("worker", _frozen), transport="local",
    ),
]  # fmt: skip
