"""Which programs make up a deployment on one machine, and with which environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from project.supervisor import Program

DEMO = {"MEMWATCH_SNAPSHOT_INTERVAL": "2", "MEMWATCH_CPU_BUDGET_PERCENT": "2"}
"""A minute between snapshots is too long for a newcomer; looking that often costs more than the budget of every day."""


def programs(
    *, base: Path, var: Path, port: int, exporter_port: int, shop_port: int | None, shared: Mapping[str, str]
) -> list[Program]:
    """Web, worker, beat and exporter; with ``shop_port`` also the example service and its load.

    ``shared`` goes into every program's environment: all of them must speak to the same transport.
    """
    common = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "PYTHONUNBUFFERED": "1", **shared}
    if shop_port is not None:
        common = {**DEMO, **common}
    python, manage = sys.executable, str(base / "manage.py")
    metrics = {"PROMETHEUS_MULTIPROC_DIR": str(var / "prometheus"), "MEMWATCH_METRICS_ALLOW_LOOPBACK": "on"}

    def program(name: str, *arguments: str, rank: int = 1, extra: Mapping[str, str] | None = None) -> Program:
        environment = {**common, "MEMWATCH_SERVICE": name, **(extra or {})}
        return Program(name=name, arguments=(python, *arguments), environment=environment, stop_rank=rank)

    web = ("-m", "gunicorn", "-c", str(base / "project" / "gunicorn_conf.py"), "project.wsgi")
    worker = ("-m", "celery", "-q", "-A", "project", "worker", "-Q", "celery,memwatch", "-c", "2", "-l", "warning")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    found = [
        program("web", *web, extra={"PORT": str(port), **metrics}),
        program("worker", *worker, *quiet, rank=2),
        program("beat", "-m", "celery", "-q", "-A", "project", "beat", "-l", "warning", rank=0),
        program("exporter", manage, "memwatch_exporter", "--port", str(exporter_port)),
    ]
    if shop_port is not None:
        found += _shop(base / "examples", shop_port, program_environment={**common, "MEMWATCH_SERVICE": "shop"})
    return found


def _shop(examples: Path, port: int, *, program_environment: Mapping[str, str]) -> list[Program]:
    environment = {**program_environment, "DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(examples)}
    url = f"127.0.0.1:{port}"
    serve = (sys.executable, "-m", "gunicorn", "-w", "2", "-b", url, "--no-control-socket", "--graceful-timeout", "2")
    return [
        Program(name="shop", arguments=(*serve, "shop.wsgi"), environment=environment),
        Program(
            name="load",
            arguments=(sys.executable, "-m", "shop.load", "--url", f"http://{url}"),
            environment={**environment, "MEMWATCH_AGENT": "off"},
            stop_rank=0,
        ),
    ]
