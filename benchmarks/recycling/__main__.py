"""Leaky workers of gunicorn (sync, gthread) and Celery under load: recycled by memwatch, against left alone.

``python -m benchmarks.recycling [--minutes 2] [--every 0.3]`` runs the three servers side by side, each twice, with
recycling and without it, and prints lost, doubled and failed jobs, the 99th percentile (without recycling: until the
kernel first killed a worker), the fewest workers alive and the largest worker. With ``--room-mb`` each server has a
memory cgroup that allows so much more than it holds at first. It ends with 1 when a request or task was lost, doubled
or failed, or recycling did not keep the workers smaller. The soak of an hour is
``--minutes 60 --every 15 --kib 5 --room-mb 270 --interval 10``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.deaths.cgroup import Group, group, place
from benchmarks.recycling.load import Clients, Jobs, percentile_99
from benchmarks.recycling.machine import SITE, WORKERS, Hub, Server, Watch
from benchmarks.servers import redis

WEB = ("--workers", str(WORKERS), "--bind", "127.0.0.1:{port}", "--log-level", "warning", "--graceful-timeout", "30")
GUNICORN = ("gunicorn", "leaky:application", *WEB)
CELERY = (
    "celery", "-A", "leaky", "worker", "--concurrency", str(WORKERS), "--prefetch-multiplier", "4",
    "--loglevel", "WARNING",
)  # fmt: skip
SERVICES = ("web-sync", "web-gthread", "worker")
HALVES = ALONE, RECYCLED = ("alone", "recycled")
Figures = dict[str, float]
CLIENTS = 4
CHECKED_EVERY_S = 2.0


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recycling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="of load")
    parser.add_argument("--every", type=float, default=0.3, metavar="MINUTES", help="between two of a service")
    parser.add_argument("--limit-mb", type=float, default=75.0, help="soft limit of private memory")
    parser.add_argument("--kib", type=int, default=150, help="that each call keeps")
    parser.add_argument("--call-every", type=float, default=0.05, metavar="SECONDS", help="of each server")
    parser.add_argument("--room-mb", type=float, default=0.0, help="of each server's cgroup; 0: no cgroups")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two snapshots")
    parser.add_argument("--acks-late", action="store_true")
    given = parser.parse_args()
    server = redis()
    if server is None:
        print("redis-server is not installed: Celery's broker is missing")
        return 2
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ending:
        server.start()
        ending.callback(server.stop)
        _set_up(Path(name), server.url, given)
        found = _measure(Path(name), given, ending)
    _print(found)
    return _judge(found, given.limit_mb, given.room_mb)


def _set_up(folder: Path, broker: str, given: argparse.Namespace) -> None:
    os.environ.update(
        LEAKY_FOLDER=str(folder),
        LEAKY_BROKER=broker,
        LEAKY_KIB=str(given.kib),
        LEAKY_INTERVAL=str(given.interval),
        LEAKY_ACKS_LATE="1" if given.acks_late else "",
        PYTHONPATH=f"{SITE}:{Path.cwd()}",
        MEMWATCH_AGENT="on",
        PYTHONWARNINGS="ignore",
    )
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    sys.path.insert(0, str(SITE))
    import django
    from django.core.management import call_command

    importlib.import_module("leaky")  # configures the settings
    django.setup()
    call_command("migrate", verbosity=0)


def _servers(folder: Path, half: str, groups: list[Group | None]) -> list[Server]:
    environment = {**os.environ, "LEAKY_QUEUE": half}
    commands = (GUNICORN, (*GUNICORN, "--worker-class", "gthread", "--threads", "4"), CELERY)
    return [
        Server(f"{service}-{half}", folder, environment, *command, group=group)
        for service, command, group in zip(SERVICES, commands, groups, strict=True)
    ]


def _policies(given: argparse.Namespace) -> None:
    from memwatch.models import RecyclingPolicy, Service

    for service, half in itertools.product(SERVICES, HALVES):
        RecyclingPolicy.objects.create(
            service=Service.objects.create(name=f"{service}-{half}"),
            mode="act" if half == RECYCLED else "off",
            limit_mb=given.limit_mb,
            checks=2,
            minutes=given.every,
            drain_minutes=1,
        )


def _measure(folder: Path, given: argparse.Namespace, ending: contextlib.ExitStack) -> dict[str, Figures]:
    where = place() if given.room_mb else None
    if given.room_mb and where is None:
        print("no memory cgroups can be made here: nothing is limited")
    _policies(given)
    servers: list[Server] = []
    for half in HALVES:
        servers += _servers(folder, half, [ending.enter_context(group(where)) for _each in SERVICES])
    for each in servers:
        ending.callback(each.stop)
    hub, watch = Hub(CHECKED_EVERY_S), Watch(servers)
    app = importlib.import_module("leaky").app
    load: dict[str, Clients | Jobs] = {
        each.service: Jobs(app, folder, each.service.rsplit("-", 1)[1], given.call_every)
        if each.service.startswith("worker")
        else Clients(each.port, CLIENTS, CLIENTS * given.call_every)
        for each in servers
    }
    for each in servers:
        each.wait(answers=isinstance(load[each.service], Clients))
    time.sleep(5)
    for each in servers:
        each.limit(given.room_mb)
    everything: list[Any] = [watch, hub, *load.values()]
    for part in everything:
        part.start()
    loads = _pass(60 * given.minutes)
    for part in load.values():
        part.stop()
    for part in load.values():
        if isinstance(part, Jobs):
            part.wait_until_done(60)
    watch.stop()
    hub.stop()
    for failure in sorted(set(hub.failures)):
        print(f"the hub: {failure}")
    return {each.service: _figures(each, load[each.service], loads) for each in servers}


def _pass(seconds: float) -> float:
    """Wait, saying how far it is; the mean load of the machine."""
    began, loads = time.monotonic(), [os.getloadavg()[0]]
    said = began
    while (now := time.monotonic()) < began + seconds:
        loads.append(os.getloadavg()[0])
        if now > said + 300:
            said = now
            print(f"{(now - began) / 60:.0f} of {seconds / 60:.0f} minutes", file=sys.stderr, flush=True)
        time.sleep(5)
    return mean(loads)


def _figures(server: Server, load: Clients | Jobs, loads: float) -> Figures:
    from memwatch.models import Recycle, RecyclingPolicy

    rows = Recycle.objects.filter(service__name=server.service)
    policy = RecyclingPolicy.objects.get(service__name=server.service)
    if policy.mode != "off":
        pending = [f"{row.name} {row.state}" for row in rows.filter(state__in=Recycle.PENDING)]
        print(f"{server.service}: {policy.stopped_why or policy.said} {'; '.join(pending)}")
    others = rows.exclude(state__in=("recycled", "evidence", "ordered"))
    for state, result in others.values_list("state", "result"):
        print(f"{server.service}: {state}: {result}")
    for failure in sorted(set(load.failures)) if isinstance(load, Clients) else ():
        print(f"{server.service}: {failure}")
    return {
        "recycled": rows.filter(state="recycled").count(),
        "other": others.count(),
        "fewest": server.fewest,
        "peak": server.peak_mb,
        "used": server.used_mb,
        "kills": server.group.kills if server.group else 0,
        "load": loads,
        **(_web(load, server) if isinstance(load, Clients) else _jobs(load, server)),
    }


def _web(clients: Clients, server: Server) -> Figures:
    until = server.killed_at or time.monotonic()
    return {
        "calls": len(clients.took),
        "failed": len(clients.failures),
        "again": clients.asked_again,
        "lost": 0,
        "doubled": 0,
        "p99": percentile_99([took for began, took in clients.took if began <= until]),
    }


def _jobs(jobs: Jobs, server: Server) -> Figures:
    runs = jobs.runs()
    until = time.time() - (time.monotonic() - server.killed_at if server.killed_at else 0.0)
    return {
        "calls": jobs.sent,
        "failed": 0,
        "again": 0,
        "lost": sum(number not in runs for number in range(jobs.sent)),
        "doubled": sum(times > 1 for times in runs.values()),
        "p99": percentile_99(jobs.waited(until)),
    }


_HEADS = (
    "calls", "failed", "again", "lost", "doubled", "p99", "fewest", "peak", "used", "kills", "recycled", "other",
    "load",
)  # fmt: skip
_PRECISE = ("p99", "peak", "used", "load")


def _print(found: dict[str, Figures]) -> None:
    print(f"{'':<21}" + "".join(f"{head:>9}" for head in _HEADS))
    for service, figures in found.items():
        print(f"{service:<21}" + "".join(f"{figures[head]:>9.{int(head in _PRECISE)}f}" for head in _HEADS))
    print(flush=True)


def _judge(found: dict[str, Figures], limit_mb: float, room_mb: float) -> int:
    bad = 0
    for service in SERVICES:
        figures, alone = (found[f"{service}-{half}"] for half in (RECYCLED, ALONE))
        ratio = figures["p99"] / alone["p99"] if alone["p99"] else 1.0
        print(
            f"{service}: p99 {ratio:.2f} of that without recycling, the largest worker {figures['peak']:.0f} MB "
            f"instead of {alone['peak']:.0f} MB (soft limit {limit_mb:.0f} MB), {figures['recycled']:.0f} recycled; of "
            f"{room_mb:.0f} MB of room {figures['used']:.0f} MB used, {figures['kills']:.0f} killed by the kernel "
            f"instead of {alone['kills']:.0f}"
        )
        bad += bool(figures["failed"] or figures["lost"] or figures["doubled"] or figures["kills"])
        bad += figures["fewest"] < WORKERS - 1 or not figures["recycled"] or figures["peak"] >= alone["peak"]
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
