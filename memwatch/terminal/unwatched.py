"""Python processes of this host that look like the site's and are not watched, and why."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import psutil
from django.utils import timezone

from memwatch.agent.watch_policy import occasion
from memwatch.conf import get_settings
from memwatch.queries.deployment.site import finished_since
from memwatch.queries.processes.lookup import alive_pids
from memwatch.sampling.identity import arguments_of
from memwatch.sampling.identity.program import guess_program
from memwatch.terminal.finding import Finding
from memwatch.transport import redacted

SHOWN = 12
YOUNG_S = 90.0
"""A process younger than this may not have reported yet."""


def processes() -> Iterator[Finding]:
    """One finding for each process that is not watched."""
    host = get_settings().host
    if host != socket.gethostname():
        text = f"HOST is {host!r}, not this machine's name: so its processes cannot be compared with those that report"
        yield Finding(None, text)
    watched = alive_pids(host)
    taken_in = _reports_are_taken_in()
    found = [finding for process in _of_the_site() if process.pid not in watched for finding in _why(process, taken_in)]
    yield from found[:SHOWN]
    if len(found) > SHOWN:
        yield Finding(None, f"and {len(found) - SHOWN} more processes that are not watched")
    if not found:
        yield Finding(True, "no other Python process of this site was found on this host")


def _of_the_site() -> Iterator[psutil.Process]:
    """Python processes with the same settings module, or that work in the same folder with ``manage.py`` or Celery."""
    module, folder = os.environ.get("DJANGO_SETTINGS_MODULE", ""), Path.cwd()
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environ, arguments = process.environ(), process.cmdline()
            if not arguments or "python" not in Path(process.exe()).name:
                continue
            same_module = environ.get("DJANGO_SETTINGS_MODULE") == module and bool(module)
            if (same_module or Path(process.cwd()) == folder) and Path(process.cwd()).is_relative_to(folder):
                yield process
        except (psutil.Error, OSError):
            continue  # gone, or another user's: not ours to read


def _reports_are_taken_in() -> bool:
    """Whether a worker has stored reports recently; otherwise a new process may only wait for its first report."""
    since = timezone.now() - timedelta(seconds=YOUNG_S)
    return finished_since("ingest_reports", since)


def _why(process: psutil.Process, taken_in: bool) -> Iterator[Finding]:
    try:
        environ, arguments, parent = process.environ(), process.cmdline(), arguments_of(process.ppid())
        age_s = time.time() - process.create_time()
    except psutil.Error:
        return
    # A forked child has the arguments of its parent: so has one of Celery's pool.
    pool_worker = "PoolWorker" if parent == arguments else ""
    program = guess_program(arguments, worker_name=pool_worker, parent_arguments=parent)
    name = f"{program or Path(arguments[0]).name} (pid {process.pid})"
    reason, remedy = _reason(arguments, environ, age_s, taken_in)
    if reason is not None:
        yield Finding(False if remedy else None, f"{name} is not watched: {reason}", remedy)


def _reason(arguments: list[str], environ: Mapping[str, str], age_s: float, taken_in: bool) -> tuple[str | None, str]:
    settings = get_settings()
    if environ.get("MEMWATCH_AGENT", "").lower() in ("off", "0", "no", "false"):
        return "MEMWATCH_AGENT is off in its environment", ""
    if occasion(arguments, environ=environ, modules={}) is None:
        return None, ""  # a short command, or a supervisor whose children are watched
    other = environ.get("MEMWATCH_TRANSPORT")
    if other and other != settings.transport:
        return f"it reports to {redacted(other)}", "Give TRANSPORT the same value everywhere."
    if age_s < YOUNG_S:
        return "it has only just started", ""
    if not taken_in:
        return "no worker stores reports; its own may be waiting", ""
    return "it does not report", "Restart it if it was started before memwatch was installed. Its log may say more."
