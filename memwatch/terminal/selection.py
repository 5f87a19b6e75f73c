"""Which processes a command is about: by slot, host and service, as people name them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from memwatch.models import Process, Service, connection
from memwatch.queries.processes import lookup as queries


class TablesCommand(BaseCommand):
    """A command that works with memwatch's tables, and says in one line what to do where they are not there."""

    unwritable = 1
    """The exit code where the output file cannot be written."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DatabaseError:
            obstacle = connection.obstacle()
            if obstacle is None:
                raise
            raise CommandError(f"{obstacle[0].upper()}{obstacle[1:]}.") from None

    def write(self, text: str, path: Path | None, title: str) -> None:
        """Print, or write to a file and say so."""
        if path is None:
            self.stdout.write(text, ending="")
            return
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=self.unwritable) from None
        self.stderr.write(f"{title}: written to {path}", self.style.NOTICE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``SLOT …``, ``--service``, ``--host``, ``--all``."""
    parser.add_argument("slots", nargs="*", metavar="SLOT", help="e.g. web-1; with hosts: web-1@node-2")
    parser.add_argument("--service", help="every process of this service")
    parser.add_argument("--host", help="only on this host")
    parser.add_argument("--all", action="store_true", help="every process that is alive")


def chosen(slots: list[str], *, service: str | None, host: str | None, everything: bool) -> list[Process]:
    """The processes that are alive and meant. Raises :class:`CommandError` where none is, or nothing was named."""
    if not slots and service is None and not everything:
        raise CommandError("Name the processes: slots such as web-1, --service NAME, or --all.")
    if service is not None:
        service_named(service)
    alive = queries.alive_processes(service=service, host=host)
    found = alive if not slots else [process for slot in slots for process in _named(slot, alive)]
    if not found:
        raise CommandError("No process that is alive is meant by this: manage.py memwatch_top shows them.")
    return list({process.pk: process for process in found}.values())


def service_named(name: str) -> Service:
    """The service; :class:`CommandError` with those that there are, where it is unknown."""
    found = queries.service_named(name)
    if found is None:
        known = ", ".join(queries.service_names()) or "none has reported yet"
        raise CommandError(f"There is no service {name!r}. Known: {known}.")
    return found


def _named(text: str, alive: list[Process]) -> list[Process]:
    slot, _at, host = text.partition("@")
    found = [process for process in alive if process.slot == slot and (not host or process.host == host)]
    if not found:
        known = ", ".join(process.slot for process in alive[:12]) or "none"
        raise CommandError(f"No process {text!r} is alive. Alive: {known}{', …' if len(alive) > 12 else ''}.")
    return found
