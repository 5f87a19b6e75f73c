"""What a Python process runs, guessed from its arguments, and the service it therefore belongs to."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePath

WEB_SERVERS = ("gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "waitress-serve", "uwsgi")
SUPERVISED = ("gunicorn", "uvicorn", "hypercorn", "granian")
"""Servers that start workers from a parent of their own."""

PARTS = ("airflow",)
"""Programs of several processes, whose first argument says which this is."""

_PYTHON = re.compile(r"^(python|pypy)[\d.]*(\.exe)?$")


def _name(argument: str) -> str:
    """The program's name in a path: ``/srv/.venv/bin/celery`` and ``…/celery/__main__.py`` are ``celery``."""
    path = PurePath(argument)
    if path.name == "__main__.py" and path.parent.name:
        path = path.parent
    return path.name.removesuffix(".exe")


def _run_arguments(arguments: Sequence[str]) -> list[str]:
    """``arguments`` from the program on, without the interpreter and its options."""
    rest = list(arguments)
    if rest and _PYTHON.match(_name(rest[0])):
        del rest[0]
        while rest and rest[0].startswith("-"):
            option = rest.pop(0)
            if option == "-m" and rest:
                return [rest[0].partition(".")[0] if rest[0].startswith(WEB_SERVERS) else rest[0], *rest[1:]]
            if option == "-c":
                return ["python -c"]
            if option in ("-W", "-X") and rest:
                del rest[0]
    return rest


def _celery_command(arguments: Sequence[str]) -> str:
    for command in ("worker", "beat", "flower", "events", "inspect", "control", "shell", "multi"):
        if command in arguments:
            return command
    return ""


def guess_program(arguments: Sequence[str], *, worker_name: str = "", parent_arguments: Sequence[str] = ()) -> str:
    """``gunicorn worker``, ``celery main``, ``celery child``, ``celery beat``, ``manage.py migrate``, ``report.py``, …

    ``arguments``: the process's own, with or without the interpreter. ``worker_name``: what ``multiprocessing`` or
    billiard call it, e.g. ``ForkPoolWorker-1``. ``parent_arguments``: those of its parent.
    """
    rest = _run_arguments(arguments) or ["python"]
    name = _name(rest[0])
    if name == "celery":
        return _celery_program(_celery_command(rest[1:]), worker_name)
    if name in WEB_SERVERS:
        return _server_program(name, _run_arguments(parent_arguments))
    if name in ("manage.py", "django-admin", "django"):
        command = next((argument for argument in rest[1:] if not argument.startswith("-")), "")
        return f"manage.py {command}".strip()
    if name in PARTS:
        return " ".join([name, *rest[1:2]])
    return name or "python"


def _celery_program(command: str, worker_name: str) -> str:
    if "PoolWorker" in worker_name:
        return "celery child"
    if command == "beat" or worker_name == "Beat":
        return "celery beat"
    return "celery main" if command == "worker" else f"celery {command}".strip()


def _server_program(server: str, parent: Sequence[str]) -> str:
    if parent and (_name(parent[0]) == server or parent[0].startswith(f"{server}:")):
        return f"{server} worker"
    return "gunicorn master" if server == "gunicorn" else server


_SERVICES: Mapping[str, str] = {
    "celery main": "worker",
    "celery child": "worker",
    "celery beat": "beat",
    "celery flower": "flower",
    "manage.py runserver": "web",
    "manage.py runserver_plus": "web",
    "manage.py memwatch_exporter": "exporter",
    "manage.py run_stack": "supervisor",
    "python -c": "python",
}


def guess_service(program: str) -> str:
    """``web``, ``worker``, ``beat``, else the command's or the script's name."""
    if program in _SERVICES:
        return _SERVICES[program]
    if program.split(" ", maxsplit=1)[0] in WEB_SERVERS:
        return "web"
    name = program.removeprefix("manage.py ").removesuffix(".py")
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:100] or "python"


def worker_name() -> str:
    """What billiard (Celery's pool) or multiprocessing call this process; empty for a main process."""
    for module in ("billiard.process", "multiprocessing.process"):
        current = getattr(sys.modules.get(module), "current_process", None)
        name = getattr(current(), "name", "") if current is not None else ""
        if type(name) is str and name not in ("", "MainProcess"):
            return name
    return ""
