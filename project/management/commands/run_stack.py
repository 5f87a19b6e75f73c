"""Run the whole deployment on this machine: web, worker, beat and exporter under one supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import connections

from memwatch.conf import get_settings
from project.state import state_folder

DEMO = {"MEMWATCH_SNAPSHOT_INTERVAL": "2", "MEMWATCH_CPU_BUDGET_PERCENT": "2"}
"""A minute between snapshots is too long for a newcomer; looking that often costs more than the budget of every day."""


class Command(BaseCommand):
    """``manage.py run_stack``: what ``make run`` and ``make demo`` start."""

    help = (
        "Migrates the database, creates the user `admin`, then runs web, worker, beat and exporter until Ctrl-C. "
        "PORT and EXPORTER_PORT choose the ports, MEMWATCH_ADMIN_PASSWORD the password, MEMWATCH_VAR where state lives."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="of the web (default: PORT, else 8000)")
        parser.add_argument("--exporter-port", type=int, help="(default: EXPORTER_PORT, else 9202)")
        parser.add_argument(
            "--demo", action="store_true", help="add the example service `shop` with its leaks and load"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        options["port"] = options["port"] or _port("PORT", 8000)
        options["exporter_port"] = options["exporter_port"] or _port("EXPORTER_PORT", 9202)
        with _only_one(settings.VAR_DIR / "run_stack.lock"):
            shop_port = _free_port() if options["demo"] else None
            for port, name in ((options["port"], "PORT"), (options["exporter_port"], "EXPORTER_PORT")):
                _require_free(port, name)
            self._prepare()
            password = self._admin()
            if shop_port is not None:
                self._prepare_shop()
            self._say_where(options["port"], options["exporter_port"], shop_port, password)
            self._run(options["port"], options["exporter_port"], shop_port)

    def _run(self, port: int, exporter_port: int, shop_port: int | None) -> None:
        """Become the supervisor: what prepared the deployment need not wait beside it with all of Django."""
        configured = get_settings()
        procfiles = ["Procfile"] if shop_port is None else ["Procfile", "examples/Procfile"]
        environment = {
            **({} if shop_port is None else DEMO),
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "MEMWATCH_VAR": str(settings.VAR_DIR),
            "MEMWATCH_TRANSPORT": configured.transport_url,
            "MEMWATCH_COMMAND_KEY": configured.command_key,
            "PORT": str(port),
            "EXPORTER_PORT": str(exporter_port),
            "SHOP_PORT": str(shop_port),
        }
        connections.close_all()
        os.chdir(settings.BASE_DIR)
        os.execve(  # noqa: S606 - our own program
            sys.executable, [sys.executable, "-S", "project/supervisor.py", *procfiles], environment
        )

    def _prepare(self) -> None:
        self.stdout.write("Preparing the database and the static files …")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        # What a dead run left in the embedded broker would be done late, or never answered.
        if settings.CELERY_BROKER_URL.startswith("filesystem:"):
            for folder in settings.CELERY_BROKER_TRANSPORT_OPTIONS.values():
                _empty(Path(folder))
        _empty(settings.VAR_DIR / "prometheus")

    def _admin(self) -> str | None:
        """Create the user `admin`; the password to print, where one was generated."""
        users = get_user_model()._default_manager
        given = os.environ.pop("MEMWATCH_ADMIN_PASSWORD", "")  # for no program that is started later
        admin = users.filter(username="admin").first()
        if admin is not None:
            if given and not admin.check_password(given):
                admin.set_password(given)
                admin.save()
            return None
        password = given or secrets.token_urlsafe(12)
        users.create_superuser(username="admin", email="", password=password)
        return None if given else password

    def _prepare_shop(self) -> None:
        examples = str(settings.BASE_DIR / "examples")
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": examples,
            "MEMWATCH_AGENT": "off",
        }
        done = subprocess.run(
            [sys.executable, "-m", "shop.prepare"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandError(f"the example service cannot be prepared: {done.stderr.strip()[-400:]}")

    def _say_where(self, port: int, exporter_port: int, shop_port: int | None, password: str | None) -> None:
        shown = f", password: {password}" if password else ""
        lines = [
            "",
            f"  Admin     http://127.0.0.1:{port}/admin/   (user: admin{shown})",
            f"  API       http://127.0.0.1:{port}/api/docs/",
            f"  Metrics   http://127.0.0.1:{port}/metrics and http://127.0.0.1:{exporter_port}/metrics",
        ]
        if password:
            lines.append("            The password is printed this once. Another: manage.py changepassword admin")
        if shop_port is not None:
            lines.append(
                f"  Shop      http://127.0.0.1:{shop_port}/   (leaks on purpose; its leaks appear within two minutes)"
            )
        lines += ["  Stop      Ctrl-C", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CommandError(f"{name} is {text!r}: give a port number, e.g. {default}")
    return int(text)


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CommandError(
                f"memwatch already runs here (process {file.read().strip() or '?'}): stop it first, "
                "or give this one a folder of its own with MEMWATCH_VAR"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        os.set_inheritable(file.fileno(), True)  # the supervisor keeps the lock
        yield


def _require_free(port: int, name: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"port {port} cannot be used ({error.strerror}): stop what uses it, or choose another, e.g. "
                f"make run {name}={port + 1}"
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    state_folder(folder)
