"""Leaky workers of gunicorn (sync, gthread) and Celery under load: recycled by memwatch, against left alone.

``python -m benchmarks.recycling [--minutes 2] [--every 0.3]`` runs the three servers side by side, first without
recycling, then with it, ``--minutes`` each, and prints lost, doubled and failed jobs, the 99th percentile, the fewest
workers alive and the largest worker. It ends with 1 when a request or task was lost, doubled or failed, or recycling
did not keep the workers smaller. ``--minutes 60 --every 15`` is the soak of an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

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
CLIENTS = 4
CHECKED_EVERY_S = 2.0


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recycling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="of each half")
    parser.add_argument("--every", type=float, default=0.3, metavar="MINUTES", help="between two of a service")
    parser.add_argument("--limit-mb", type=float, default=75.0, help="soft limit of private memory")
    parser.add_argument("--kib", type=int, default=150, help="that each call keeps")
    parser.add_argument("--call-every", type=float, default=0.05, metavar="SECONDS", help="of each server")
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
        halves = {}
        for half in ("alone", "recycled"):
            halves[half] = _half(Path(name), half, given)
            _print(half, halves[half])
    return _judge(halves, given.limit_mb)


def _set_up(folder: Path, broker: str, given: argparse.Namespace) -> None:
    os.environ.update(
        LEAKY_FOLDER=str(folder),
        LEAKY_BROKER=broker,
        LEAKY_KIB=str(given.kib),
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


def _half(folder: Path, half: str, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    from memwatch.models import Recycle, RecyclingPolicy, Service

    (folder / "jobs").unlink(missing_ok=True)
    Recycle.objects.all().delete()
    for service in SERVICES:
        row, _new = Service.objects.get_or_create(name=service)
        RecyclingPolicy.objects.update_or_create(
            service=row,
            defaults={
                "mode": "act" if half == "recycled" else "off",
                "limit_mb": given.limit_mb,
                "checks": 2,
                "minutes": given.every,
                "drain_minutes": 1,
            },
        )
    environment = dict(os.environ)
    servers = [
        Server("web-sync", folder, environment, *GUNICORN),
        Server("web-gthread", folder, environment, *GUNICORN, "--worker-class", "gthread", "--threads", "4"),
        Server("worker", folder, environment, *CELERY),
    ]
    hub, watch = Hub(CHECKED_EVERY_S), Watch(servers)
    clients = {each.service: Clients(each.port, CLIENTS, CLIENTS * given.call_every) for each in servers[:2]}
    jobs = Jobs(importlib.import_module("leaky").app, folder, given.call_every)
    load: list[float] = []
    try:
        for each in servers:
            each.wait(answers=each.service != "worker")
        time.sleep(5)
        everything: list[Any] = [watch, hub, jobs, *clients.values()]
        for part in everything:
            part.start()
        until = time.monotonic() + 60 * given.minutes
        while time.monotonic() < until:
            load.append(os.getloadavg()[0])
            time.sleep(5)
        for part in everything[2:]:
            part.stop()
        jobs.wait_until_done(60)
        watch.stop()
        hub.stop()
    finally:
        for each in servers:
            each.stop()
    for failure in sorted(set(hub.failures)):
        print(f"the hub: {failure}")
    found = {}
    for each in servers:
        rows = Recycle.objects.filter(service__name=each.service)
        found[each.service] = {
            "recycled": rows.filter(state="recycled").count(),
            "other": rows.exclude(state__in=("recycled", "evidence", "ordered")).count(),
            "fewest": each.fewest,
            "peak": each.peak_mb,
            "load": mean(load),
            **(_web(clients[each.service]) if each.service in clients else _jobs(jobs)),
        }
        if half == "recycled":
            policy = RecyclingPolicy.objects.get(service__name=each.service)
            pending = [f"{row.name} {row.state}" for row in rows.filter(state__in=Recycle.PENDING)]
            print(f"{each.service}: {policy.stopped_why or policy.said} {'; '.join(pending)}")
        for state, result in rows.exclude(state__in=("recycled", "evidence", "ordered")).values_list("state", "result"):
            print(f"{each.service}: {state}: {result}")
        for failure in sorted(set(clients[each.service].failures)) if each.service in clients else ():
            print(f"{each.service}: {failure}")
    return found


def _web(clients: Clients) -> dict[str, float]:
    return {
        "calls": len(clients.took),
        "failed": len(clients.failures),
        "again": clients.asked_again,
        "lost": 0,
        "doubled": 0,
        "p99": percentile_99(clients.took),
    }


def _jobs(jobs: Jobs) -> dict[str, float]:
    runs = jobs.runs()
    return {
        "calls": jobs.sent,
        "failed": 0,
        "again": 0,
        "lost": sum(number not in runs for number in range(jobs.sent)),
        "doubled": sum(times > 1 for times in runs.values()),
        "p99": percentile_99(jobs.waited()),
    }


_HEADS = ("calls", "failed", "again", "lost", "doubled", "p99", "fewest", "peak", "recycled", "other", "load")
_PRECISE = ("p99", "peak", "load")


def _print(half: str, found: dict[str, dict[str, float]]) -> None:
    print(f"{half:<14}" + "".join(f"{head:>10}" for head in _HEADS))
    for service, figures in found.items():
        print(f"{service:<14}" + "".join(f"{figures[head]:>10.{int(head in _PRECISE)}f}" for head in _HEADS))
    print(flush=True)


def _judge(halves: dict[str, dict[str, dict[str, float]]], limit_mb: float) -> int:
    bad = 0
    for service, figures in halves["recycled"].items():
        alone = halves["alone"][service]
        ratio = figures["p99"] / alone["p99"] if alone["p99"] else 1.0
        print(
            f"{service}: p99 {ratio:.2f} of before, the largest worker {figures['peak']:.0f} MB instead of "
            f"{alone['peak']:.0f} MB (soft limit {limit_mb:.0f} MB), {figures['recycled']:.0f} recycled"
        )
        bad += bool(figures["failed"] or figures["lost"] or figures["doubled"])
        bad += figures["fewest"] < WORKERS - 1 or not figures["recycled"] or figures["peak"] >= alone["peak"]
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
